"""Papers from TOML, and what each of their variants comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from lentigo.errors import InputError, RecipeError, listed
from lentigo.outside import Shelf, problems
from lentigo.papers.proofreading import paper_problems
from lentigo.papers.schema import (
    PARTS,
    DataPlan,
    Paper,
    Protocol,
    SplitPlan,
    Variant,
    recipe_fields,
    with_changes,
)
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
    if told := paper_problems(content, text):
        raise InputError(f"{name_or_path} is no paper that can be run:\n{listed(told)}")
    return Paper.model_validate(content)


def scale_stamp(scale: float) -> str:
    """What must stand on every page of a reproduction at that scale; empty at full scale."""
    if scale >= 1:
        return ""
    return (
        f"SCALE {scale:g}: a look with that share of images (at least 12 a class) and epochs, "
        "not a reproduction."
    )


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
    dumped = paper.model_dump(mode="json")
    try:
        content = with_changes({part: dumped[part] for part in PARTS}, variant.set)
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
    fields = recipe_fields(
        content["recipe"],
        content["data"]["size"],
        name=f"{paper.name}-{variant.name}",
        title=variant.title or f"{paper.title}: {variant.name}",
        citation=paper.citation,
        protocol=protocol,
        caution=scale_stamp(scale),
    )
    network = fields["network"]
    if network.get("weights", "imagenet") == "imagenet" and network.get("name") in weights:
        network["weights"] = weights[network["name"]]
    stages = [
        stage | {"epochs": max(1, round(stage["epochs"] * scale))} if scale < 1 else stage
        for stage in fields.get("stages", [])
    ]
    return Recipe.model_validate({**fields, "stages": stages})
