"""Which confusion matrices of two classes give a set of printed scores: an exact search.

Every pair (true positives, true negatives) is looked at, so the answer is no estimate: where
none fits, none exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lentigo.papers.printed import Printed

Numbers = NDArray[np.float64]

KEPT = 5
"""How many of the fitting matrices are told."""


@dataclass(frozen=True)
class Cells:
    """Confusion matrices: right and wrong answers of the positive and the negative class."""

    tp: Numbers
    fn: Numbers
    tn: Numbers
    fp: Numbers

    @classmethod
    def of(cls, tp: int | Numbers, tn: Numbers, positives: int, negatives: int) -> Cells:
        """All cells from the right answers, (b,), and the sizes of the classes."""
        right = np.broadcast_to(np.asarray(tp, np.float64), tn.shape)
        return cls(right, positives - right, tn, negatives - tn)

    @property
    def swapped(self) -> Cells:
        """With the negative class as the positive one."""
        return Cells(self.tn, self.fp, self.tp, self.fn)


Score = Callable[[Cells], Numbers]


def _ratio(above: Numbers, below: Numbers) -> Numbers:
    # As scikit-learn by default: a share of nothing is printed as 0.
    return np.divide(above, below, out=np.zeros(above.shape), where=below > 0)


def _recall(c: Cells) -> Numbers:
    return c.tp / (c.tp + c.fn)


def _precision(c: Cells) -> Numbers:
    return _ratio(c.tp, c.tp + c.fp)


def _f1(c: Cells) -> Numbers:
    return _ratio(2 * c.tp, 2 * c.tp + c.fp + c.fn)


def _other(score: Score) -> Score:
    """The score of the negative class."""
    return lambda c: score(c.swapped)


def _macro(score: Score) -> Score:
    return lambda c: (score(c) + score(c.swapped)) / 2


def _weighted(score: Score) -> Score:
    def mean(c: Cells) -> Numbers:
        p, n = c.tp + c.fn, c.tn + c.fp
        return (p * score(c) + n * score(c.swapped)) / (p + n)

    return mean


SCORES: dict[str, Score] = {
    "accuracy": lambda c: (c.tp + c.tn) / (c.tp + c.fn + c.tn + c.fp),
    "recall": _recall,
    "specificity": _other(_recall),
    "false_positive_rate": lambda c: c.fp / (c.tn + c.fp),
    "precision": _precision,
    "negative_predictive_value": _other(_precision),
    "f1": _f1,
    "f1_negative": _other(_f1),
    "balanced_accuracy": _macro(_recall),
    "precision_macro": _macro(_precision),
    "f1_macro": _macro(_f1),
    "precision_weighted": _weighted(_precision),
    "f1_weighted": _weighted(_f1),
}


@dataclass(frozen=True)
class Fitting:
    """The matrices that give some scores.

    Attributes:
        count: How many there are.
        examples: The first of them as (true positives, true negatives).
        ranges: Lowest and highest value among them of every score asked for.
    """

    count: int
    examples: tuple[tuple[int, int], ...]
    ranges: Mapping[str, tuple[float, float]]


def fitting_matrices(
    scores: Mapping[str, Printed],
    positives: int,
    negatives: int,
    *,
    cut: bool = False,
    measured: tuple[str, ...] = (),
) -> Fitting:
    """Every confusion matrix that gives all ``scores`` to the printed digit.

    Args:
        scores: By the names of ``SCORES``.
        positives: Images of the positive class, at least 1.
        negatives: Of the other, at least 1.
        cut: Digits were cut off, not rounded.
        measured: Further scores whose range among the fitting matrices is wanted.
    """
    tn = _counts(scores.get("specificity"), negatives, cut=cut).astype(np.float64)
    count, examples = 0, list[tuple[int, int]]()
    ranges: dict[str, tuple[float, float]] = {}
    for tp in _counts(scores.get("recall"), positives, cut=cut).tolist():
        cells = Cells.of(tp, tn, positives, negatives)
        fits = np.ones(len(tn), bool)
        for name, printed in scores.items():
            low, high = printed.reach(cut=cut)
            value = SCORES[name](cells)
            fits &= (value >= low) & (value <= high)
            if not fits.any():
                break
        else:
            found = tn[fits]
            count += len(found)
            examples += [(tp, int(each)) for each in found[: KEPT - len(examples)]]
            for name in measured:
                value = SCORES[name](cells)[fits]
                low, high = ranges.get(name, (np.inf, -np.inf))
                ranges[name] = min(low, float(value.min())), max(high, float(value.max()))
    return Fitting(count, tuple(examples), ranges)


def _counts(printed: Printed | None, total: int, *, cut: bool) -> NDArray[np.int64]:
    """Counts of ``total`` that may print as the share, one more either side; all without one."""
    if printed is None:
        return np.arange(total + 1)
    low, high = (int(np.floor(each * total)) for each in printed.reach(cut=cut))
    return np.arange(max(low - 1, 0), min(high + 1, total) + 1)


def explain_total(scores: Mapping[str, Printed], total: int) -> tuple[bool, tuple[str, ...]]:
    """Whether ``scores`` can be for any sizes of two classes that make ``total``, at least 2."""
    found = _by_sizes(scores, total)
    if found:
        positives, (tp, tn) = next(iter(found.items()))
        sizes = (
            f"{len(found)} sizes of the classes fit, {min(found)} to {max(found)} positives."
            if len(found) > 1
            else "No other size of the classes fits."
        )
        return True, (
            (
                f"With {positives} positives, {tp} of them and {tn} of {total - positives} "
                "negatives called right give every figure."
            ),
            sizes,
        )
    told = [f"For no sizes of two classes that make {total} does a confusion matrix fit."]
    if accuracy := scores.get("accuracy"):
        told.append(no_count_gives("accuracy", accuracy, total))
    rescued = _by_sizes(scores, total, cut=True)
    told.append(
        "With digits cut off instead of rounded, one exists."
        if rescued
        else "Nor does any with digits cut off instead of rounded."
    )
    return False, tuple(each for each in told if each)


def _by_sizes(
    scores: Mapping[str, Printed], total: int, *, cut: bool = False
) -> dict[int, tuple[int, int]]:
    """The numbers of positives for which matrices fit, each with one such matrix."""
    found = {}
    for positives in range(1, total):
        fitting = fitting_matrices(scores, positives, total - positives, cut=cut)
        if fitting.count:
            found[positives] = fitting.examples[0]
    return found


def explain(
    scores: Mapping[str, Printed], positives: int, negatives: int
) -> tuple[bool, tuple[str, ...]]:
    """Whether ``scores`` can be, and the arithmetic in sentences."""
    found = fitting_matrices(scores, positives, negatives)
    if found.count:
        tp, tn = found.examples[0]
        more = f"; {found.count - 1} more fit" if found.count > 1 else "; no other fits"
        return True, (
            (
                f"{tp} of {positives} positives and {tn} of {negatives} negatives called right "
                f"give every figure{more}."
            ),
        )
    told = [*_single(scores, positives, negatives), *_left_out(scores, positives, negatives)]
    if fitting_matrices(scores, positives, negatives, cut=True).count:
        told.append("With digits cut off instead of rounded, a matrix exists.")
    else:
        told.append("Nor does any with digits cut off instead of rounded.")
    return False, (
        f"None of the {(positives + 1) * (negatives + 1):,} confusion matrices fits.",
        *told,
    )


def _single(scores: Mapping[str, Printed], positives: int, negatives: int) -> list[str]:
    """Scores that are a share of a known number, and of which no count gives the figure."""
    of = _wholes(positives, negatives)
    return [
        sentence
        for name, printed in scores.items()
        if name in of and (sentence := no_count_gives(name, printed, of[name]))
    ]


def _wholes(positives: int, negatives: int) -> dict[str, int]:
    """What some scores are a share of."""
    of = {"accuracy": positives + negatives, "recall": positives}
    return of | {"specificity": negatives, "false_positive_rate": negatives}


def no_count_gives(name: str, printed: Printed, total: int) -> str:
    """That no k of ``total`` prints as the figure, with its neighbours; empty where one does."""
    below = min(max(int(np.floor(printed.value * total)), 0), total)
    around = [k for k in (below, below + 1) if k <= total]
    if any(printed.holds(k / total) for k in range(max(below - 1, 0), min(below + 2, total) + 1)):
        return ""
    near = ", ".join(f"{k}/{total} = {k / total:.6f}" for k in around)
    return f"{name.replace('_', ' ')} {printed} is no count of {total}: {near}."


def _left_out(scores: Mapping[str, Printed], positives: int, negatives: int) -> list[str]:
    """What each score would have to be, by all the others.

    One that is no count of its whole counts with the two counts around it: else it would refute
    every matrix and hide what the others say.
    """
    of = _wholes(positives, negatives)
    near = {
        key: replace(each, step=max(each.step, 2 / of[key]))
        for key, each in scores.items()
        if key in of and no_count_gives(key, each, of[key])
    }
    told = []
    for name in scores if len(scores) > 1 else ():
        others = {key: near.get(key, each) for key, each in scores.items() if key != name}
        found = fitting_matrices(others, positives, negatives, measured=(name,))
        if found.count:
            low, high = found.ranges[name]
            first, last = scores[name].rounded
            if near.keys() & others.keys() and first <= high and low <= last:
                continue  # it may be, so nothing is said against it
            span = f"{low:.4f}" if high - low < 5e-5 else f"{low:.4f} to {high:.4f}"
            words = name.replace("_", " ")
            rest = ", ".join(
                key.replace("_", " ") + " (by its nearest counts)" * (key in near) for key in others
            )
            verb = "imply" if len(others) > 1 else "implies"
            told.append(f"{rest} {verb} {words} {span}; printed {scores[name]}.")
    return told


def implied_prevalence(scores: Mapping[str, Printed]) -> str:
    """The share of positives that precision, recall and specificity together need."""
    if not {"precision", "recall", "specificity"} <= scores.keys():
        return ""
    precision, recall = scores["precision"].value, scores["recall"].value
    false = 1 - scores["specificity"].value
    # precision = prevalence recall / (prevalence recall + (1 - prevalence) false)
    odds = precision * false / ((1 - precision) * recall) if recall and precision < 1 else np.inf
    return f"The three figures fit a prevalence of {odds / (1 + odds) if odds < np.inf else 1:.1%}."
