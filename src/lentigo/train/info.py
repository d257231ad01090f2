"""What a finished run says of itself, and the name of its folder."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import keras
import numpy as np
from pydantic import BaseModel, ConfigDict

from lentigo.files import digest_file, digest_json
from lentigo.image import PreprocessSpec
from lentigo.recipe import Recipe, Soup
from lentigo.taxonomy import Taxonomy
from lentigo.train.second_input import SecondInput

SCHEMA_VERSION = 1


class Ingredient(BaseModel):
    """A run whose weights went into another, and the digest of its model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    sha256: str


class RunInfo(BaseModel):
    """What ``run.json`` holds; it is written last, so a run that has it is finished.

    ``half_speed`` is the speed of matrix products in the recipe's half precision where it was
    trained, as a multiple of float32's. ``made_of`` are the runs that it is the mean of,
    ``first_stages`` is the one that went through its first stages, where it went on from there.
    ``metadata`` is what the network takes beside an image.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    kind: Literal["network", "classic"] = "network"
    name: str
    recipe: str
    recipe_digest: str
    seed: int
    fold: int | None
    protocol: str
    leaky: bool
    source: str
    prepared_path: str
    prepared_digest: str
    test_digest: str
    taxonomy: Taxonomy
    spec: PreprocessSpec
    training_images: int
    validation_images: int
    parameters: int
    weights_sha256: str | None
    made_of: tuple[Ingredient, ...] = ()
    first_stages: Ingredient | None = None
    best_epoch: int
    seconds: float
    epoch_seconds: tuple[float, ...] = ()
    half_speed: float | None = None
    metadata: SecondInput | None = None
    environment: dict[str, str]
    finished: Literal[True] = True


def environment() -> dict[str, str]:
    """Versions and machine that a figure depends on."""
    return {
        "lentigo": version("lentigo"),
        "python": platform.python_version(),
        "keras": keras.version(),
        "backend": keras.backend.backend(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "system": platform.system(),
        "devices": ", ".join(keras.distribution.list_devices()),
    }


def run_name(
    recipe: Recipe, weights_sha256: str | None, data_digest: str, fold: int | None, seed: int
) -> str:
    """The folder's name: recipe, digest of recipe and data, fold, seed.

    A weights file counts by its content, not by its path, and so do teachers and what is averaged.
    """
    if weights_sha256 is not None:
        network = recipe.network.model_copy(update={"weights": weights_sha256})
        recipe = recipe.model_copy(update={"network": network})
    if recipe.distillation is not None:
        teachers = tuple(digest_file(Path(each)) for each in recipe.distillation.teachers)
        named = recipe.distillation.model_copy(update={"teachers": teachers})
        recipe = recipe.model_copy(update={"distillation": named})
    if recipe.soup is not None:
        models = tuple(digest_file(Path(each)) for each in recipe.soup.runs)
        recipe = recipe.model_copy(update={"soup": Soup(runs=models)})
    digest = digest_json([recipe.digest, data_digest])[:10]
    part = "official" if fold is None else f"fold{fold}"
    return f"{recipe.name}-{digest}-{part}-seed{seed}"
