"""Everything that lentigo refuses, as one tree.

::

    LentigoError                what is wrong, where, and what to do; exit code 2
    ├── InputError              something handed in from outside
    │   ├── ImageError          one image: missing, truncated, not an image, too large
    │   ├── SourceError         a data set: files absent, columns missing, rows that clash
    │   ├── RecipeError         a recipe: unknown key, value out of range
    │   └── BundleError         a bundle: damaged, foreign, newer than this lentigo
    ├── LeakageError            a split that cuts a group, or a protocol not asked for by name
    ├── WeightsError            pretrained weights that are not here, or do not fit
    ├── RunError                a run folder: unfinished, of other data, or changed
    ├── ParityError             a converted model that does not agree with its original
    ├── DownloadError           a transfer that failed or whose digest is wrong
    └── MissingExtraError       a part of lentigo that is not installed

The command line prints a ``LentigoError`` without a traceback and exits with code 2.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

SHOWN = 20
# Unicode's control characters, and its marks that turn the direction of writing and the like.
_SHOWN_AS_ESCAPES = {"Cc", "Cf"}


class LentigoError(Exception):
    """What is wrong, where (file, line, image), and what to do.

    Args:
        problem: One sentence in plain words, naming the file or value.
        todo: What the user can do about it.
    """

    def __init__(self, problem: str, *, todo: str | None = None) -> None:
        self.problem = problem
        self.todo = todo
        super().__init__(problem if todo is None else f"{problem}\n  -> {todo}")


class InputError(LentigoError):
    """Something handed in from outside cannot be used."""


class ImageError(InputError):
    """One image is missing, truncated, not an image, or too large."""


class SourceError(InputError):
    """A data set lacks files or columns, or its rows contradict each other."""


class RecipeError(InputError):
    """A recipe has an unknown key or a value out of range."""


class BundleError(InputError):
    """A bundle is damaged, foreign, or newer than this lentigo."""


class LeakageError(LentigoError):
    """A split would cut a group, or a leaky protocol was not asked for by name."""


class WeightsError(LentigoError):
    """Pretrained weights are not here, or do not fit the network."""


class RunError(LentigoError):
    """A run folder is unfinished, belongs to other data, or was changed."""


class ParityError(LentigoError):
    """A converted model does not agree with the model it was made from."""


class DownloadError(LentigoError):
    """A transfer failed, or what arrived has the wrong digest."""


class MissingExtraError(LentigoError):
    """A part of lentigo is not installed."""


def in_one_line(problem: str) -> str:
    """A problem for a cell of a table: of a list below it the first entry, and the way out."""
    what, arrow, todo = problem.partition("\n  -> ")
    head, *rest = what.splitlines()
    told = [head, *(each.strip() for each in rest[:1]), *(["..."] if rest[1:] else [])]
    return " ".join([*told, *(["->", " ".join(todo.split())] if arrow else [])])


def listed(problems: Iterable[str], *, shown: int = SHOWN) -> str:
    """All problems of one input at once: the first ``shown`` in full, the rest counted.

    Args:
        problems: One line each.
        shown: How many are printed.

    Returns:
        The lines, indented by two spaces, and ``... and N more`` where there are more.
    """
    lines = list(problems)
    text = "\n".join(f"  {line}" for line in lines[:shown])
    if len(lines) > shown:
        text += f"\n  ... and {len(lines) - shown} more"
    return text


def visible(text: str, *, keep: str = "") -> str:
    """Text of a stranger for a terminal: what would steer it is shown as an escape.

    Args:
        text: Any.
        keep: Control characters that stay, such as the line breaks of a longer text.
    """
    return "".join(
        each.encode("unicode_escape").decode()
        if each not in keep and unicodedata.category(each) in _SHOWN_AS_ESCAPES
        else each
        for each in text
    )
