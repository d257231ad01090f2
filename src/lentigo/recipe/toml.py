"""Recipes from and to TOML, with overrides from the command line."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lentigo.errors import RecipeError, listed
from lentigo.outside import Shelf, problems
from lentigo.recipe.schema import Recipe

_SHELF = Shelf("lentigo.recipe", "files", "a recipe", RecipeError)


def packaged_recipes() -> dict[str, Recipe]:
    """Every recipe that ships with lentigo, by name."""
    return {name: load_recipe(name) for name in _SHELF.names()}


def packaged_as(recipe: Recipe) -> str | None:
    """Name of the packaged recipe that asks for the same, whatever either is called.

    The weights that a training began from and the runs that it learned from are left out: they
    are files of one machine, and a card tells of them beside the recipe. Whether it began from
    random weights is not.
    """
    own = ("name", "title", "citation", "command", "notes", "caution", "distillation", "soup")
    aside: Any = dict.fromkeys(own, True)
    aside["network"] = {"weights"}

    def asks_for(each: Recipe) -> tuple[bool, dict[str, Any]]:
        return each.network.weights == "none", each.model_dump(exclude=aside)

    asked, packaged = asks_for(recipe), packaged_recipes().items()
    return next((name for name, each in packaged if asks_for(each) == asked), None)


def load_recipe(name_or_path: Path | str, overrides: Sequence[str] = ()) -> Recipe:
    """A packaged recipe by name, or one from a TOML file.

    Args:
        name_or_path: A name of ``lentigo recipes`` or a path that ends in ``.toml``.
        overrides: ``key=value`` with dotted keys (``stages.0.epochs=5``), values in TOML
            syntax; a value that is no TOML is taken as text.

    Raises:
        RecipeError: No such recipe, bad TOML (the line is named), unknown keys or values
            out of range (all of them at once).
    """
    name = str(name_or_path)
    return parse_recipe(_SHELF.text(name), name, overrides)


def parse_recipe(text: str, origin: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from TOML text; ``origin`` is named in errors (see `load_recipe`)."""
    content = _SHELF.content(text, origin)
    for override in overrides:
        _set(content, override)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        aside = [override.partition("=")[0].strip() for override in overrides]
        found = problems(error, "recipe", text=text, content=content, aside=aside)
        raise RecipeError(
            f"{origin} is not a recipe:\n{listed(found)}",
            todo="docs/reference/recipe.md lists every key.",
        ) from None


def value_of(text: str) -> Any:
    """What a text means on a command line: a TOML value, or itself where it is none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _set(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {override!r} is not key=value.")
    parsed = value_of(value)
    *parents, last = key.strip().split(".")
    here: Any = content
    try:
        for part in parents:
            here = here[int(part)] if isinstance(here, list) else here.setdefault(part, {})
        if isinstance(here, list):
            here[int(last)] = parsed
        else:
            here[last] = parsed
    except (IndexError, ValueError, TypeError, AttributeError):
        raise RecipeError(
            f"--set {key} leads nowhere.", todo="Lists take a number: stages.0.epochs=5"
        ) from None


def to_toml(recipe: Recipe) -> str:
    """The resolved recipe as TOML: every key with its value; reads back to an equal recipe."""
    values = recipe.model_dump(mode="json", exclude_none=True)
    stages = values.pop("stages")
    tables = {key: value for key, value in values.items() if isinstance(value, dict)}
    lines = [_assignment(k, v) for k, v in values.items() if k not in tables]
    for name, table in tables.items():
        nested = {key: value for key, value in table.items() if isinstance(value, dict)}
        flat = {key: value for key, value in table.items() if key not in nested}
        lines += ["", f"[{name}]", *(_assignment(k, v) for k, v in flat.items())]
        for key, inner in nested.items():
            lines += ["", f"[{name}.{key}]", *(_assignment(k, v) for k, v in inner.items())]
    for stage in stages:
        lines += ["", "[[stages]]", *(_assignment(k, v) for k, v in stage.items())]
    return "\n".join(lines) + "\n"


def _assignment(key: str, value: Any) -> str:
    bare = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)
    # JSON's strings, numbers, booleans and flat lists are all valid TOML, but for one
    # character that JSON leaves as it is.
    return f"{bare} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
