"""What is tried on one recipe: a list of named changes from TOML, or every point of a grid."""

from __future__ import annotations

import itertools
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from lentigo.errors import InputError, listed
from lentigo.outside import Known, Shelf, by_name, problems
from lentigo.recipe import value_of

# More is a mistyped grid rather than a plan.
MOST = 1000
_SHELF = Shelf("lentigo.papers", "tried", "a list of trials")
_EARLIER = "trial:"


class Trial(Known):
    """One row: what differs from the recipe.

    Attributes:
        name: In the tables; a grid's points are called by their values.
        title: What it is, in words.
        set: Dotted key of the recipe to value. Where a value names a run, ``trial:NAME`` is that
            of an earlier row, of the same fold and seed: to go on from it or to learn from it.
        data: Another prepared set, beside the first one or by its path, that holds the same
            images otherwise prepared (``--splits-of``); empty is the first one.
        against: The earlier row that it differs from in one thing; empty is the first one.
    """

    name: str = ""
    title: str = ""
    set: dict[str, Any] = Field(default_factory=dict)
    data: str = ""
    against: str = ""

    @property
    def overrides(self) -> list[str]:
        """``set`` as `load_recipe` takes it."""
        return overrides(self.set)

    @property
    def builds_on(self) -> tuple[str, ...]:
        """The earlier rows whose runs its values name."""
        return tuple(dict.fromkeys(_earlier(self.set)))

    def on(self, runs: Mapping[str, Path]) -> list[str]:
        """``overrides``, with the folders of those runs by their rows' names."""
        return overrides(_replaced(self.set, runs))


class Trials(Known):
    """Trials on one recipe; each is compared with the first, or with an earlier one it names.

    Attributes:
        title: What they are to settle.
        choices: What is held fixed and why, in sentences shown beneath the table.
        set: Holds in every trial, by dotted keys of the recipe.
        trials: The rows.
    """

    schema_version: Literal[1] = 1
    title: str
    choices: tuple[str, ...] = ()
    set: dict[str, Any] = Field(default_factory=dict)
    trials: tuple[Trial, ...] = Field(min_length=1, max_length=MOST)

    @model_validator(mode="after")
    def _names_differ(self) -> Trials:
        names = [each.name for each in self.trials]
        if "" in names:
            raise ValueError("every trial needs a name")
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"trials stand twice: {', '.join(twice)}")
        for place, each in enumerate(self.trials):
            if each.against and each.against not in names[:place]:
                raise ValueError(f"{each.name!r} is against {each.against!r}, no row before it")
            if unknown := set(each.builds_on).difference(names[:place]):
                raise ValueError(f"{each.name!r} builds on {min(unknown)!r}, no row before it")
        return self


def overrides(values: Mapping[str, Any]) -> list[str]:
    """Dotted keys and values as ``key=value`` texts."""
    return [f"{key}={_toml(value)}" for key, value in values.items()]


def _earlier(value: Any) -> Iterator[str]:
    """The names behind every ``trial:NAME`` in a value."""
    if isinstance(value, str) and value.startswith(_EARLIER):
        yield value.removeprefix(_EARLIER)
    elif isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _earlier(each)


def _replaced(value: Any, runs: Mapping[str, Path]) -> Any:
    """The value, with a run's folder in place of every ``trial:NAME``."""
    if isinstance(value, Mapping):
        return {key: _replaced(each, runs) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(each, runs) for each in value]
    if isinstance(value, str) and value.startswith(_EARLIER):
        return str(runs[value.removeprefix(_EARLIER)])
    return value


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def packaged_trials() -> list[str]:
    """The lists of trials that ship with lentigo."""
    return _SHELF.names()


def read_trials(name_or_path: str) -> Trials:
    """A packaged list of trials by name, or one from a path that ends in ``.toml``.

    Raises:
        InputError: No such list, bad TOML (the line is named), or all that is wrong with it.
    """
    text = _SHELF.text(name_or_path)
    content = _SHELF.content(text, name_or_path)
    try:
        return Trials.model_validate(content)
    except ValidationError as error:
        named = by_name(content.get("trials"), "trials", "trial")
        found = problems(error, "trials", text=text, content=content, named=named)
        raise InputError(f"{name_or_path} is no list of trials:\n{listed(found)}") from None


def parse_grid(over: Sequence[str]) -> dict[str, list[Any]]:
    """``key=a,b,c`` texts as key to values; values are TOML, and text where they are not.

    Raises:
        InputError: No values, a key twice, or no key at all.
    """
    grid: dict[str, list[Any]] = {}
    for each in over:
        key, _, text = each.partition("=")
        key = key.strip()
        if not key or not text.strip() or key in grid:
            raise InputError(f"--over {each!r} is not key=a,b,c with a key of its own.")
        try:
            grid[key] = tomllib.loads(f"values = [{text}]")["values"]
        except tomllib.TOMLDecodeError:
            grid[key] = [value_of(part.strip()) for part in text.split(",")]
    if not grid:
        raise InputError("A sweep needs something to go over.", todo="--over key=a,b,c")
    return grid


def trials_of(grid: Mapping[str, Sequence[Any]]) -> list[Trial]:
    """Every point of a grid, the last key's values in turn first.

    Args:
        grid: Dotted key to values, as `parse_grid` gives.

    Raises:
        InputError: A grid that is too large.
    """
    points = list(itertools.product(*grid.values()))
    if len(points) > MOST:
        raise InputError(f"{len(points)} points are not run at once.")
    return [Trial(set=dict(zip(grid, each, strict=True))) for each in points]
