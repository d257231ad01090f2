"""A figure with its uncertainty."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
# How a reason begins that says why there is no interval.
NONE = "no interval: "
# An interval from replicates of which more than a tenth are undefined would describe
# only the lucky ones.
DEFINED_SHARE = 0.9
# Below so many groups a percentile interval covers far less than it says (Efron and Tibshirani
# 1993, ch. 14); Wilson's holds its level from five trials on (Brown, Cai and DasGupta 2001).
FEW_GROUPS = 10
_Z = 1.959963984540054
# Sums of the same numbers in another order, or in float32, are not the same to the last digit.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Estimate:
    """A value, its 95% interval, and how many independent groups it rests on.

    Attributes:
        value: The figure on the images as they are; None where it is undefined.
        low: Lower end of the interval; None where there is none.
        high: Upper end.
        n_groups: Groups (patients, else lesions) in the figure's denominator.
        reason: Why something is None, or how the interval was made if not by bootstrap.
    """

    value: float | None
    low: float | None
    high: float | None
    n_groups: int
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """``value, low, high, n_groups`` and, where there is one, ``reason``; never NaN."""
        fields: dict[str, Any] = {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n_groups": self.n_groups,
        }
        if self.reason is not None:
            fields["reason"] = self.reason
        return fields


def summarise(
    value: float,
    replicates: NDArray[np.floating[Any]],
    n_groups: int,
    *,
    proportion: bool = False,
    bounded: bool = False,
    scarce: int | None = None,
    reason: str | None = None,
) -> Estimate:
    """An estimate from an observed value and its bootstrap replicates.

    The interval is the percentile interval. Where that would mislead there is another or none:

    - A proportion that no replicate moves from 0 or 1 gets the exact binomial bound for
      ``n_groups`` trials (Clopper and Pearson 1934), because resampling cannot show an error
      that was never seen.
    - A proportion of fewer than ``FEW_GROUPS`` groups gets Wilson's interval (1927), groups
      being the trials.
    - Any other figure at 0 or 1 that no replicate moves gets none.
    - Any other figure of a single group gets none: every draw is that group again.
    - Any other figure that rests on fewer than ``FEW_GROUPS`` groups where it is scarcest keeps
      the percentile interval, and says that it is a rough guide.
    - An interval that misses its figure, as that of a calibration error may, says so.

    Args:
        value: The observed figure; NaN where undefined.
        replicates: (r,) the figure in each replicate; NaN where undefined.
        n_groups: Groups in its denominator.
        proportion: Whether the figure is a share in [0, 1] of independent trials.
        bounded: Whether it lies in [0, 1] for other reasons, as a ROC area does.
        scarce: Groups of the kind that it turns on, at most ``n_groups``: a ROC area of 500
            groups with three melanomas turns on three, and so does a mean over the classes;
            ``n_groups`` where none is given.
        reason: What to say about the figure, e.g. why it is undefined.
    """
    if not math.isfinite(value):
        return Estimate(None, None, None, n_groups, reason or "undefined on these images")
    value = float(value)
    defined = replicates[np.isfinite(replicates)]
    if proportion and n_groups > 0 and value in {0.0, 1.0}:
        slack = 1 - ((1 - LEVEL) / 2) ** (1 / n_groups)
        low, high = (1 - slack, 1.0) if value else (0.0, slack)
        return Estimate(value, low, high, n_groups, reason or "exact binomial bound for the groups")
    if proportion and 0 < n_groups < FEW_GROUPS:
        low, high = wilson(value, n_groups)
        text = f"Wilson's interval: {n_groups} group(s) are too few for the bootstrap"
        return Estimate(value, low, high, n_groups, reason or text)
    if len(replicates) == 0 or len(defined) < DEFINED_SHARE * len(replicates):
        missing = len(replicates) - len(defined)
        text = f"{NONE}undefined in {missing} of {len(replicates)} replicates"
        return Estimate(value, None, None, n_groups, reason or text)
    if n_groups == 1 or (bounded and value in {0.0, 1.0} and (defined == value).all()):
        blind = "no draw moves it, so resampling cannot tell how sure it is"
        text = f"{NONE}{'there is one group' if n_groups == 1 else blind}"
        return Estimate(value, None, None, n_groups, reason or text)
    scarce = n_groups if scarce is None else scarce
    if scarce < FEW_GROUPS:
        text = f"rests on {scarce} group(s) where it is scarcest: the interval is a rough guide"
        reason = reason or text
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    if not low - _ROUNDING <= value <= high + _ROUNDING:
        reason = reason or "the interval lies beside the figure: drawing groups again shifts it"
    return Estimate(value, float(low), float(high), n_groups, reason)


def wilson(share: float, trials: int) -> tuple[float, float]:
    """95% interval of a share by Wilson's score method (Wilson 1927).

    Args:
        share: In [0, 1].
        trials: At least 1.
    """
    centre = share + _Z**2 / (2 * trials)
    spread = _Z * math.sqrt(share * (1 - share) / trials + _Z**2 / (4 * trials**2))
    scale = 1 + _Z**2 / trials
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
