"""The same figures for parts of the images, and how they differ, from one set of draws.

All strata of an axis (age bands, sites, ...) are weighted by the same replicates of the
grouped bootstrap, so that a patient who appears in two of them moves both, and a difference
has the interval of a difference. Nothing is averaged over strata: each speaks for itself, and
one that is too small to speak says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lentigo.score.arrays import Floats, Integers, checked
from lentigo.score.bootstrap import REPLICATES, group_numbers, replicate_weights
from lentigo.score.estimate import Estimate, summarise
from lentigo.score.panel import Panel

MIN_GROUPS = 10
"""A figure is given where its denominator holds at least this many groups.

Where it holds ten, the 95% interval of a share of one half already spans 0.19 to 0.81.
"""

NOTHING = "no images: nothing is known"
_PROPORTIONS = frozenset({"accuracy", "sensitivity", "specificity"})


@dataclass(frozen=True)
class Counts:
    """What a stratum holds.

    Attributes:
        images: Images in it.
        groups: Groups (patients, else lesions) that they belong to.
        malignant_groups: Groups with a malignant image.
        benign_groups: Groups with an image that is not.
    """

    images: int
    groups: int
    malignant_groups: int
    benign_groups: int


@dataclass(frozen=True)
class Stratum:
    """The figures of one part of the images.

    Attributes:
        name: What the part is called.
        counts: What it holds.
        metrics: Figures by the keys of ``panel``; value None, with the reason, where the
            denominator is too small.
        differences: Each figure minus that of the axis' reference; empty in the reference.
        is_reference: Whether the others are compared with it.
    """

    name: str
    counts: Counts
    metrics: Mapping[str, Estimate]
    differences: Mapping[str, Estimate] = field(default_factory=dict)
    is_reference: bool = False

    @property
    def status(self) -> str:
        """``empty``, ``too small`` (not one figure can be given), or ``given``."""
        if self.counts.images == 0:
            return "empty"
        given = any(each.value is not None for each in self.metrics.values())
        return "given" if given else "too small"


@dataclass(frozen=True)
class Answers:
    """The predictions whose parts are compared; arguments as in ``Panel.of``.

    Attributes:
        labels: (n,) class indices.
        probability: (n, k) calibrated.
        codes: (k,) class codes.
        malignant: (k,) which of them are.
        thresholds: Of the malignant probability, by name.
        group_ids: (n,) the group of each image.
    """

    labels: Integers
    probability: Floats
    codes: Sequence[str]
    malignant: Sequence[bool]
    thresholds: Mapping[str, float]
    group_ids: NDArray[np.generic]


def keys_of(answers: Answers) -> tuple[str, ...]:
    """The figures that are given by stratum, in the panel's own names."""
    keys = ["balanced_accuracy", "accuracy"]
    if any(answers.malignant) and not all(answers.malignant):
        points = ["argmax", *answers.thresholds]
        keys += ["roc_auc.malignant"]
        keys += [f"{m}.malignant.{p}" for p in points for m in ("sensitivity", "specificity")]
    return tuple(keys)


def compare_strata(
    answers: Answers,
    strata: Mapping[str, ArrayLike],
    *,
    reference: str | None = None,
    minimum: int = MIN_GROUPS,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> list[Stratum]:
    """Figures of each stratum, and their differences to one of them.

    Args:
        answers: The predictions.
        strata: (n,) which images belong, by name; they may be empty and may overlap.
        reference: Whom to compare with; None is the one with the most groups, empty text nobody.
        minimum: Groups that a figure's denominator must hold to be given.
        replicates: Of the bootstrap.
        seed: Of the bootstrap; the same for every axis.

    Returns:
        One entry a stratum, in the order given.

    Raises:
        InputError: Shapes that do not fit.
    """
    labels, probability, _ = checked(answers.labels, answers.probability)
    keys = keys_of(answers)
    rows = {name: np.flatnonzero(np.asarray(mask)) for name, mask in strata.items()}
    counts = {name: _counts(answers, each) for name, each in rows.items()}
    if reference is None:
        reference = max(counts, key=lambda name: counts[name].groups, default=None)
    panels = {
        name: _Part.of(answers, labels, probability, each, keys)
        for name, each in rows.items()
        if len(each)
    }
    drawn = _drawn(panels, answers.group_ids, replicates, seed)
    present = {name: set(labels[each].tolist()) for name, each in rows.items()}
    found = []
    for name in strata:
        if name not in panels:
            empty = dict.fromkeys(keys, Estimate(None, None, None, 0, NOTHING))
            found.append(Stratum(name, counts[name], empty))
            continue
        pairs = {key: _denominator(key, counts[name]) for key in keys}
        metrics = {
            key: _estimate(key, panels[name].observed[i], drawn[name][i], *pairs[key], minimum)
            for i, key in enumerate(keys)
        }
        found.append(Stratum(name, counts[name], metrics, is_reference=name == reference))
    return _with_differences(found, {n: (p.observed, drawn[n]) for n, p in panels.items()}, present)


@dataclass(frozen=True)
class _Part:
    """The panel of one stratum's rows."""

    panel: Panel
    rows: Integers
    chosen: tuple[int, ...]
    observed: Floats

    @classmethod
    def of(
        cls,
        answers: Answers,
        labels: Integers,
        probability: Floats,
        rows: Integers,
        keys: Sequence[str],
    ) -> _Part:
        panel = Panel.of(
            labels[rows], probability[rows], answers.codes, answers.malignant, answers.thresholds
        )
        chosen = tuple(panel.keys.index(key) for key in keys)
        observed = panel.compute(np.ones((len(rows), 1)))[list(chosen), 0]
        return cls(panel, rows, chosen, observed)

    def compute(self, weights: Floats) -> Floats:
        """(keys, b) of weights (n, b) over all images; NaN where no image was drawn."""
        return self.panel.compute(weights[self.rows])[list(self.chosen)]


def _drawn(
    parts: Mapping[str, _Part], group_ids: NDArray[np.generic], replicates: int, seed: int
) -> dict[str, Floats]:
    """(keys, replicates) of each stratum, from the same draws."""
    blocks: dict[str, list[Floats]] = {name: [] for name in parts}
    if parts:
        for weights in replicate_weights(group_ids, replicates, seed):
            for name, part in parts.items():
                blocks[name].append(part.compute(weights))
    return {name: np.concatenate(each, axis=1) for name, each in blocks.items()}


def _counts(answers: Answers, rows: Integers) -> Counts:
    malignant = np.asarray(answers.malignant, dtype=bool)[answers.labels[rows]]
    numbers, groups = group_numbers(np.asarray(answers.group_ids)[rows])
    return Counts(
        images=len(rows),
        groups=groups,
        malignant_groups=len(np.unique(numbers[malignant])),
        benign_groups=len(np.unique(numbers[~malignant])),
    )


def _denominator(key: str, counts: Counts) -> tuple[int, str]:
    """Groups in a figure's denominator, and what they are called."""
    metric = key.split(".", maxsplit=1)[0]
    if metric == "sensitivity":
        return counts.malignant_groups, "malignant groups"
    if metric == "specificity":
        return counts.benign_groups, "benign groups"
    if metric == "roc_auc":
        scarce = "malignant" if counts.malignant_groups <= counts.benign_groups else "benign"
        return min(counts.malignant_groups, counts.benign_groups), f"{scarce} groups"
    return counts.groups, "groups"


def _estimate(
    key: str, value: float, replicates: Floats, n_groups: int, what: str, minimum: int
) -> Estimate:
    if n_groups < minimum:
        reason = f"too small: {n_groups} {what}, {minimum} are wanted"
        return Estimate(None, None, None, n_groups, reason)
    if not _is_share(key) and _unmoved(float(value), replicates):
        # All right, or all wrong, in every draw: resampling cannot show how sure that is.
        return Estimate(float(value), None, None, n_groups, "no interval: no draw moves it")
    return summarise(float(value), replicates, n_groups, proportion=_is_share(key))


def _is_share(key: str) -> bool:
    return key.split(".", maxsplit=1)[0] in _PROPORTIONS


def _unmoved(value: float, replicates: Floats) -> bool:
    defined = replicates[np.isfinite(replicates)]
    return bool(len(defined)) and bool((np.abs(defined - value) < 1e-12).all())


def _with_differences(
    strata: Sequence[Stratum],
    values: Mapping[str, tuple[Floats, Floats]],
    present: Mapping[str, set[int]],
) -> list[Stratum]:
    """The strata with each figure's difference to the reference's."""
    base = next((each for each in strata if each.is_reference), None)
    if base is None:
        return list(strata)
    found = []
    for each in strata:
        differences = {}
        if each.name != base.name and each.counts.images:
            same = present[each.name] == present[base.name]
            for i, key in enumerate(each.metrics):
                pair = [values[name] for name in (each.name, base.name)]
                differences[key] = _difference(
                    (each.metrics[key], base.metrics[key]),
                    float(pair[0][0][i] - pair[1][0][i]),
                    pair[0][1][i] - pair[1][1][i],
                    comparable=same or key != "balanced_accuracy",
                )
        found.append(Stratum(each.name, each.counts, each.metrics, differences, each.is_reference))
    return found


def _difference(
    pair: tuple[Estimate, Estimate], value: float, replicates: Floats, *, comparable: bool
) -> Estimate:
    n_groups = min(each.n_groups for each in pair)
    lacking = next((each for each in pair if each.value is None), None)
    if lacking is not None:
        return Estimate(None, None, None, n_groups, lacking.reason)
    if not comparable:
        reason = "no comparison: the two do not hold the same classes"
        return Estimate(None, None, None, n_groups, reason)
    if any(each.value in {0.0, 1.0} for each in pair):
        return _newcombe(*pair, n_groups)
    return summarise(value, replicates, n_groups)


def _newcombe(own: Estimate, base: Estimate, n_groups: int) -> Estimate:
    """The difference of two figures from their intervals, where one lies at 0 or 1.

    Resampling never moves such a figure, so replicates of the difference would hide its
    uncertainty (Newcombe 1998, method 10; here with the intervals that were given).
    """
    assert own.value is not None
    assert base.value is not None
    value = own.value - base.value
    ends = (own.low, own.high, base.low, base.high)
    if any(end is None for end in ends):
        return Estimate(value, None, None, n_groups, "no interval: one of the two has none")
    own_low, own_high, base_low, base_high = (float(end) for end in ends if end is not None)
    low = value - np.hypot(own.value - own_low, base_high - base.value)
    high = value + np.hypot(own_high - own.value, base.value - base_low)
    reason = "from the two intervals (Newcombe 1998)"
    return Estimate(value, float(low), float(high), n_groups, reason)
