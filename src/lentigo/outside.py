"""What people hand in: TOML by name or path, and what is wrong with it in sentences."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lentigo.errors import InputError

Location = tuple[int | str, ...]


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
            return path.read_text(encoding="utf-8")
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
    named: Callable[[Location], Location] = tuple,
) -> list[str]:
    """A sentence for each thing that pydantic found wrong: key, what, and line.

    Args:
        error: What it raised.
        whole: What to call the place of a problem of no single key.
        text: The TOML, to name lines; empty where there is none.
        named: A place as people call it.
    """
    found = error.errors()
    inner = {each["loc"][:depth] for each in found for depth in range(1, len(each["loc"]))}
    sentences = []
    for each in found:
        if each["type"] == "too_short" and each["loc"] in inner:
            continue  # a list is empty only because what stands in it is wrong
        message = each["msg"].removeprefix("Value error, ")
        if each["type"] == "extra_forbidden":
            message = "there is no such key"
        key = ".".join(str(part) for part in named(each["loc"])) or whole
        sentences.append(f"{key}: {message}{_line_of(text, each['loc'])}")
    return sentences


def _line_of(text: str, location: Location) -> str:
    keys = [part for part in location if isinstance(part, str)]
    for number, line in enumerate(text.splitlines() if keys else (), start=1):
        if re.match(rf"\s*{re.escape(keys[-1])}\s*=", line):
            return f" (line {number})"
    return ""


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
