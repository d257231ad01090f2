"""What can be evaluated: a run, a bundle, or anything of this shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import InputError
from lentigo.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pandas as pd

    from lentigo.data.prepared import PreparedSet
    from lentigo.image.spec import PreprocessSpec

BATCH = 256
# Softmax of float32 logits sums to 1 within 1e-6; a sigmoid head or raw logits do not.
SUM_TOLERANCE = 1e-3


class PointLike(Protocol):
    """An operating point: called malignant when the probability is at least ``threshold``."""

    @property
    def name(self) -> str:
        """Such as ``sensitivity_0.90``."""

    @property
    def target_sensitivity(self) -> float:
        """The sensitivity that the threshold reached on validation."""

    @property
    def threshold(self) -> float:
        """On the sum of the malignant classes' calibrated probabilities, in [0, 1]."""


class Predictor(Protocol):
    """A classifier whose probabilities and thresholds are sealed."""

    @property
    def name(self) -> str:
        """What to call it."""

    @property
    def taxonomy(self) -> Taxonomy:
        """Its classes, in the order of its probabilities."""

    @property
    def spec(self) -> PreprocessSpec:
        """How the images it takes were preprocessed."""

    @property
    def operating_points(self) -> Sequence[PointLike]:
        """Thresholds fitted on validation; empty where there were none to fit."""

    def describe(self) -> dict[str, Any]:
        """What was trained on what: plain values for the report; ``history`` a list of rows."""

    def predict(self, images: NDArray[np.uint8]) -> NDArray[np.floating[Any]]:
        """Calibrated probabilities (N, k) of prepared images (N, S, S, 3) uint8 RGB."""


@runtime_checkable
class Watching(Protocol):
    """A predictor that can show what it looked at."""

    def attention(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Maps (N, h, w, k), or (N, h, w, 1) for all classes together, of prepared images."""

    def features(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Pooled features (N, C) of prepared images; None where it does not give them."""


@runtime_checkable
class Told(Protocol):
    """A predictor that may take metadata beside an image."""

    def predict_told(
        self, images: NDArray[np.uint8], table: pd.DataFrame
    ) -> NDArray[np.floating[Any]]:
        """Calibrated probabilities (N, k) of prepared images and their N rows of a manifest."""


def predict_rows(
    predictor: Predictor,
    prepared: PreparedSet,
    rows: NDArray[np.integer[Any]],
    *,
    batch: int = BATCH,
    progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float64]:
    """Probabilities (n, k) of some rows of a prepared set, read in batches.

    Args:
        predictor: What answers.
        prepared: Where the images are; only ``batch`` of them are in memory at a time.
        rows: (n,) row numbers.
        batch: Images a call.
        progress: Called with (done, all) after each batch.

    Raises:
        InputError: The set was preprocessed in another way than the predictor needs, or
            what came back are no probabilities.
    """
    check_spec(predictor, prepared)
    answers = np.empty((len(rows), len(predictor.taxonomy.codes)))
    for start in range(0, len(rows), batch):
        chosen = rows[start : start + batch]
        images = np.ascontiguousarray(prepared.images[chosen])
        answers[start : start + len(chosen)] = (
            predictor.predict_told(images, prepared.manifest.iloc[chosen])
            if isinstance(predictor, Told)
            else predictor.predict(images)
        )
        if progress is not None:
            progress(start + len(chosen), len(rows))
    _check_probabilities(predictor.name, answers)
    return answers


def check_spec(predictor: Predictor, prepared: PreparedSet) -> None:
    """Refuse a set that was not preprocessed as the predictor's training images were.

    Raises:
        InputError: Naming every setting that differs.
    """
    wanted, found = predictor.spec.model_dump(), prepared.spec.model_dump()
    different = sorted(
        key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key)
    )
    if different:
        lines = "; ".join(
            f"{key}: the model needs {wanted.get(key)}, the set has {found.get(key)}"
            for key in different
        )
        raise InputError(
            f"{prepared.path} was not preprocessed as {predictor.name} needs. {lines}.",
            todo="Prepare the images again with the model's settings (lentigo prepare ... --size).",
        )


def _check_probabilities(name: str, answers: NDArray[np.float64]) -> None:
    finite = np.isfinite(answers).all(axis=1)
    if not finite.all():
        raise InputError(f"{name} gave no finite probability for {int((~finite).sum())} images.")
    off = np.abs(answers.sum(axis=1) - 1) > SUM_TOLERANCE
    if off.any() or (answers < 0).any():
        raise InputError(
            f"{name} gave probabilities that do not sum to 1 for {int(off.sum())} images.",
            todo="A predictor must return calibrated probabilities, not logits.",
        )
