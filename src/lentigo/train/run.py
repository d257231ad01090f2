"""The run: the value that opens its folder."""

from __future__ import annotations

import csv
from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from lentigo.data.metadata import nothing_known, vectors
from lentigo.data.prepared import open_prepared
from lentigo.errors import InputError, RunError, listed
from lentigo.files import read_json
from lentigo.image import PreprocessSpec
from lentigo.image.handcrafted import Descriptors, describe_batch
from lentigo.model import Seen, Sight, Watcher
from lentigo.outside import problems
from lentigo.recipe import Recipe, load_recipe, packaged_as
from lentigo.score.calibration import softmax
from lentigo.score.operating import OperatingPoint
from lentigo.taxonomy import Taxonomy
from lentigo.train.classic import describe_machine
from lentigo.train.earlier import find_model
from lentigo.train.feeding import predict_rows
from lentigo.train.info import SCHEMA_VERSION, RunInfo
from lentigo.train.machine import Machine
from lentigo.train.seal import Calibration
from lentigo.train.state import HistoryRow

MODEL = "model.keras"
MACHINE = "model.npz"
SIGHT = "sight.json"
_BATCH = 64


class Run(ABC):
    """A finished run, of a network or a classic model; an ``lentigo.evaluate.Predictor``.

    Attributes:
        path: The folder.
        info: What was trained on what.
        calibration: Temperature and operating points, sealed when training ended.
        row_name: What a row of its history is.
    """

    row_name = "epoch"

    def __init__(self, path: Path, info: RunInfo, calibration: Calibration) -> None:
        self.path, self.info, self.calibration = path, info, calibration

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.info.name

    @property
    def taxonomy(self) -> Taxonomy:
        """Classes in the order of the logits."""
        return self.info.taxonomy

    @property
    def spec(self) -> PreprocessSpec:
        """How the training images were preprocessed."""
        return self.info.spec

    @property
    def temperature(self) -> float:
        """Fitted on validation."""
        return self.calibration.temperature

    @property
    def operating_points(self) -> tuple[OperatingPoint, ...]:
        """Thresholds on the malignant probability, fitted on validation."""
        return self.calibration.operating_points

    @abstractmethod
    def predict_logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (N, k) of prepared ``images`` (N, S, S, 3) uint8."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.floating[Any]]:
        """Calibrated probabilities (N, k) of prepared ``images`` (N, S, S, 3) uint8."""
        return softmax(self.predict_logits(images), self.temperature)

    def history(self) -> list[HistoryRow]:
        """A row an epoch, or a point of the grid of a classic model."""
        with (self.path / "history.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        return [{key: _number(value) for key, value in row.items()} for row in rows]

    def recipe(self) -> Recipe:
        """The resolved recipe."""
        return load_recipe(str(self.path / "recipe.toml"))

    def describe(self) -> dict[str, Any]:
        """What a report says about this run."""
        described = self.info.model_dump(mode="json", exclude={"taxonomy", "schema_version"})
        recipe = self.recipe()
        return {**described, "kind": "run", "temperature": self.temperature, "keep": recipe.keep,
                "packaged_as": packaged_as(recipe) or "", "caution": recipe.caution}  # fmt: skip


class NetworkRun(Run):
    """A run of a network; it can also show what it looked at."""

    @cached_property
    def model(self) -> keras.Model:
        """The best epoch's model: RGB in [0, 255] (B, S, S, 3) to logits (B, k).

        Where the run has metadata, it takes a list of both.
        """
        path = self.path / MODEL
        try:
            return keras.saving.load_model(path, compile=False)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).partition("\n")[0]
            raise RunError(f"{path} is damaged: {reason}", todo="Train anew.") from None

    def predict_logits(
        self, images: NDArray[np.uint8], table: pd.DataFrame | None = None
    ) -> NDArray[np.float32]:
        """Logits (N, k) of prepared ``images`` (N, S, S, 3) uint8.

        ``table`` is their N rows of a manifest, for a network that takes metadata; without it
        the network answers as if nothing were known.
        """
        told = None
        if (second := self.info.metadata) is not None:
            alone = np.tile(nothing_known(second.columns), (len(images), 1))
            told = alone if table is None else vectors(table, second.columns)
        return predict_rows(self.model, images, np.arange(len(images)), metadata=told)

    def predict_told(
        self, images: NDArray[np.uint8], table: pd.DataFrame
    ) -> NDArray[np.floating[Any]]:
        """Calibrated probabilities (N, k) of ``images`` and of what their manifest tells."""
        if self.info.metadata is None:
            return self.predict(images)
        return softmax(self.predict_logits(images, table), self.temperature)

    @property
    def sight(self) -> Sight | None:
        """How far off its maps are, which they make up for; None where nobody measured it."""
        path = self.path / SIGHT
        return Sight(**read_json(path)) if path.is_file() else None

    @cached_property
    def _watcher(self) -> Watcher:
        return Watcher(self.model, self.sight)

    def see(self, images: NDArray[np.uint8]) -> Seen:
        """Logits (N, k), attention maps and pooled features of prepared ``images`` alone."""
        pieces = [
            self._watcher.see(images[start : start + _BATCH])
            for start in range(0, len(images), _BATCH)
        ]
        return Seen(
            np.concatenate([each.logits for each in pieces]),
            np.concatenate([each.maps for each in pieces]),
            tuple(np.concatenate(level) for level in zip(*(p.levels for p in pieces), strict=True)),
        )

    def attention(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Maps (N, h, w, k) of what spoke for each class in ``images`` (N, S, S, 3) uint8."""
        return np.asarray(self.see(images).maps)

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Pooled features (N, C) of ``images`` (N, S, S, 3) uint8."""
        return np.asarray(self.see(images).features)

    def describe(self) -> dict[str, Any]:
        """What a report says about this run."""
        network = self.recipe().network
        told: dict[str, Any] = {
            "network": network.model_dump(mode="json"),
            "history": self.history(),
        }
        if (began := _earlier(network.weights, self.path, self.info.weights_sha256)) is not None:
            told["began_from"] = began
        if (distillation := self.recipe().distillation) is not None:
            taught = [_earlier(each, self.path) for each in distillation.teachers]
            told["taught_by"] = [each for each in taught if each is not None]
        if (soup := self.recipe().soup) is not None:
            mixed = [_earlier(each, self.path) for each in soup.runs]
            told["mean_of"] = [each for each in mixed if each is not None]
        return super().describe() | told


class ClassicRun(Run):
    """A run of a support vector machine on hand-crafted features."""

    row_name = "point of the grid"

    @cached_property
    def machine(self) -> Machine:
        """What answers."""
        return Machine.load(self.path / MACHINE)

    def predict_logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits (N, k) of prepared ``images`` (N, S, S, 3) uint8."""
        return self.machine.logits(describe_batch(images, self._descriptors))

    @cached_property
    def _descriptors(self) -> Descriptors:
        classic = self.recipe().classic
        if classic is None:
            raise RunError(f"{self.path} was changed after training: no [classic] in its recipe.")
        return classic.features

    def describe(self) -> dict[str, Any]:
        """What a report says about this run; its grid stands in ``history.csv``."""
        facts = dict(describe_machine(self.machine, self.history()[self.info.best_epoch - 1]))
        return super().describe() | {"network": facts}


def _earlier(named: str, run: Path, sha256: str | None = None) -> dict[str, Any] | None:
    """What is known of the run whose model this is; None where it is no run's model."""
    if not named.endswith(".keras"):
        return None
    model = find_model(named, run, sha256)
    try:
        first = open_run(model.parent if model else named)  # which is a file and so no run
    except RunError:
        return {"name": Path(named).parent.name}
    told = ("name", "recipe", "recipe_digest", "source", "prepared_digest", "training_images",
            "validation_images", "seed", "fold", "protocol", "leaky")  # fmt: skip
    found = {key: getattr(first.info, key) for key in told}
    recipe = first.recipe()
    found |= {"size": first.spec.size, "packaged_as": packaged_as(recipe) or ""}
    return {**found, "keep": recipe.keep, **_met_groups(first)}


def _met_groups(run: Run) -> dict[str, int]:
    """How many groups (lesions, patients) it was trained on, where its set is still at hand."""
    try:
        data = open_prepared(run.info.prepared_path)
    except InputError:
        return {}
    if data.digest != run.info.prepared_digest:
        return {}
    rows = data.rows("train", run.info.fold)
    return {"training_groups": int(data.manifest["group_id"].iloc[rows].nunique())}


def _number(text: str) -> float | int | str:
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text


def open_run(path: Path | str) -> Run:
    """Open a finished run.

    Raises:
        RunError: No run, an unfinished one, or one of a newer lentigo.
    """
    path = Path(path)
    if not (path / "run.json").is_file():
        unfinished = (path / "recipe.toml").is_file()
        raise RunError(
            f"{path} is {'an unfinished run' if unfinished else 'not a run'}.",
            todo="Type its `lentigo train` command again: it goes on from the last epoch."
            if unfinished
            else "A run is the folder that `lentigo train` prints.",
        )
    content = read_json(path / "run.json")
    if isinstance(content, dict) and content.get("schema_version", 0) > SCHEMA_VERSION:
        raise RunError(f"{path} was made by a newer lentigo.", todo="Upgrade lentigo.")
    try:
        info = RunInfo.model_validate(content)
        calibration = Calibration.model_validate(read_json(path / "calibration.json"))
    except ValidationError as error:
        raise RunError(
            f"{path} was changed after training:\n{listed(problems(error, 'run'))}"
        ) from None
    kinds = {"network": NetworkRun, "classic": ClassicRun}
    return kinds[info.kind](path, info, calibration)


def open_network(path: Path | str, purpose: str) -> NetworkRun:
    """Open a finished run of a network.

    Args:
        path: Its folder.
        purpose: What only a network can do, to say so.

    Raises:
        RunError: As `open_run`; or the run is not a network's.
    """
    return need_network(open_run(path), purpose)


def need_network(run: Run, purpose: str) -> NetworkRun:
    """The run, if it is a network's.

    Raises:
        RunError: It is not.
    """
    if isinstance(run, NetworkRun):
        return run
    raise RunError(
        f"{run.path} is a support vector machine on hand-crafted features: {purpose}.",
        todo="It can be evaluated and compared; for a device, train a network.",
    )
