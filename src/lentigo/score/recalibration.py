"""What dividing the logits by a temperature changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lentigo.score.arrays import Floats, Integers, checked, predicted
from lentigo.score.bootstrap import REPLICATES, group_numbers, grouped_bootstrap
from lentigo.score.calibration import BINS, confidence_bin, softmax, squared_errors
from lentigo.score.estimate import Estimate, summarise


@dataclass(frozen=True)
class Change:
    """A figure before and after, and after less before on the same replicates."""

    before: Estimate
    after: Estimate
    change: Estimate

    def to_dict(self) -> dict[str, Any]:
        """The three estimates."""
        return {
            "before": self.before.to_dict(),
            "after": self.after.to_dict(),
            "change": self.change.to_dict(),
        }


@dataclass(frozen=True)
class Recalibration:
    """Calibration before and after a temperature.

    Attributes:
        probability: (n, k) before it.
        expected_calibration_error: In [0, 1].
        brier_score: In [0, 2].
    """

    probability: Floats
    expected_calibration_error: Change
    brier_score: Change


def without_temperature(probability: ArrayLike, temperature: float) -> Floats:
    """Probabilities (n, k) as they were before logits were divided by ``temperature``.

    The softmax's logarithm is the scaled logits up to a constant a row, which the softmax
    forgets, so nothing but the probabilities is needed. Those below 1e-300 stay there.
    """
    scores = np.log(np.maximum(np.asarray(probability, dtype=np.float64), 1e-300))
    return softmax(scores, 1 / temperature)


def recalibration(
    labels: ArrayLike,
    probability: ArrayLike,
    temperature: float,
    group_ids: NDArray[Any],
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Recalibration:
    """Calibration error and Brier score before and after, with paired grouped bootstrap.

    Args:
        labels: (n,) class indices.
        probability: (n, k) after the temperature.
        temperature: That of the model, above 0.
        group_ids: (n,) the group of each image.
        replicates: Of the bootstrap.
        seed: Of the bootstrap.
    """
    truth, after, _ = checked(labels, probability)
    earlier = without_temperature(after, temperature)
    rows = np.concatenate([_sums(truth, earlier), _sums(truth, after)])

    def score(weights: Floats) -> Floats:
        sums = (rows @ weights.astype(np.float64)) / weights.sum(axis=0)
        errors = [np.abs(each[:BINS]).sum(axis=0) for each in np.split(sums, 2)]
        return np.stack([*errors, *(each[BINS] for each in np.split(sums, 2))])

    seen = score(np.ones((len(truth), 1)))[:, 0]
    drawn = grouped_bootstrap(score, group_ids, replicates=replicates, seed=seed)
    _, groups = group_numbers(group_ids)

    def change(first: int) -> Change:
        before, after = (summarise(float(seen[i]), drawn[i], groups) for i in (first, first + 1))
        gap = float(seen[first + 1] - seen[first])
        return Change(before, after, summarise(gap, drawn[first + 1] - drawn[first], groups))

    return Recalibration(earlier, change(0), change(2))


def _sums(truth: Integers, probability: Floats) -> Floats:
    """Rows (bins + 1, n): right less confidence in each bin, then the squared error."""
    confidence = probability.max(axis=1)
    gap = np.zeros((BINS + 1, len(truth)))
    columns = np.arange(len(truth))
    gap[confidence_bin(confidence), columns] = (predicted(probability) == truth) - confidence
    gap[BINS] = squared_errors(truth, probability)
    return gap
