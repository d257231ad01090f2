"""`lentigo report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lentigo.cli.options import Json
from lentigo.cli.output import as_json, need_training


def report(
    model: Annotated[Path, typer.Argument(metavar="RUN_OR_BUNDLE", help="What was evaluated.")],
    *,
    split: Annotated[
        str, typer.Option(help="Which evaluation: a split, or the name or path of its folder.")
    ] = "test",
    data: Annotated[Path | None, typer.Option(help="The prepared set, where it moved.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to write [default: that of the evaluation].")
    ] = None,
    json: Json = False,
) -> None:
    """Write the report of a finished evaluation anew. No prediction, no look at the images."""
    need_training()
    from lentigo.deploy.evaluating import report as write

    page = write(model, split=split, data=data, out=out)
    if json:
        as_json({"path": str(page)})
    else:
        print(f"Report: {page}")
