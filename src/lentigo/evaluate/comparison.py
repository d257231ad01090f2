"""Several models on the same test images: which is better, and could it be chance?

It reads what ``evaluate`` wrote, so comparing is no further look at a test list.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lentigo.errors import InputError, listed
from lentigo.evaluate.sides import Side
from lentigo.score.arrays import Floats
from lentigo.score.bootstrap import REPLICATES, group_numbers, grouped_bootstrap
from lentigo.score.estimate import Estimate, summarise
from lentigo.score.paired import delong, holm, mcnemar
from lentigo.score.panel import Panel
from lentigo.score.trainings import groups_of_mean, mean_estimates, scarce_groups

DEFAULT_METRICS = ("balanced_accuracy", "accuracy", "roc_auc.macro", "roc_auc.malignant")
# Below: the smaller the better.
_LOSSES = frozenset({"expected_calibration_error", "brier_score"})
_LEVEL = 0.05


@dataclass(frozen=True)
class Difference:
    """One metric of two models on the same images.

    Attributes:
        metric: A key of ``lentigo.score.panel``.
        first: The better-named side of ``value``: first minus second.
        second: The other.
        estimate: First minus second, with its interval by paired grouped bootstrap.
        test: What the p-value comes from: ``DeLong``, ``McNemar`` or ``bootstrap``.
        p_value: Two-sided, as it is.
        p_corrected: Corrected for all tests of this comparison (Holm 1979).
    """

    metric: str
    first: str
    second: str
    estimate: Estimate
    test: str
    p_value: float
    p_corrected: float

    @property
    def sentence(self) -> str:
        """What the difference says, in words."""
        e, name = self.estimate, self.metric
        if e.value is None or e.low is None or e.high is None:
            return f"{name}: {self.first} and {self.second} cannot be compared ({e.reason})."
        span = f"{e.value:+z.3f} (95% interval of the difference {e.low:+z.3f} to {e.high:+z.3f})"
        chance = f"{self.test}, p {_p(self.p_value)}, corrected {_p(self.p_corrected)}"
        higher = (e.value > 0) != (name in _LOSSES)
        better, worse = (self.first, self.second) if higher else (self.second, self.first)
        if self.p_corrected < _LEVEL and (e.low > 0 or e.high < 0):
            low, high = sorted((abs(e.low), abs(e.high)))
            by = f"{abs(e.value):z.3f} (95% interval {low:z.3f} to {high:z.3f})"
            return f"{name}: {better} is better than {worse} by {by}; {chance}."
        return f"{name}: {self.first} and {self.second} cannot be told apart, {span}; {chance}."

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "metric": self.metric,
            "first": self.first,
            "second": self.second,
            "difference": self.estimate.to_dict(),
            "test": self.test,
            "p_value": self.p_value,
            "p_corrected": self.p_corrected,
            "sentence": self.sentence,
        }


@dataclass(frozen=True)
class Family:
    """Runs of one recipe on one data set that differ in seed or fold only.

    Attributes:
        recipe: Name of the recipe.
        runs: Names of the runs.
        metric: A key of ``lentigo.score.panel``.
        mean: Mean over the runs, with the interval that other test images would give it.
        between_runs: Standard deviation from run to run on these very images: what seed and
            fold do.
        test_noise: Standard deviation of the mean under resampling of the test groups.
    """

    recipe: str
    runs: tuple[str, ...]
    metric: str
    mean: Estimate
    between_runs: float
    test_noise: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "recipe": self.recipe,
            "runs": list(self.runs),
            "metric": self.metric,
            "mean": self.mean.to_dict(),
            "between_runs": self.between_runs,
            "test_noise": self.test_noise,
        }


@dataclass(frozen=True)
class Comparison:
    """All pairs of models in all metrics.

    Attributes:
        images: How many images all of them answered.
        groups: How many groups those belong to.
        replicates: Of the bootstrap.
        scores: Each model's figures: name to metric to estimate.
        differences: Pair by pair, metric by metric.
        families: Models that differ in seed or fold only, where there are any.
        leaky: Names of the models whose training saw what these images show.
        cautions: What else a reader must know: each sentence, and the names of its models.
    """

    images: int
    groups: int
    replicates: int
    scores: dict[str, dict[str, Estimate]]
    differences: tuple[Difference, ...]
    families: tuple[Family, ...]
    leaky: tuple[str, ...] = ()
    cautions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "images": self.images,
            "groups": self.groups,
            "replicates": self.replicates,
            "scores": {
                name: {metric: each.to_dict() for metric, each in figures.items()}
                for name, figures in self.scores.items()
            },
            "differences": [each.to_dict() for each in self.differences],
            "families": [each.to_dict() for each in self.families],
            "leaky": list(self.leaky),
            "cautions": {told: list(names) for told, names in self.cautions.items()},
        }


def compare(
    sides: Sequence[Side],
    metrics: Sequence[str] | None = None,
    *,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Comparison:
    """Compare models that answered the same images.

    The groups are resampled for all sides together, so that what is hard for all of them
    cancels. ROC areas are tested by DeLong 1988, accuracy by McNemar 1947, everything else by
    the bootstrap's own share of replicates on the other side of 0.

    Args:
        sides: Two or more, from ``read_sides``.
        metrics: Keys of ``lentigo.score.panel``; None are the headline figures that exist. At
            an operating point each model is asked with its own sealed threshold.
        replicates: Of the bootstrap.
        seed: Of the bootstrap.

    Raises:
        InputError: One side only, or a metric that a side does not have.
    """
    if len(sides) < 2:
        raise InputError("A comparison needs two models.", todo="Name another run or bundle.")
    panels = [each.panel for each in sides]
    keys = _keys(sides, panels, metrics)
    rows = [[panel.keys.index(key) for key in keys] for panel in panels]

    def all_sides(weights: Floats) -> Floats:
        return np.concatenate(
            [panel.draw(weights)[own] for panel, own in zip(panels, rows, strict=True)]
        )

    groups = sides[0].groups
    shape = (len(sides), len(keys))
    observed = all_sides(np.ones((len(groups), 1)))[:, 0].reshape(shape)
    drawn = grouped_bootstrap(all_sides, groups, replicates=replicates, seed=seed)
    drawn = drawn.reshape(*shape, -1)
    alone = [panel.estimates(groups, replicates=replicates, seed=seed) for panel in panels]
    return Comparison(
        images=len(groups),
        groups=len(np.unique(groups)),
        replicates=replicates,
        scores={
            side.name: {key: estimates[key] for key in keys}
            for side, estimates in zip(sides, alone, strict=True)
        },
        differences=_differences(sides, panels, keys, observed, drawn),
        families=_families(sides, panels, keys, observed, drawn, seed),
        leaky=tuple(side.name for side in sides if side.leaky),
        cautions={
            told: tuple(side.name for side in sides if told in side.cautions)
            for told in dict.fromkeys(told for side in sides for told in side.cautions)
        },
    )


def _keys(
    sides: Sequence[Side], panels: Sequence[Panel], metrics: Sequence[str] | None
) -> list[str]:
    shared = [key for key in panels[0].keys if all(key in panel.keys for panel in panels)]
    if metrics is None:
        own = [f"roc_auc.{code}" for code in ("mel", "melanoma") if code in panels[0].codes]
        return [key for key in (*DEFAULT_METRICS, *own) if key in shared]
    problems = []
    for name in metrics:
        lacking = [
            side.name for side, panel in zip(sides, panels, strict=True) if name not in panel.keys
        ]
        if len(lacking) == len(sides):
            problems.append(f"{name}: no such metric")
        elif lacking:
            problems.append(f"{name}: not of {', '.join(lacking)}, without such a threshold")
    if problems:
        raise InputError(
            f"These cannot be compared:\n{listed(problems)}",
            todo=f"Known: {', '.join(shared)}.",
        )
    return list(dict.fromkeys(metrics))


def _differences(
    sides: Sequence[Side],
    panels: Sequence[Panel],
    keys: Sequence[str],
    observed: Floats,
    drawn: Floats,
) -> tuple[Difference, ...]:
    found, (numbers, _) = [], group_numbers(sides[0].groups)
    for (i, first), (j, second) in itertools.combinations(enumerate(sides), 2):
        for k, key in enumerate(keys):
            gap, replicates = observed[i, k] - observed[j, k], drawn[i, k] - drawn[j, k]
            pair = [panels[i], panels[j]]
            estimate = summarise(
                gap,
                replicates,
                groups_of_mean([each.denominator(key) for each in pair], [numbers, numbers]),
                scarce=scarce_groups(pair, [numbers, numbers], key),
            )
            found.append((key, first, second, estimate, *_test(key, first, second, replicates)))
    corrected = holm([each[-1] for each in found])
    return tuple(
        Difference(key, first.name, second.name, estimate, test, p, p_corrected)
        for (key, first, second, estimate, test, p), p_corrected in zip(
            found, corrected, strict=True
        )
    )


def _test(key: str, first: Side, second: Side, replicates: Floats) -> tuple[str, float]:
    """The test that fits a metric, and its p-value."""
    metric, _, what = key.partition(".")
    if metric == "accuracy":
        return "McNemar", mcnemar(first.right, second.right).p_value
    if metric == "roc_auc" and what != "macro":
        positive = first.is_(what)
        if 2 <= positive.sum() <= len(positive) - 2:
            pair = delong(positive, [first.score_of(what), second.score_of(what)])
            return "DeLong", pair.difference()[2]
    replicates = replicates[np.isfinite(replicates)]  # draws without a class have no mean
    below, above = (replicates <= 0).sum(), (replicates >= 0).sum()
    return "bootstrap", float(min(1.0, 2 * (min(below, above) + 1) / (len(replicates) + 1)))


def _families(
    sides: Sequence[Side],
    panels: Sequence[Panel],
    keys: Sequence[str],
    observed: Floats,
    drawn: Floats,
    seed: int,
) -> tuple[Family, ...]:
    groups, replicates = sides[0].groups, drawn.shape[-1]
    members: dict[tuple[str, str], list[int]] = {}
    for place, side in enumerate(sides):
        if side.family is not None:
            members.setdefault(side.family, []).append(place)
    members = {family: places for family, places in members.items() if len(places) > 1}
    means = {
        family: mean_estimates(
            [panels[place] for place in places],
            [np.arange(len(groups))] * len(places),
            groups,
            replicates=replicates,
            seed=seed,
        )
        for family, places in members.items()
    }
    return tuple(
        Family(
            recipe=family[0],
            runs=tuple(sides[place].name for place in places),
            metric=key,
            mean=means[family][key],
            between_runs=float(observed[places, k].std(ddof=1)),
            test_noise=float(np.nanstd(drawn[places, k].mean(axis=0), ddof=1)),
        )
        for family, places in members.items()
        for k, key in enumerate(keys)
    )


def _p(value: float) -> str:
    return f"= {value:.3f}" if value >= 0.001 else "< 0.001"
