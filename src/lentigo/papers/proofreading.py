"""All that is wrong with a paper's TOML at once, in its own tables and in every variant's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lentigo.model import NETWORKS
from lentigo.outside import Location, by_name, found, line, lines_of, problems
from lentigo.papers.columns import column_problems, data_problems
from lentigo.papers.schema import (
    PARTS,
    PROTOCOLS,
    DataPlan,
    Paper,
    SplitPlan,
    recipe_fields,
    with_changes,
)
from lentigo.papers.tables import ClaimTable
from lentigo.recipe import Recipe

_Fault = tuple[Location, str]
_Model = TypeVar("_Model", bound=BaseModel)


def paper_problems(content: Mapping[str, Any], text: str) -> list[str]:
    """A sentence for each: key, what, and line; none where the paper can be run.

    Args:
        content: The TOML as read.
        text: Its text, to name lines.
    """
    told = []
    try:
        Paper.model_validate(content)
    except ValidationError as error:
        named = by_name(content.get("variants"), "variants", "variant")
        told = problems(error, "paper", text=text, content=content, named=named)
    plans: list[DataPlan] = []
    lines = lines_of(text)
    told += _of_variants(content, lines, plans)
    told += [problem for plan in plans for problem in data_problems(plan)]
    listed = content.get("tables")
    tables = {n: _checked(ClaimTable, each, (), []) for n, each in enumerate(_each(listed))}
    whole = {n: table for n, table in tables.items() if table is not None}
    told += [message + line(lines, place) for place, message in column_problems(whole, plans)]
    return list(dict.fromkeys(told))


def _of_variants(
    content: Mapping[str, Any], lines: Mapping[Location, int], plans: list[DataPlan]
) -> list[str]:
    """Sentences on the variants; whole data go to ``plans``.

    What the paper's own tables bring about in a variant is told as theirs.
    """
    told, own = [], set(_faults(content, {}, []))
    for number, variant in enumerate(_each(content.get("variants"))):
        changes = variant.get("set", {})
        for place, message in _faults(content, changes, plans):
            sentence = f"{'.'.join(map(str, place)) or 'set'}: {message}"
            if (place, message) in own:
                told.append(f"{sentence}{line(lines, place)}")
                continue
            key = next((key for key in changes if _meet(tuple(key.split(".")), place)), "")
            stands = line(lines, ("variants", number, "set", key))
            told.append(f"variant {variant.get('name', number + 1)!r}: {sentence}{stands}")
    return told


def _faults(content: Mapping[str, Any], changes: object, plans: list[DataPlan]) -> Iterator[_Fault]:
    """What is wrong with recipe, data and protocols once ``changes`` are made."""
    if not isinstance(changes, Mapping):
        return  # which is told of the paper
    if astray := [key for key in changes if key.partition(".")[0] not in PARTS]:
        yield (), f"{', '.join(astray)} must begin with one of {', '.join(PARTS)}"
        return
    given = {part: content.get(part) for part in PARTS}
    whole = {part: each if isinstance(each, Mapping) else {} for part, each in given.items()}
    try:
        changed = with_changes(whole, changes)
    except ValueError as error:
        yield (), str(error)
        return
    faults: list[_Fault] = []
    data = _checked(DataPlan, changed["data"], ("data",), faults)
    if data is not None:
        plans.append(data)
    for protocol in PROTOCOLS:
        place = ("protocols", protocol)
        split = _checked(SplitPlan, changed["protocols"].get(protocol, {}), place, faults)
        try:
            if data is not None and split is not None:
                split.oversampling(data)
        except ValueError as error:
            faults.append((place, str(error)))
    fields = recipe_fields(changed["recipe"], 224 if data is None else data.size, name="a")
    recipe = _checked(Recipe, {"title": "a", **fields}, ("recipe",), faults)
    if recipe is not None and (told := _network_problem(recipe)):
        faults.append((("recipe", "network", "name"), told))
    yield from faults


def _checked(
    model: type[_Model], content: object, place: Location, faults: list[_Fault]
) -> _Model | None:
    """A model, or None and what is wrong in ``faults``."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        faults += [((*place, *inner), message) for inner, message in found(error, content)]
        return None


def _network_problem(recipe: Recipe) -> str:
    """That there is no such network; one as ``module:function`` is looked for when it trains."""
    name = recipe.network.name
    if recipe.classic is not None or name in NETWORKS or ":" in name:
        return ""
    return f"{name!r} is no network of {', '.join(NETWORKS)}"


def _meet(one: Location, other: Location) -> bool:
    """Whether one place holds the other, or is it."""
    depth = min(len(one), len(other))
    return tuple(map(str, one[:depth])) == tuple(map(str, other[:depth]))


def _each(tables: object) -> list[Mapping[str, Any]]:
    """The tables of a list, whatever it is; what else stands in it is told of the paper."""
    items = tables if isinstance(tables, list) else ()
    return [each for each in items if isinstance(each, Mapping)]
