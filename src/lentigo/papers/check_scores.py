"""`check_scores`: whether printed scores can be, check by check, with the arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from pydantic import ValidationError

from lentigo.errors import InputError, MissingExtraError, listed
from lentigo.outside import Shelf, by_name, problems
from lentigo.papers.score_checks import ScoreFile, Verdict


@dataclass(frozen=True)
class Finding:
    """The answer to one check.

    Attributes:
        name: The check's.
        where: In the paper.
        verdict: ``consistent``: some confusion matrix prints so; ``inconsistent``: none does;
            ``undecidable``: what is printed does not say enough.
        arithmetic: Why, in sentences.
    """

    name: str
    where: str
    verdict: Verdict
    arithmetic: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "name": self.name,
            "where": self.where,
            "verdict": self.verdict,
            "arithmetic": list(self.arithmetic),
        }


_SHELF = Shelf("lentigo.papers", "scores", "a file of printed scores")


def packaged_scores() -> list[str]:
    """The papers whose printed scores ship with lentigo."""
    return _SHELF.names()


def read_scores(name_or_path: str) -> ScoreFile:
    """A file of printed scores: a packaged paper's name, or a path that ends in ``.toml``.

    Raises:
        InputError: No such file, bad TOML (the line is named), or all that is wrong with it.
    """
    text = _SHELF.text(name_or_path)
    content = _SHELF.content(text, name_or_path)
    try:
        return ScoreFile.model_validate(content)
    except ValidationError as error:
        named = by_name(content.get("checks"), "checks", "check")
        found = problems(error, "file", text=text, content=content, named=named)
        raise InputError(
            f"{name_or_path} is no file of printed scores:\n{listed(found)}",
            todo="docs/how-to/check-printed-scores.md shows one.",
        ) from None


def check_scores(scores: ScoreFile | str) -> list[Finding]:
    """Answer every check of a file.

    Args:
        scores: A read file, a packaged paper's name, or a path.

    Returns:
        A finding a check, in the file's order.

    Raises:
        InputError: See `read_scores`.
        MissingExtraError: A per-class report without scipy, whose solver it needs.
    """
    read = read_scores(scores) if isinstance(scores, str) else scores
    if find_spec("scipy") is None and any(each.kind == "classes" for each in read.checks):
        raise MissingExtraError(
            "Per-class reports are checked by scipy's integer programming, which is not here.",
            todo="pip install 'lentigo[papers]'",
        )
    return [Finding(each.name, each.where, *each.answer()) for each in read.checks]
