"""Recipes from and to TOML, with overrides from the command line."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lentigo.errors import RecipeError, listed
from lentigo.recipe.schema import Recipe


def packaged_recipes() -> dict[str, Recipe]:
    """Every recipe that ships with lentigo, by name."""
    folder = package_files("lentigo.recipe") / "files"
    found = [each for each in folder.iterdir() if each.name.endswith(".toml")]
    recipes = [parse_recipe(each.read_text(encoding="utf-8"), each.name) for each in found]
    return {each.name: each for each in sorted(recipes, key=lambda r: r.name)}


def load_recipe(name_or_path: str, overrides: Sequence[str] = ()) -> Recipe:
    """A packaged recipe by name, or one from a TOML file.

    Args:
        name_or_path: A name of ``lentigo recipes`` or a path that ends in ``.toml``.
        overrides: ``key=value`` with dotted keys (``stages.0.epochs=5``), values in TOML
            syntax; a value that is no TOML is taken as text.

    Raises:
        RecipeError: No such recipe, bad TOML (the line is named), unknown keys or values
            out of range (all of them at once).
    """
    if name_or_path.endswith(".toml"):
        path = Path(name_or_path)
        if not path.is_file():
            raise RecipeError(f"{path} does not exist.", todo="Give a recipe's name or its path.")
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise RecipeError(f"{path} is not UTF-8 text: {error}") from None
        return parse_recipe(text, str(path), overrides)
    resource = package_files("lentigo.recipe") / "files" / f"{name_or_path}.toml"
    if "/" in name_or_path or not resource.is_file():
        known = ", ".join(packaged_recipes())
        raise RecipeError(
            f"There is no recipe {name_or_path!r}.", todo=f"Packaged: {known}; or give a .toml."
        )
    return parse_recipe(resource.read_text(encoding="utf-8"), name_or_path, overrides)


def parse_recipe(text: str, origin: str, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe from TOML text; ``origin`` is named in errors (see `load_recipe`)."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{origin} is not valid TOML: {error}") from None
    for override in overrides:
        _set(content, override)
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise RecipeError(
            f"{origin} is not a recipe:\n{listed(_problems(error, text))}",
            todo="docs/reference/recipe.md lists every key.",
        ) from None


def _problems(error: ValidationError, text: str) -> list[str]:
    found = error.errors()
    inner = {each["loc"][:depth] for each in found for depth in range(1, len(each["loc"]))}
    sentences = []
    for each in found:
        if each["type"] == "too_short" and each["loc"] in inner:
            continue  # a list is empty only because what stands in it is wrong
        unknown = each["type"] == "extra_forbidden"
        message = "there is no such key" if unknown else each["msg"]
        key = ".".join(str(part) for part in each["loc"]) or "recipe"
        sentences.append(f"{key}: {message}{_line_of(text, each['loc'])}")
    return sentences


def _line_of(text: str, location: tuple[int | str, ...]) -> str:
    keys = [part for part in location if isinstance(part, str)]
    if not keys:
        return ""
    for number, line in enumerate(text.splitlines(), start=1):
        if re.match(rf"\s*{re.escape(keys[-1])}\s*=", line):
            return f" (line {number})"
    return ""


def _set(content: dict[str, Any], override: str) -> None:
    key, equals, value = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {override!r} is not key=value.")
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value
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
