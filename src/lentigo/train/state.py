"""The checkpoint: one file, replaced whole, from which an epoch repeats to the last bit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from lentigo.errors import RunError
from lentigo.files import atomic_path
from lentigo.train.info import Ingredient
from lentigo.train.sampling import DROPOUT

HistoryRow = dict[str, float | int | str]


class Standing(BaseModel):
    """Where a training stands between two epochs.

    Attributes:
        stage: Index of the stage that goes on next.
        stage_epoch: Epochs done in it.
        epoch: Epochs done in all.
        best: Best selection score so far (higher is better), with its epoch.
        stage_best: The same within the stage, for plateau and early stopping.
        stale_rate: Epochs since the last better score or cut of the rate.
        stale_stop: Epochs since the last better score.
        rate_factor: What the plateau schedule has made of the stage's rate.
        seconds: Spent in epochs so far, over all sittings.
        epoch_seconds: Spent in each.
        backend: Keras's backend that it began on.
        history: A row an epoch.
        first_stages: The run that went through the first of them, if another did.
    """

    model_config = ConfigDict(extra="forbid")

    stage: int = 0
    stage_epoch: int = 0
    epoch: int = 0
    best: float | None = None
    best_epoch: int = 0
    stage_best: float | None = None
    stale_rate: int = 0
    stale_stop: int = 0
    rate_factor: float = 1.0
    seconds: float = 0.0
    epoch_seconds: list[float] = []
    backend: str = ""
    history: list[HistoryRow] = []
    first_stages: Ingredient | None = None


def rekey_seeds(model: keras.Model, *, seed: int, epoch: int) -> None:
    """Set every seed generator of ``model`` to a function of (seed, epoch, its place)."""
    generators = [v for v in model.variables if v.path.endswith("seed_generator_state")]
    for place, variable in enumerate(generators):
        words = np.random.SeedSequence((seed, epoch, DROPOUT, place)).generate_state(2)
        variable.assign(words.astype(np.uint32))


def values_of(variables: Sequence[keras.Variable]) -> list[NDArray[Any]]:
    """The variables' values as arrays."""
    return [np.asarray(keras.ops.convert_to_numpy(v)) for v in variables]


def fits(variables: Sequence[keras.Variable], values: Sequence[NDArray[Any]]) -> bool:
    """Whether there are as many values as variables, of their shapes."""
    return [tuple(v.shape) for v in variables] == [value.shape for value in values]


def assign(variables: Sequence[keras.Variable], values: Sequence[NDArray[Any]]) -> None:
    """Set the variables.

    Raises:
        RunError: Another number or shape of values than the variables have.
    """
    if not fits(variables, values):
        raise RunError(
            "A checkpoint does not fit the model of its recipe.",
            todo="It was written by another version: train anew with --restart.",
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def save_checkpoint(
    path: Path,
    standing: Standing,
    model: Sequence[keras.Variable],
    optimizer: Sequence[keras.Variable],
) -> None:
    """Replace the checkpoint at ``path`` (.npz)."""
    arrays: dict[str, Any] = {f"model_{i}": v for i, v in enumerate(values_of(model))}
    arrays |= {f"optimizer_{i}": v for i, v in enumerate(values_of(optimizer))}
    text = np.frombuffer(standing.model_dump_json().encode(), np.uint8)
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, standing=text, **arrays)


def load_checkpoint(path: Path) -> tuple[Standing, list[NDArray[Any]], list[NDArray[Any]]]:
    """The standing, the model's values and the optimiser's.

    Raises:
        RunError: The file is damaged.
    """
    try:
        with path.open("rb") as stream, np.load(stream) as stored:
            standing = Standing.model_validate(json.loads(stored["standing"].tobytes()))
            model = _numbered(stored, "model_")
            optimizer = _numbered(stored, "optimizer_")
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise RunError(
            f"The checkpoint {path} is damaged: {error}", todo="Train anew with --restart."
        ) from None
    return standing, model, optimizer


def _numbered(stored: Any, prefix: str) -> list[NDArray[Any]]:
    count = sum(name.startswith(prefix) for name in stored.files)
    return [stored[f"{prefix}{i}"] for i in range(count)]
