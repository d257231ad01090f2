"""Every score of an evaluation at once, for many weightings at once.

Scores are of two kinds. Those that count (accuracy, sensitivity, calibration error) are
ratios of weighted sums: all sums come from ONE product of a fixed matrix with the
weights. Those that rank (ROC area, average precision) come from a ``Ranking`` each.
So a bootstrap of everything is a few matrix products and cumulative sums a block.

The keys, joined by dots:

====================================================  ======================================
``accuracy`` ``balanced_accuracy``                    the most probable class is called
``expected_calibration_error`` ``brier_score``        of the whole probability vector
``roc_auc.WHAT`` ``average_precision.WHAT``           ranking by probability, no threshold
``METRIC.WHAT.POINT``                                 decisions at an operating point
``METRIC``                                            short for ``METRIC.macro.argmax``
====================================================  ======================================

METRIC is ``sensitivity``, ``specificity``, ``precision``, ``negative_predictive_value`` or
``f1``. WHAT is a class code (that class against the rest), ``macro`` (the unweighted mean
over the classes that occur), for precision and F1 ``weighted`` (their mean by the images of
each class, as in scikit-learn; of the sensitivities that is the accuracy) or ``malignant``
(all malignant classes against the others, by the sum of their probabilities). POINT is
``argmax`` (the most probable class is called; for ``malignant``: it is a malignant class) or,
for ``malignant`` only, the name of a sealed operating point such as ``sensitivity_0.90``
(called when the probability of being malignant is at least its threshold).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lentigo.errors import InputError
from lentigo.score.arrays import Floats, Integers, checked, mean_defined, predicted, ratio
from lentigo.score.bootstrap import REPLICATES
from lentigo.score.calibration import BINS, confidence_bin, squared_errors
from lentigo.score.classification import Counts
from lentigo.score.estimate import Estimate
from lentigo.score.rank import Ranking
from lentigo.score.trainings import mean_estimates

THRESHOLD_METRICS = (
    "sensitivity",
    "specificity",
    "precision",
    "negative_predictive_value",
    "f1",
)
WEIGHTED_METRICS = ("precision", "f1")
MEANS = ("macro", "weighted")
RANK_METRICS = ("roc_auc", "average_precision")
WHOLE_METRICS = ("accuracy", "balanced_accuracy", "expected_calibration_error", "brier_score")
# F1, calibration error and Brier score are no shares of independent trials.
_PROPORTIONS = frozenset(
    {"accuracy", "sensitivity", "specificity", "precision", "negative_predictive_value"}
)
# OpenBLAS multiplies with one thread below 2^18 multiplications.
_PRODUCT_CELLS = 1 << 18


@dataclass(frozen=True)
class Panel:
    """All scores of one set of predictions, ready for any weighting.

    Attributes:
        codes: (k,) class codes.
        keys: Names of the scores, in the order of ``compute``'s rows.
        labels: (n,) class indices.
        decisions: (n, d) true where a decision says yes; ``truths`` says what of.
        truths: (n, d) what each decision asks.
        names: (d,) ``WHAT.POINT`` of each decision; the first k are the classes.
        sums: (s, n) rows of the weighted sums.
        rankings: One a class, then one for malignant where there is one.
        malignant: Whether the classes divide into malignant and other.
    """

    codes: tuple[str, ...]
    keys: tuple[str, ...]
    labels: Integers
    decisions: NDArray[np.bool_]
    truths: NDArray[np.bool_]
    names: tuple[str, ...]
    sums: Floats
    rankings: tuple[Ranking, ...]
    malignant: bool

    @classmethod
    def of(
        cls,
        labels: ArrayLike,
        probability: ArrayLike,
        codes: Sequence[str],
        malignant: Sequence[bool],
        thresholds: Mapping[str, float] | None = None,
    ) -> Panel:
        """Prepare for scoring.

        Args:
            labels: (n,) class indices.
            probability: (n, k), calibrated, in [0, 1].
            codes: (k,) class codes; those of ``MEANS`` are taken.
            malignant: (k,) which of them are.
            thresholds: Of the malignant probability, by name.

        Raises:
            InputError: Shapes that do not fit, or a class that is called as a mean is.
        """
        truth, scores, _ = checked(labels, probability)
        if len(codes) != scores.shape[1] or not set(codes).isdisjoint(MEANS):
            raise InputError(f"Codes {tuple(codes)} do not name {scores.shape[1]} classes.")
        flags = np.asarray(malignant, dtype=bool)
        divided = bool(flags.any() and not flags.all())
        # A binary set may itself have a class "malignant": the same question, once.
        joined = divided and "malignant" not in codes
        called, points = predicted(scores), (thresholds or {}) if divided else {}
        names, decisions, truths = _decisions(truth, scores, called, codes, flags, points, joined)
        return cls(
            codes=tuple(codes),
            keys=_keys(codes, names, joined),
            labels=truth,
            decisions=decisions,
            truths=truths,
            names=names,
            sums=_sums(truth, scores, called, decisions, truths),
            rankings=_rankings(truth, scores, flags if joined else None),
            malignant=joined,
        )

    def compute(self, weights: Floats) -> Floats:
        """All scores for each weighting.

        Args:
            weights: (n, r), at least 0; float32 is precise enough for counts.

        Returns:
            (len(keys), r) of float64; NaN where undefined.
        """
        k, d = len(self.codes), len(self.names)
        sums = _weighted_sums(self.sums, weights)
        total, right, brier = sums[0], sums[1], sums[2]
        true, called, hit = (sums[3 + i * d : 3 + (i + 1) * d] for i in range(3))
        counts = Counts(true, called, hit, np.broadcast_to(total, true.shape))
        gaps = np.abs(sums[3 + 3 * d :]).sum(axis=0)
        occurs = true[:k] > 0
        rows = [ratio(right, total), mean_defined(counts.sensitivity[:k])]
        rows += [ratio(gaps, total), ratio(brier, total)]
        ranked = [ranking.scores(weights) for ranking in self.rankings]
        for which in range(len(RANK_METRICS)):
            values = np.array([pair[which] for pair in ranked])
            macro = mean_defined(np.where(occurs, values[:k], np.nan))
            rows += [*values[:k], macro, *values[k:]]
        for metric in THRESHOLD_METRICS:
            values = getattr(counts, metric)
            # A class that occurs but is never called has precision 0 in the mean, as in
            # scikit-learn; a class that does not occur has no part in it.
            own = np.nan_to_num(values[:k]) if metric == "precision" else values[:k]
            macro = mean_defined(np.where(occurs, own, np.nan))
            rows += [macro, macro, *values]
        for metric in WEIGHTED_METRICS:
            values = np.nan_to_num(getattr(counts, metric)[:k])
            rows.append(ratio((true[:k] * values).sum(axis=0), total))
        return np.array(rows)

    def draw(self, weights: Floats) -> Floats:
        """As ``compute``, but means over the classes are NaN in draws that lack one of them.

        Over the others they are another figure.
        """
        drawn = self.compute(weights)
        own = [f"sensitivity.{self.codes[c]}.argmax" for c in np.unique(self.labels)]
        lacking = np.isnan(drawn[[self.keys.index(key) for key in own]]).any(axis=0)
        means = np.array([self._is_plain_mean(key) for key in self.keys])
        drawn[means[:, None] & lacking] = np.nan
        return drawn

    def estimates(
        self, group_ids: NDArray[np.generic], *, replicates: int = REPLICATES, seed: int = 0
    ) -> dict[str, Estimate]:
        """Every score with its interval by grouped bootstrap.

        Args:
            group_ids: (n,) the group of each image.
            replicates: How many.
            seed: Of the resampling.
        """
        everything = np.arange(len(self.labels))
        return mean_estimates([self], [everything], group_ids, replicates=replicates, seed=seed)

    def is_share(self, key: str) -> bool:
        """Whether a score is a share of independent trials."""
        return key.split(".", maxsplit=1)[0] in _PROPORTIONS and not self._is_mean(key)

    def _is_plain_mean(self, key: str) -> bool:
        return key == "balanced_accuracy" or (self._is_mean(key) and "weighted" not in key)

    def _is_mean(self, key: str) -> bool:
        return key in THRESHOLD_METRICS or not set(MEANS).isdisjoint(key.split("."))

    def denominator(self, key: str) -> NDArray[np.bool_]:
        """Images (n,) in the denominator of a score."""
        metric, _, what = key.partition(".")
        everything = np.ones(len(self.labels), dtype=bool)
        if what not in self.names:
            return everything
        place = self.names.index(what)
        truth, called = self.truths[:, place], self.decisions[:, place]
        return {
            "sensitivity": truth,
            "specificity": ~truth,
            "precision": called,
            "negative_predictive_value": ~called,
        }.get(metric, everything)

    def kinds(self, key: str) -> list[NDArray[np.bool_]]:
        """Images (n,) of each kind that a score turns on: of each class, of both sides."""
        if self._is_plain_mean(key):
            return [self.labels == c for c in range(len(self.codes))]
        metric, _, what = key.partition(".")
        if metric in WHOLE_METRICS or "weighted" in what:
            return [np.ones(len(self.labels), dtype=bool)]
        what = f"{what}.argmax" if metric in RANK_METRICS else what
        if metric not in {*RANK_METRICS, "f1"} or what not in self.names:
            return []
        truth = self.truths[:, self.names.index(what)]
        return [truth, ~truth] if metric == "roc_auc" else [truth]

    def reason(self, key: str, value: float) -> str | None:
        """What must be said beside a score; None where nothing is."""
        absent = [code for c, code in enumerate(self.codes) if not (self.labels == c).any()]
        if np.isfinite(value):
            averaged = self._is_mean(key) or key == "balanced_accuracy"
            if averaged and absent:
                return f"mean without the classes that no image here has: {', '.join(absent)}"
            return None
        metric, _, what = key.partition(".")
        subject = what.split(".")[0]
        if subject in absent:
            return f"no image here is {subject}"
        if metric in {"precision", "negative_predictive_value"}:
            return "nothing was called so"
        return "the images here are all on one side of this question"


def _weighted_sums(rows: Floats, weights: Floats) -> Floats:
    """``rows`` (s, n) times ``weights`` (n, r): (s, r) of float64, in small products.

    One large product would wake the linear algebra library's threads, which cost more
    than they bring at this size: on a busy machine of two cores it took ten times longer.
    """
    count, n = rows.shape
    step = max(1, min(n, _PRODUCT_CELLS // (count * weights.shape[1])))
    whole = n - n % step
    narrow = rows.astype(weights.dtype, copy=False)
    pieces = narrow[:, :whole].reshape(count, -1, step).swapaxes(0, 1)
    products = np.matmul(pieces, weights[:whole].reshape(len(pieces), step, -1))
    total = products.sum(axis=0, dtype=np.float64)
    return np.asarray(total + narrow[:, whole:] @ weights[whole:])


def _rankings(
    truth: Integers, scores: Floats, malignant: NDArray[np.bool_] | None
) -> tuple[Ranking, ...]:
    """One ranking a class and, where asked for, one of malignant against the others."""
    found = [Ranking.of(truth == c, scores[:, c]) for c in range(scores.shape[1])]
    if malignant is not None:
        found.append(Ranking.of(malignant[truth], scores[:, malignant].sum(axis=1)))
    return tuple(found)


def _keys(codes: Sequence[str], names: Sequence[str], joined: bool) -> tuple[str, ...]:
    whats = [*codes, "macro", *(["malignant"] if joined else [])]
    keys = [*WHOLE_METRICS, *(f"{metric}.{what}" for metric in RANK_METRICS for what in whats)]
    for metric in THRESHOLD_METRICS:
        keys += [metric, f"{metric}.macro.argmax", *(f"{metric}.{name}" for name in names)]
    return (*keys, *(f"{metric}.weighted.argmax" for metric in WEIGHTED_METRICS))


def _decisions(
    truth: Integers,
    scores: Floats,
    called: Integers,
    codes: Sequence[str],
    malignant: NDArray[np.bool_],
    points: Mapping[str, float],
    joined: bool,
) -> tuple[tuple[str, ...], NDArray[np.bool_], NDArray[np.bool_]]:
    """Names (d,), decisions (n, d) and the truths (n, d) they are about."""
    classes = np.arange(len(codes))
    names = [f"{code}.argmax" for code in codes]
    decisions = [called == c for c in classes]
    truths = [truth == c for c in classes]
    is_malignant = malignant[truth]
    if joined:
        names.append("malignant.argmax")
        decisions.append((called >= 0) & malignant[called])
        truths.append(is_malignant)
    probability = scores[:, malignant].sum(axis=1)
    for name, threshold in points.items():
        names.append(f"malignant.{name}")
        decisions.append(probability >= threshold)
        truths.append(is_malignant)
    return tuple(names), np.stack(decisions, axis=1), np.stack(truths, axis=1)


def _sums(
    truth: Integers,
    scores: Floats,
    called: Integers,
    decisions: NDArray[np.bool_],
    truths: NDArray[np.bool_],
) -> Floats:
    """Rows of what is summed: total, right, Brier, true, called, hit, gap a confidence bin."""
    confidence = scores.max(axis=1)
    right = called == truth
    gap = np.zeros((BINS, len(truth)))
    gap[confidence_bin(confidence), np.arange(len(truth))] = right - confidence
    single = np.stack([np.ones(len(truth)), right, squared_errors(truth, scores)])
    decided = np.concatenate([truths, decisions, truths & decisions], axis=1).T
    return np.concatenate([single, decided, gap])
