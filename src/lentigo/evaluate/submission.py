"""A submission to a challenge, scored as its organisers would.

The forms, told apart by their columns:

- ISIC 2018 task 3 and 2019: ``image`` and a column a class (MEL, NV, ...), in both files;
- ISIC 2017 part 3: ``image_id``, ``melanoma``, ``seborrheic_keratosis``; nevus where both are 0;
- ISIC 2020: ``image_name`` and ``target``; truth may hold other columns;
- ISIC 2024: ``isic_id`` and ``target``.

A truth file may hold ``score_weight`` (ISIC 2018 and 2019), as may a file of its own.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.errors import InputError, listed
from lentigo.score.official import category_score, official_score, partial_auc_2024

_IDS = ("image", "image_id", "image_name", "isic_id")
_WEIGHT = "score_weight"
# Columns of the published truth tables that are no classes.
_ASIDE = frozenset(
    {_WEIGHT, "validation_weight", "patient_id", "lesion_id", "sex", "age_approx", "diagnosis"}
    | {"anatom_site_general_challenge", "benign_malignant", "tfrecord", "width", "height"}
)


@dataclass(frozen=True)
class SubmissionScore:
    """What a challenge makes of a submission.

    Attributes:
        challenge: Which form the files have, in words.
        images: How many were scored.
        per_category: Class to score to value, names as in the official scorer.
        macro_average: Their unweighted means.
        whole: The ranking figures of the challenge.
    """

    challenge: str
    images: int
    per_category: dict[str, dict[str, float]]
    macro_average: dict[str, float]
    whole: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "challenge": self.challenge,
            "images": self.images,
            **self.whole,
            "per_category": self.per_category,
            "macro_average": self.macro_average,
        }


def score_files(truth: Path, prediction: Path, weights: Path | None = None) -> SubmissionScore:
    """Score a submission against the truth.

    Several classes are scored as ``isic-challenge-scoring`` does (2018 task 3, 2019), a single
    target as ISIC 2020 (ROC area) and ISIC 2024 (partial area above 80% sensitivity), ISIC 2017
    by the ROC areas of its two questions and their mean.

    Args:
        truth: CSV; a class column holds 1 for the true class, 0 elsewhere.
        prediction: CSV with the same images, in any order, probabilities in [0, 1].
        weights: CSV with an id and ``score_weight``; overrides the column of ``truth``.

    Raises:
        InputError: A file that cannot be read, columns or images that do not match, values out
            of range; every problem with its line.
    """
    known, guessed = _read(truth), _read(prediction)
    classes = [name for name in known.columns if name not in _ASIDE]
    if classes != (own := [name for name in guessed.columns if name not in _ASIDE]):
        raise InputError(
            f"{prediction} has the columns {', '.join(own)}; {truth} has {', '.join(classes)}.",
            todo="Both must name the same classes in the same order.",
        )
    _check_images(known, guessed)
    values = known.values_of(classes, whole=True)
    probability = guessed.values_of(classes, ids=known.ids)
    weight = _weights(known, weights)
    if len(classes) == 1:
        return _single(values[:, 0] == 1, probability[:, 0], weight)
    if classes == ["melanoma", "seborrheic_keratosis"]:
        return _isic2017(classes, values, probability, weight)
    return _several(truth, classes, values, probability, weight)


@dataclass(frozen=True)
class _Table:
    path: Path
    ids: tuple[str, ...]
    columns: dict[str, tuple[str, ...]]
    lines: dict[str, int]

    def values_of(
        self, names: Sequence[str], *, ids: Sequence[str] | None = None, whole: bool = False
    ) -> NDArray[np.float64]:
        """(n, len(names)) in the order of ``ids``; ``whole`` allows 0 and 1 only."""
        place = {image: row for row, image in enumerate(self.ids)}
        rows = [place[image] for image in ids or self.ids]
        values = np.array([[_number(self.columns[n][row]) for n in names] for row in rows])
        wrong = ~((values >= 0) & (values <= 1))
        if whole:
            wrong |= ~np.isin(values, (0, 1))
        bad = [
            f"line {self.lines[self.ids[rows[i]]]}: {names[j]} is "
            f"{self.columns[names[j]][rows[i]]!r}"
            for i, j in np.argwhere(wrong)
        ]
        if bad:
            wanted = "0 or 1" if whole else "a probability in [0, 1]"
            raise InputError(f"{self.path}: not {wanted}:\n{listed(bad)}")
        return values


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _read(path: Path) -> _Table:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [(number, row) for number, row in enumerate(csv.reader(stream), 1) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read: {error}.") from None
    header = [name.strip() for name in rows[0][1]] if rows else []
    if not header or header[0] not in _IDS or len(rows) < 2:
        raise InputError(
            f"{path} is no table of a challenge.",
            todo=f"Its first line must begin with one of {', '.join(_IDS)}.",
        )
    problems = [
        f"line {number}: {len(row)} columns instead of {len(header)}"
        for number, row in rows[1:]
        if len(row) != len(header)
    ]
    lines: dict[str, int] = {}
    for number, row in rows[1:]:
        # Some submissions name the file.
        image = row[0].strip().removesuffix(".jpg").removesuffix(".jpeg")
        if image in lines:
            problems.append(f"line {number}: {image} stands in line {lines[image]} too")
        lines.setdefault(image, number)
    if problems:
        raise InputError(f"{path} has {len(problems)} problem(s):\n{listed(problems)}")
    columns = {
        name: tuple(row[place].strip() for _, row in rows[1:])
        for place, name in enumerate(header)
        if place
    }
    return _Table(path, tuple(lines), columns, lines)


def _check_images(known: _Table, guessed: _Table) -> None:
    absent = [image for image in known.ids if image not in guessed.lines]
    foreign = [image for image in guessed.ids if image not in known.lines]
    problems = [f"{image} is not predicted" for image in absent]
    problems += [f"line {guessed.lines[image]}: {image} is not in the truth" for image in foreign]
    if problems:
        raise InputError(f"{guessed.path} does not match {known.path}:\n{listed(problems)}")


def _weights(known: _Table, path: Path | None) -> NDArray[np.float64] | None:
    table = known if path is None else _read(path)
    if _WEIGHT not in table.columns:
        if path is None:
            return None
        raise InputError(f"{path} has no column {_WEIGHT}.")
    if lost := [image for image in known.ids if image not in table.lines]:
        raise InputError(f"{table.path} has no weight for:\n{listed(lost)}")
    place = {image: row for row, image in enumerate(table.ids)}
    weight = np.array([_number(table.columns[_WEIGHT][place[image]]) for image in known.ids])
    bad = [image for image, each in zip(known.ids, weight, strict=True) if not 0 <= each < math.inf]
    if bad:
        raise InputError(f"{table.path}: a weight must be a number of at least 0:\n{listed(bad)}")
    return weight


def _several(
    truth: Path,
    classes: Sequence[str],
    values: NDArray[np.float64],
    probability: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
) -> SubmissionScore:
    if (bad := values.sum(axis=1) != 1).any():
        raise InputError(f"{truth}: {int(bad.sum())} image(s) do not have exactly one true class.")
    found = official_score(values.argmax(axis=1), probability, weight)
    rows = [
        row | {"pauc_2024": partial_auc_2024(values[:, c] == 1, probability[:, c], weight)}
        for c, row in enumerate(found.per_category)
    ]
    return SubmissionScore(
        challenge="as ISIC 2018 task 3 and 2019 score it",
        images=len(values),
        per_category=dict(zip(classes, rows, strict=True)),
        macro_average=_means(rows),
        whole={"balanced_accuracy": found.balanced_accuracy},
    )


def _isic2017(
    classes: Sequence[str],
    values: NDArray[np.float64],
    probability: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
) -> SubmissionScore:
    rows = [category_score(values[:, c] == 1, probability[:, c], weight) for c in range(2)]
    return SubmissionScore(
        challenge="as ISIC 2017 part 3 scores it",
        images=len(values),
        per_category=dict(zip(classes, rows, strict=True)),
        macro_average=_means(rows),
        whole={"mean_auc": _means(rows)["auc"]},
    )


def _single(
    positive: NDArray[np.bool_],
    probability: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
) -> SubmissionScore:
    row = category_score(positive, probability, weight)
    return SubmissionScore(
        challenge="one target, as ISIC 2020 and 2024 score it",
        images=len(positive),
        per_category={"target": row},
        macro_average=row,
        whole={"auc": row["auc"], "pauc_2024": partial_auc_2024(positive, probability, weight)},
    )


def _means(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
