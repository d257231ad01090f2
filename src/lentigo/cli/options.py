"""Options and readings that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Seed = Annotated[int, typer.Option(help="All that is random is a function of it.", min=0)]
Cluster = Annotated[
    str,
    typer.Option(
        metavar="ADDRESS",
        help="Train on Ray: local, local:CORES a training, or ray://HOST:PORT. [default: here]",
        show_default=False,
    ),
]


def names_in(text: str) -> frozenset[str]:
    """The names of a list with commas."""
    return frozenset(part.strip() for part in text.split(",") if part.strip())
