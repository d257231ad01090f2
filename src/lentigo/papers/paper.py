"""Papers from TOML, and what each of their variants comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lentigo.errors import InputError, RecipeError, listed
from lentigo.model import NETWORKS
from lentigo.outside import Shelf, by_name, problems
from lentigo.papers.columns import column_problems, data_problems
from lentigo.papers.schema import DataPlan, Paper, Protocol, SplitPlan, Variant, with_changes
from lentigo.recipe import Recipe


@dataclass(frozen=True)
class Experiment:
    """One variant under one protocol, every value in place."""

    variant: Variant
    protocol: Protocol
    data: DataPlan
    split: SplitPlan
    recipe: Recipe


_SHELF = Shelf("lentigo.papers", "studies", "a paper")


def packaged_papers() -> list[str]:
    """The papers that ship with lentigo."""
    return _SHELF.names()


def read_paper(name_or_path: str) -> Paper:
    """A packaged paper by name, or one from a path that ends in ``.toml``.

    Every variant is resolved once, so that a paper that was read can be run.

    Raises:
        InputError: No such paper, bad TOML (the line is named), or all that is wrong with it.
    """
    text = _SHELF.text(name_or_path)
    content = _SHELF.content(text, name_or_path)
    try:
        paper = Paper.model_validate(content)
    except ValidationError as error:
        named = by_name(content.get("variants"), "variants", "variant")
        found = problems(error, "paper", text=text, named=named)
        raise InputError(f"{name_or_path} is no paper:\n{listed(found)}") from None
    _check_variants(paper, name_or_path)
    return paper


def _check_variants(paper: Paper, origin: str) -> None:
    found, plans = [], []
    for variant in paper.variants:
        try:
            plan = experiment(paper, variant, "leak-free")
            plans.append(plan.data)
            found += _network_problem(plan)
        except RecipeError as error:
            found.append(error.problem)
    named = [problem for plan in plans for problem in data_problems(plan)]
    found += [*dict.fromkeys(named), *column_problems(paper, plans)]
    if found:
        raise InputError(f"{origin} cannot be run as it is:\n{listed(found)}")


def _network_problem(plan: Experiment) -> list[str]:
    """That there is no such network; one as ``module:function`` is looked for when it trains."""
    name = plan.recipe.network.name
    if plan.recipe.classic is not None or name in NETWORKS or ":" in name:
        return []
    return [f"variant {plan.variant.name!r}: {name!r} is no network of {', '.join(NETWORKS)}"]


def experiment(
    paper: Paper,
    variant: Variant,
    protocol: Protocol,
    *,
    scale: float = 1.0,
    weights: Mapping[str, str] | None = None,
) -> Experiment:
    """A variant with every value in place.

    Args:
        paper: The paper.
        variant: One of its variants.
        protocol: Which split.
        scale: Share of the epochs of every stage, at least one each.
        weights: Network to weights file or ``none``, for recipes that ask for ``imagenet``.

    Raises:
        RecipeError: The variant's keys lead nowhere, or give no recipe.
    """
    whole = {
        "recipe": paper.recipe,
        "data": paper.data.model_dump(mode="json"),
        "protocols": {k: each.model_dump(mode="json") for k, each in paper.protocols.items()},
    }
    if astray := [key for key in variant.set if key.partition(".")[0] not in whole]:
        raise RecipeError(
            f"variant {variant.name!r}: {', '.join(astray)} must begin with one of "
            f"{', '.join(whole)}"
        )
    try:
        content = with_changes(whole, variant.set)
        recipe = _recipe(paper, variant, protocol, content, scale, weights or {})
        data = DataPlan.model_validate(content["data"])
        split = SplitPlan.model_validate(content["protocols"][protocol])
        split.oversampling(data)
    except ValidationError as error:
        raise RecipeError(
            f"variant {variant.name!r}: {'; '.join(problems(error, 'recipe'))}"
        ) from None
    except ValueError as error:
        raise RecipeError(f"variant {variant.name!r}: {error}") from None
    return Experiment(variant, protocol, data, split, recipe)


def _recipe(
    paper: Paper,
    variant: Variant,
    protocol: Protocol,
    content: Mapping[str, Any],
    scale: float,
    weights: Mapping[str, str],
) -> Recipe:
    fields = {
        **content["recipe"],
        "name": f"{paper.name}-{variant.name}",
        "title": variant.title or f"{paper.title}: {variant.name}",
        "citation": paper.citation,
        "protocol": protocol,
    }
    network = dict(fields.get("network", {}))
    network["size"] = content["data"]["size"]
    if network.get("weights", "imagenet") == "imagenet" and network.get("name") in weights:
        network["weights"] = weights[network["name"]]
    stages = [
        stage | {"epochs": max(1, round(stage["epochs"] * scale))}
        if isinstance(stage.get("epochs"), int)
        else stage
        for stage in fields.get("stages", [])
    ]
    return Recipe.model_validate({**fields, "network": network, "stages": stages})
