"""A submission to a challenge, scored as its organisers would, with intervals.

The forms of the tables stand in ``challenge_tables``. A truth file may hold ``score_weight``
(ISIC 2018 and 2019), as may a file of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import InputError
from lentigo.evaluate.challenge_tables import ISIC2017, TARGET, WEIGHT, Table, fitted, read_table
from lentigo.score.arrays import Floats, mean_defined, predicted
from lentigo.score.bootstrap import group_numbers, grouped_bootstrap
from lentigo.score.classification import balanced_accuracy
from lentigo.score.estimate import Estimate, summarise
from lentigo.score.official import category_score, partial_auc_2024
from lentigo.score.resampled import PARTIAL, SCORES, Category

_PROPORTIONS = frozenset({"accuracy", "sensitivity", "specificity", "ppv", "npv"})


@dataclass(frozen=True)
class SubmissionScore:
    """What a challenge makes of a submission.

    Attributes:
        challenge: Which form the files have, in words.
        images: How many were scored.
        per_category: Class to score to value, names as in the official scorer.
        macro_average: Their unweighted means.
        whole: The ranking figures of the challenge.
        intervals: 95% intervals of all of them by grouped bootstrap: ``CLASS.SCORE``,
            ``macro.SCORE`` and the ranking figures; empty where none were asked for.
        groups: How many groups were resampled.
        grouped_by: The column that named them, or ``image``.
        empty: Classes of the truth that no image has; they have no score.
    """

    challenge: str
    images: int
    per_category: dict[str, dict[str, float]]
    macro_average: dict[str, float]
    whole: dict[str, float]
    intervals: dict[str, Estimate] = field(default_factory=dict)
    groups: int = 0
    grouped_by: str = "image"
    empty: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "challenge": self.challenge,
            "images": self.images,
            "groups": self.groups,
            "grouped_by": self.grouped_by,
            "classes_without_images": list(self.empty),
            **self.whole,
            "per_category": self.per_category,
            "macro_average": self.macro_average,
            "intervals": {name: each.to_dict() for name, each in self.intervals.items()},
        }


@dataclass(frozen=True)
class _Answers:
    """What is scored.

    Attributes:
        classes: (c,) names of the classes that images have.
        positive: (n, c) where each of them is true.
        probability: (n, c) of each of them.
        labels: (n,) which of all k classes is true, where exactly one is; else None.
        every: (n, k) probabilities of all classes, those without images too.
        weight: (n,) at least 0.
    """

    classes: tuple[str, ...]
    positive: NDArray[np.bool_]
    probability: Floats
    labels: NDArray[np.int64] | None
    every: Floats
    weight: Floats


def score_files(
    truth: Path | str,
    prediction: Path | str,
    weights: Path | str | None = None,
    groups: Path | str | None = None,
    *,
    replicates: int = 0,
    seed: int = 0,
) -> SubmissionScore:
    """Score a submission against the truth.

    Several classes are scored as ``isic-challenge-scoring`` does (2018 task 3, 2019), a single
    target as ISIC 2016 (average precision), ISIC 2020 (ROC area) and ISIC 2024 (partial area
    above 80% sensitivity), ISIC 2017 by the ROC areas of its two questions and their mean.

    Args:
        truth: CSV; a class column holds 1 for the true class, 0 elsewhere.
        prediction: CSV with the same images, in any order, probabilities in [0, 1].
        weights: CSV with an id and ``score_weight``; overrides the column of ``truth``.
        groups: CSV with an id and ``group_id``, ``patient_id`` or ``lesion_id``, such as a
            challenge's metadata or a prepared set's manifest. None takes such a column of
            ``truth``, and without one resamples single images.
        replicates: Of the grouped bootstrap; 0 gives no intervals.
        seed: Of the bootstrap.

    Raises:
        InputError: A file that cannot be read, columns or images that do not match, values out
            of range; every problem with its line.
    """
    known, guessed = read_table(Path(truth)), read_table(Path(prediction))
    classes = fitted(known, guessed)
    named, grouped_by = _groups(known, None if groups is None else Path(groups))
    weighing = known if weights is None else read_table(Path(weights))
    plain = weights is None and WEIGHT not in known.columns
    answers = _answers(
        known,
        classes,
        guessed.values_of(classes, ids=known.ids),
        np.ones(len(known.ids)) if plain else weighing.weights_of(known.ids),
    )
    rows = {
        name: _scored(answers.positive[:, c], answers.probability[:, c], answers.weight)
        for c, name in enumerate(answers.classes)
    }
    means = {name: float(np.mean([row[name] for row in rows.values()])) for name in SCORES}
    challenge, whole = _whole(known, answers, means)
    return SubmissionScore(
        challenge=challenge,
        images=len(known.ids),
        per_category=rows,
        macro_average=means,
        whole=whole,
        intervals=_intervals(answers, rows, means, whole, named, replicates, seed)
        if replicates
        else {},
        groups=len(set(named.tolist())),
        grouped_by=grouped_by,
        empty=tuple(name for name in known.classes if name not in answers.classes),
    )


def _groups(known: Table, path: Path | None) -> tuple[NDArray[np.str_], str]:
    found = (known if path is None else read_table(path)).groups_of(known.ids)
    if found is None and path is not None:
        raise InputError(
            f"{path} names no groups.", todo="It needs a column group_id, patient_id or lesion_id."
        )
    return (np.array(known.ids), "image") if found is None else found


def _answers(known: Table, classes: Sequence[str], probability: Floats, weight: Floats) -> _Answers:
    """Raises InputError where not exactly one of several classes is true."""
    values = known.values_of(classes, whole=True)
    labels = None
    if tuple(classes) not in {(TARGET,), ISIC2017}:
        if (bad := values.sum(axis=1) != 1).any():
            raise InputError(
                f"{known.path}: {int(bad.sum())} image(s) do not have exactly one true class."
            )
        labels = values.argmax(axis=1)
    # A single question without images of one kind is no class to leave out: it is told.
    kept = [c for c in range(len(classes)) if labels is None or values[:, c].any()]
    return _Answers(
        classes=tuple(classes[c] for c in kept),
        positive=values[:, kept] == 1,
        probability=probability[:, kept],
        labels=labels,
        every=probability,
        weight=weight,
    )


def _scored(positive: NDArray[np.bool_], probability: Floats, weight: Floats) -> dict[str, float]:
    row = category_score(positive, probability, weight)
    return row | {PARTIAL: partial_auc_2024(positive, probability, weight)}


def _whole(
    known: Table, answers: _Answers, means: Mapping[str, float]
) -> tuple[str, dict[str, float]]:
    """Which challenge ranks by what, and that figure."""
    if answers.labels is not None:
        value = balanced_accuracy(answers.labels, answers.every, answers.weight)
        return "as ISIC 2018 task 3 and 2019 score it", {"balanced_accuracy": value}
    if answers.classes == ISIC2017:
        return "as ISIC 2017 part 3 scores it", {"mean_auc": means["auc"]}
    if known.headless:
        whole = {"average_precision": means["ap"], "auc": means["auc"]}
        return "as ISIC 2016 part 3 scores it", whole
    whole = {"auc": means["auc"], PARTIAL: means[PARTIAL]}
    return "one target, as ISIC 2020 and 2024 score it", whole


def _intervals(
    answers: _Answers,
    rows: Mapping[str, Mapping[str, float]],
    means: Mapping[str, float],
    whole: Mapping[str, float],
    groups: NDArray[np.str_],
    replicates: int,
    seed: int,
) -> dict[str, Estimate]:
    categories = [
        Category.of(answers.positive[:, c], answers.probability[:, c])
        for c in range(len(answers.classes))
    ]

    def score(drawn: Floats) -> Floats:
        weights = drawn * answers.weight[:, None]
        scores = np.stack([each.scores(weights) for each in categories])
        balanced = _balanced(answers, weights)
        return np.concatenate([scores.reshape(-1, drawn.shape[1]), mean_defined(scores), balanced])

    drawn = grouped_bootstrap(score, groups, replicates=replicates, seed=seed)
    numbers, count = group_numbers(groups)
    found: dict[str, Estimate] = {}
    for c, (name, row) in enumerate(rows.items()):
        for s, key in enumerate(SCORES):
            sides = _sides(key, categories[c])
            held = [len(np.unique(numbers[side & (answers.weight > 0)])) for side in sides]
            found[f"{name}.{key}"] = summarise(
                row[key],
                drawn[c * len(SCORES) + s],
                min(held) if key in _PROPORTIONS else count,
                proportion=key in _PROPORTIONS,
                bounded=True,
                scarce=min(held),
            )
    macro = drawn[len(rows) * len(SCORES) :]
    for s, key in enumerate(SCORES):
        found[f"macro.{key}"] = summarise(means[key], macro[s], count, bounded=True)
    single = next(iter(rows))
    for key, value in whole.items():
        same = {"mean_auc": "macro.auc", "average_precision": f"{single}.ap"}.get(key)
        if key == "balanced_accuracy":
            found[key] = summarise(value, macro[len(SCORES)], count, bounded=True)
        else:
            found[key] = found[same or f"{single}.{key}"]
    return found


def _sides(key: str, category: Category) -> list[NDArray[np.bool_]]:
    """Which images a score of one class turns on."""
    positive, called = category.positive, category.called
    sides = {
        "accuracy": [np.ones_like(positive)],
        "sensitivity": [positive],
        "specificity": [~positive],
        "ppv": [called],
        "npv": [~called],
        "dice": [positive],
        "ap": [positive],
    }
    return sides.get(key, [positive, ~positive])


def _balanced(answers: _Answers, weights: Floats) -> Floats:
    """Balanced accuracy (1, r), or nothing (0, r) where images may have no class or two."""
    if answers.labels is None:
        return np.zeros((0, weights.shape[1]))
    right = predicted(answers.every) == answers.labels
    recall = np.stack(
        [
            np.divide(
                (positive & right) @ weights,
                total,
                out=np.full_like(total, np.nan),
                where=total > 0,
            )
            for positive in answers.positive.T
            for total in [positive @ weights]
        ]
    )
    return mean_defined(recall)[None]
