"""What people hand in: TOML by name or path, its tables, and what is wrong in sentences."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from lentigo.errors import InputError

Location = tuple[int | str, ...]


class Known(BaseModel):
    """A table that people write: frozen, and nothing stands in it that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Part(Known):
    """A table whose values have the type that they should have.

    A number in quotes is a text, and true is no 1. Whole numbers may stand for others.
    """

    model_config = ConfigDict(allow_inf_nan=False, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _lists_are_fixed(cls, content: Any) -> Any:
        """TOML has lists where a frozen value has tuples."""
        if not isinstance(content, dict):
            return content
        return {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}

    @field_validator("*", mode="before")
    @classmethod
    def _choices_are_of_their_kind(cls, value: Any, info: ValidationInfo) -> Any:
        """To Python, and so to pydantic, true is the choice 1, and 4.0 the choice 4."""
        kind = cls.model_fields[info.field_name or ""].annotation
        if get_origin(kind) is Literal and isinstance(value, bool | float):
            raise ValueError(f"it must be one of {', '.join(map(repr, get_args(kind)))}")
        return value


@dataclass(frozen=True)
class Shelf:
    """TOML files that ship with lentigo, beside which people put their own.

    Attributes:
        package: Where the folder lies.
        folder: Its name.
        noun: What a file is, with its article: ``a recipe``.
        refused: Which error says so where there is none.
    """

    package: str
    folder: str
    noun: str
    refused: type[InputError] = InputError

    def names(self) -> list[str]:
        """Of the files that ship, without ``.toml``."""
        folder = package_files(self.package) / self.folder
        return sorted(each.name[:-5] for each in folder.iterdir() if each.name.endswith(".toml"))

    def text(self, name_or_path: str) -> str:
        """A packaged file by name, or one from a path that ends in ``.toml``.

        Raises:
            InputError: ``refused``: no such file, or no text.
        """
        choice = f"Packaged: {', '.join(self.names())}; or give a .toml."
        if not name_or_path.endswith(".toml"):
            if name_or_path not in self.names():
                raise self.refused(f"{name_or_path!r} is not {self.noun}.", todo=choice)
            packaged = package_files(self.package) / self.folder / f"{name_or_path}.toml"
            return packaged.read_text(encoding="utf-8")
        path = Path(name_or_path)
        if not path.is_file():
            raise self.refused(f"{path} does not exist.", todo=choice)
        try:
            # Editors on Windows put a byte order mark first, which TOML does not know.
            return path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise self.refused(f"{path} is not UTF-8 text: {error}") from None

    def content(self, text: str, origin: str) -> dict[str, Any]:
        """Text as TOML.

        Raises:
            InputError: ``refused``: it is not; the line is named.
        """
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise self.refused(f"{origin} is not valid TOML: {error}") from None


def problems(
    error: ValidationError,
    whole: str,
    *,
    text: str = "",
    content: object = None,
    aside: Collection[str] = (),
    named: Callable[[Location], Location] = tuple,
) -> list[str]:
    """A sentence for each thing that pydantic found wrong: key, what, and line.

    Args:
        error: What it raised.
        whole: What to call the place of a problem of no single key.
        text: The TOML, to name lines; empty where there is none.
        content: What was validated, as in `found`.
        aside: Dotted keys whose values do not come from the text.
        named: A place as people call it.
    """
    lines, sentences = lines_of(text), []
    for place, message in found(error, content):
        stands = "" if _dotted(place) in aside else line(lines, place)
        sentences.append(f"{_dotted(named(place)) or whole}: {message}{stands}")
    return sentences


def _dotted(place: Location) -> str:
    return ".".join(map(str, place))


def found(error: ValidationError, content: object = None) -> list[tuple[Location, str]]:
    """What pydantic found wrong, each with its place in what was handed in.

    Args:
        error: What it raised.
        content: What was validated; with it, places leave out what pydantic adds to them, such
            as which of several kinds of table it took one for.
    """
    errors = error.errors()
    inner = {each["loc"][:depth] for each in errors for depth in range(1, len(each["loc"]))}
    pairs = []
    for each in errors:
        if each["type"] == "too_short" and each["loc"] in inner:
            continue  # a list is empty only because what stands in it is wrong
        message = each["msg"].removeprefix("Value error, ")
        if each["type"] == "extra_forbidden":
            message = "there is no such key"
        absent = each["type"] == "missing"
        pairs.append((_there(each["loc"], content, absent=absent), message))
    return pairs


def _there(location: Location, content: Any, *, absent: bool) -> Location:
    """A place without the parts that stand nowhere in ``content``, but for an absent key."""
    if content is None:
        return location
    kept: Location = ()
    for depth, part in enumerate(location):
        items: Collection[Any] = content if isinstance(content, Mapping) else ()
        if part in (range(len(content)) if isinstance(content, list) else items):
            content = content[part]
        elif not (absent and depth == len(location) - 1):
            continue
        kept += (part,)
    return kept


_KEY = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"\s*({_KEY}(?:\s*\.\s*{_KEY})*)\s*"


def lines_of(text: str) -> dict[Location, int]:
    """The line of every table and key of a TOML; what stands inside a value has none."""
    found: dict[Location, int] = {}
    counts: dict[Location, int] = {}
    here: Location = ()
    for number, each in enumerate(text.splitlines(), start=1):
        if header := re.match(rf"\s*(\[\[?){_DOTTED}\]\]?\s*(?:#.*)?$", each):
            here = ()
            for key in _parts(header[2]):
                here += (counts[here] - 1, key) if here in counts else (key,)
            if header[1] == "[[":
                counts[here] = counts.get(here, 0) + 1
                here += (counts[here] - 1,)
            found.setdefault(here, number)
        elif given := re.match(rf"{_DOTTED}=", each):
            found.setdefault((*here, *_parts(given[1])), number)
    return found


def _parts(dotted: str) -> list[str]:
    return [part.strip("\"'") for part in re.findall(_KEY, dotted)]


def line(lines: Mapping[Location, int], location: Location) -> str:
    """Where a place stands, in brackets: its own line, or that of what holds it."""
    inside = (location[:depth] for depth in range(len(location), 0, -1))
    number = next((lines[each] for each in inside if each in lines), 0)
    return f" (line {number})" if number else ""


def by_name(items: object, list_key: str, noun: str) -> Callable[[Location], Location]:
    """Calls a place in a list of tables by its table's ``name``, not by its number.

    Args:
        items: What stands under ``list_key``, unchecked.
        list_key: Such as ``checks``.
        noun: Such as ``check``.
    """
    names = [
        each.get("name") if isinstance(each, Mapping) else None
        for each in (items if isinstance(items, list) else ())
    ]

    def named(location: Location) -> Location:
        if len(location) < 2 or location[0] != list_key or not isinstance(location[1], int):
            return location
        place = location[1]
        name = names[place] if place < len(names) and names[place] else place + 1
        return (f"{noun} {name!r}", *location[2:])

    return named
