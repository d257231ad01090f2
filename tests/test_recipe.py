"""Recipes: read from TOML, changed from the command line, written back whole."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from lentigo.errors import RecipeError
from lentigo.image.torchvision import TorchvisionRanges
from lentigo.recipe import (
    Augmentation,
    Recipe,
    Stage,
    load_recipe,
    packaged_as,
    packaged_recipes,
    parse_recipe,
    to_toml,
)

SMALL = """
name = "small"
title = "A small one"
[network]
alpha = 0.35
[[stages]]
epochs = 2
"""


RANGES = TorchvisionRanges().model_dump()


@pytest.mark.parametrize("name", sorted(packaged_recipes()))
def test_every_packaged_recipe_reads_back_equal_to_what_it_writes(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert parse_recipe(to_toml(recipe), "written") == recipe
    assert recipe.command.startswith(f"lentigo train {name}")


def test_overrides_reach_into_tables_and_lists() -> None:
    recipe = parse_recipe(
        SMALL, "x", ["network.alpha=0.5", "stages.0.epochs=7", "head.kind=pool2x2-flatten"]
    )
    assert (recipe.network.alpha, recipe.stages[0].epochs) == (0.5, 7)
    assert recipe.head.kind == "pool2x2-flatten"


@pytest.mark.parametrize(
    "override", ["epochs", "stages.9.epochs=1", "stages.x=1", "=3", "name.x=1"]
)
def test_an_override_that_leads_nowhere_is_refused(override: str) -> None:
    with pytest.raises(RecipeError):
        parse_recipe(SMALL, "x", [override])


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("stages.0.learning_rate=1", 1.0),
        ("augmentation.zoom=[1, 2]", (1.0, 2.0)),
        ("head.hidden=[64, 32]", (64, 32)),
        ("loss.class_weights=[1, 2]", (1.0, 2.0)),
        ("augmentation.torchvision={scale = [1, 2]}", (1.0, 2.0)),
        ("head.single_logit=true", True),
        ("claims.accuracy=1", 1.0),
        ("output.views=4", 4),
    ],
)
def test_values_of_every_kind_are_taken_from_the_command_line(override: str, value: object) -> None:
    found: object = parse_recipe(SMALL, "x", [override]).model_dump()
    for part in override.partition("=")[0].split("."):
        found = found[int(part) if part.isdigit() else part]  # type: ignore[index]
    assert found == ({**RANGES, "scale": value} if "torchvision" in override else value)


@pytest.mark.parametrize(
    "override",
    [
        "stages.0.epochs=true",
        "stages.0.epochs='4'",
        "stages.0.epochs=4.0",
        "stages.0.epochs=99999999999999999999999",
        "stages.0.learning_rate='0.1'",
        "network.alpha=true",
        "head.single_logit=1",
        "head.hidden=['64']",
        "loss.class_weights=[1, true]",
        "claims.accuracy='0.9'",
        "output.views=true",
        "output.views=4.0",
        "augmentation.image_data_generator.rotation_range='10'",
        "augmentation.image_data_generator.horizontal_flip=1",
        "augmentation.torchvision.degrees=true",
        "augmentation.torchvision.brightness=[1, true]",
        "classic.features.histogram_bins=true",
        "classic.features.hu=1",
    ],
)
def test_a_value_of_another_kind_is_refused_by_its_key(override: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(override.partition("=")[0])):
        parse_recipe(SMALL, "x", [override])


def test_all_problems_of_a_recipe_are_named_at_once_with_their_lines() -> None:
    text = SMALL.replace("alpha = 0.35", 'alpha = -1\ncolour = "red"')
    with pytest.raises(RecipeError) as caught:
        parse_recipe(text, "bad.toml", ["stages.0.epochs=0"])
    message = str(caught.value)
    assert "network.alpha" in message
    assert "(line 5)" in message
    # What the command line says stands in no line of the file.
    assert message.count("(line ") == 2
    assert "network.colour" in message
    assert "stages.0.epochs" in message


def test_a_misspelt_key_is_the_only_problem_named() -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("lentigo-small", ["stages.0.epocs=3"])
    assert "stages.0.epocs: there is no such key" in caught.value.problem
    assert caught.value.problem.count("stages") == 1


def test_broken_toml_is_named_with_its_line() -> None:
    with pytest.raises(RecipeError, match="line 2"):
        parse_recipe("name = 'x'\nsize = = 3", "bad.toml")


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(RecipeError, match="lentigo-mobilenetv2"):
        load_recipe("no-such")


def test_prose_does_not_change_the_digest_and_every_number_does() -> None:
    recipe = parse_recipe(SMALL, "x")
    assert recipe.model_copy(update={"title": "other"}).digest == recipe.digest
    assert parse_recipe(SMALL, "x", ["head.dropout=0.21"]).digest != recipe.digest


def test_cached_views_need_a_frozen_backbone() -> None:
    with pytest.raises(ValueError, match="cached_views"):
        Stage(epochs=1, train="all", cached_views=2)


@given(
    dropout=st.floats(0, 0.99),
    zoom=st.tuples(st.floats(0.1, 1), st.floats(1, 3)),
    hidden=st.lists(st.integers(1, 4096), max_size=3),
    title=st.text(max_size=40),
)
@example(dropout=0.1, zoom=(1.0, 1.0), hidden=[], title='\x7f\x00"\\\n')
def test_any_recipe_survives_the_way_to_toml_and_back(
    dropout: float, zoom: tuple[float, float], hidden: list[int], title: str
) -> None:
    content = {
        "name": "any",
        "title": title,
        "head": {"dropout": dropout, "hidden": hidden},
        "augmentation": {"zoom": zoom},
        "stages": [{"epochs": 1}],
    }
    recipe = Recipe.model_validate(content)
    assert parse_recipe(to_toml(recipe), "written") == recipe


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixing_and_cached_features_exclude_each_other(name: str) -> None:
    stage = Stage(name="head", epochs=1, train="head", cached_views=2)
    mixing = Augmentation.model_validate({name: 0.2})
    with pytest.raises(ValidationError, match=f"{name} cannot mix the cached features"):
        Recipe(name="t", title="t", augmentation=mixing, stages=(stage,))
    with pytest.raises(ValidationError, match="exclude each other"):
        Augmentation(mixup=0.2, cutmix=0.2)


def test_a_recipe_keeps_its_digest_when_options_are_added() -> None:
    # Runs and results are called by it; this one is that of the first release.
    assert load_recipe("lentigo-mobilenetv2").digest.startswith("fa15225a1d0b135e")
    added = ("sampling.groups=0.5", "augmentation.cutmix=1.0", "stages.0.stem_rate=0.1")
    digests = {load_recipe("lentigo-mobilenetv2", [each]).digest for each in added}
    assert len(digests | {load_recipe("lentigo-mobilenetv2").digest}) == 4


def test_a_packaged_recipe_is_known_by_what_it_asks_for_and_not_by_its_name() -> None:
    own = load_recipe("lentigo-small", ["name=mine", "title=Mine", "network.weights=w.keras"])
    assert packaged_as(own) == "lentigo-small"
    taught = 'distillation={teachers=["RUN"],weight=0.6}'
    assert packaged_as(load_recipe("lentigo-small", [taught])) == "lentigo-small"
    assert packaged_as(load_recipe("lentigo-small", ["stages.0.epochs=99"])) is None
    assert packaged_as(load_recipe("lentigo-small", ["network.weights='none'"])) is None
