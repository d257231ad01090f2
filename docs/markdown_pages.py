"""Markdown of the generated pages: tables, pages, docstrings."""  # noqa: INP001 - see generate.py

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence

NOTICE = (
    "<!-- Written by docs/generate.py from the code. Change the code, then `make reference`. -->"
)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [[cell.replace("|", r"\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [list(header), ["---"] * len(header), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(title: str, *parts: str) -> str:
    """A whole page; parts are separated by empty lines."""
    return "\n\n".join([f"# {title}", NOTICE, *(part.strip() for part in parts)]) + "\n"


def markdown(docstring: str) -> str:
    """A docstring's double backticks as Markdown's single ones."""
    return inspect.cleandoc(docstring).replace("``", "`")
