"""`check_scores`: whether printed scores can be, check by check, with the arithmetic."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib.resources import files as package_files
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lentigo.errors import InputError, MissingExtraError, listed
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


def packaged_scores() -> list[str]:
    """The papers whose printed scores ship with lentigo."""
    folder = package_files("lentigo.papers") / "scores"
    return sorted(each.name[:-5] for each in folder.iterdir() if each.name.endswith(".toml"))


def read_scores(name_or_path: str) -> ScoreFile:
    """A file of printed scores: a packaged paper's name, or a path that ends in ``.toml``.

    Raises:
        InputError: No such file, bad TOML (the line is named), or all that is wrong with it.
    """
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        if not path.is_file():
            raise InputError(f"{path} does not exist.", todo=_choice())
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8 text: {error}") from None
    elif name_or_path in packaged_scores():
        resource = package_files("lentigo.papers") / "scores" / f"{name_or_path}.toml"
        text = resource.read_text(encoding="utf-8")
    else:
        raise InputError(f"There are no printed scores {name_or_path!r}.", todo=_choice())
    return _parsed(text, name_or_path)


def _choice() -> str:
    return f"Packaged: {', '.join(packaged_scores())}; or give a .toml."


def _parsed(text: str, origin: str) -> ScoreFile:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{origin} is not valid TOML: {error}") from None
    try:
        return ScoreFile.model_validate(content)
    except ValidationError as error:
        names = [each.get("name") for each in content.get("checks", ()) if isinstance(each, dict)]
        problems = [_problem(each["loc"], each["msg"], names) for each in error.errors()]
        raise InputError(
            f"{origin} is no file of printed scores:\n{listed(problems)}",
            todo="docs/how-to/check-printed-scores.md shows one.",
        ) from None


def _problem(location: tuple[int | str, ...], message: str, names: list[Any]) -> str:
    parts = list(location)
    if len(parts) > 1 and parts[0] == "checks" and isinstance(parts[1], int):
        named = names[parts[1]] if parts[1] < len(names) and names[parts[1]] else parts[1] + 1
        parts[:2] = [f"check {named!r}"]
    return f"{'.'.join(str(part) for part in parts) or 'file'}: {message}"


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
