"""`lentigo quantizations`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def quantizations(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs of one prepared set.")],
    *,
    data: Annotated[Path | None, typer.Option(help="The prepared set, where it has moved.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Also write the table: a .md, .csv or .json file.")
    ] = None,
    rounds: Annotated[int, typer.Option(help="Answers a measured speed rests on.", min=1)] = 100,
    replicates: Annotated[int, typer.Option(help="Of the bootstrap.", min=100)] = 1000,
    json: Annotated[bool, typer.Option("--json", help="Print the table as JSON.")] = False,
) -> None:
    """Convert runs in every way. One table says what each costs.

    Measured on validation images; the first run in float32 is what all others are held against.
    """
    from json import dumps

    from lentigo.cli.output import as_json, counting, need_training
    from lentigo.errors import InputError

    suffix = None if out is None else out.suffix
    if suffix not in {None, ".md", ".csv", ".json"}:
        raise InputError(f"{out} is no table that can be written.", todo="Use .md, .csv or .json.")
    need_training()
    from lentigo.deploy.costs import as_csv, as_markdown, costs
    from lentigo.files import need_place, write_text

    if out is not None:
        need_place(out)
    with counting("converting") as progress:
        table = costs(runs, data=data, rounds=rounds, replicates=replicates, progress=progress)
    rows = [each.to_dict() for each in table]
    if out is not None:
        texts = {".md": as_markdown, ".csv": as_csv}
        text = texts[out.suffix](table) if out.suffix in texts else dumps(rows, indent=1)
        write_text(out, text)
    if json:
        as_json(rows)
    else:
        print(as_markdown(table), end="")
