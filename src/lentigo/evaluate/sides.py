"""What a finished evaluation knows: the predictions, and which images and groups they are of."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.errors import InputError, listed
from lentigo.files import read_json
from lentigo.score.arrays import predicted
from lentigo.score.panel import Panel


@dataclass(frozen=True)
class Side:
    """One model's answers to a list of images.

    Attributes:
        name: The model's.
        image_ids: (n,) sorted.
        labels: (n,) class indices.
        probability: (n, k).
        codes: (k,) class codes.
        malignant: (k,) which of them are; all false where that is not known.
        groups: (n,) group of each image.
        thresholds: Of the malignant probability, by name of the operating point; each model's own.
        family: Recipe's name and digest of recipe and data, for runs; None for others.
        leaky: Whether its evaluation says that training saw what these images show.
        cautions: What else a reader must know of its figures, as its evaluation says.
    """

    name: str
    image_ids: NDArray[np.str_]
    labels: NDArray[np.int64]
    probability: NDArray[np.float64]
    codes: tuple[str, ...]
    malignant: tuple[bool, ...]
    groups: NDArray[np.str_]
    family: tuple[str, str] | None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    leaky: bool = False
    cautions: tuple[str, ...] = ()

    @property
    def panel(self) -> Panel:
        """Every figure that ``evaluate`` writes, ready for resampling."""
        return Panel.of(
            self.labels, self.probability, self.codes, self.malignant, dict(self.thresholds)
        )

    @property
    def right(self) -> NDArray[np.bool_]:
        """(n,) where the most probable class is the label."""
        return np.asarray(predicted(self.probability) == self.labels)

    def is_(self, what: str) -> NDArray[np.bool_]:
        """(n,) where the label is class ``what``, or malignant."""
        return np.asarray(np.isin(self.labels, self._members(what)))

    def score_of(self, what: str) -> NDArray[np.float64]:
        """(n,) probability of class ``what``, or of being malignant."""
        return np.asarray(self.probability[:, self._members(what)].sum(axis=1))

    def _members(self, what: str) -> list[int]:
        if what in self.codes:
            return [self.codes.index(what)]
        return [c for c, malignant in enumerate(self.malignant) if malignant]


def find_evaluation(path: Path | str, split: str) -> Path:
    """The folder with the predictions that a run, a bundle or an evaluation has.

    A ``predictions.csv`` that something else wrote stands for itself.

    Raises:
        InputError: It was not evaluated on that split.
    """
    path = Path(path)
    if path.suffix == ".csv" and path.is_file():
        whole = path.name == "predictions.csv" and (path.parent / "metrics.json").is_file()
        return path.parent if whole else path
    candidates = [
        path,
        path / "evaluation" / split,
        path.with_name(f"{path.stem}-evaluation") / split,
    ]
    for folder in candidates:
        if (folder / "metrics.json").is_file() and (folder / "predictions.csv").is_file():
            return folder
    others = sorted({each for folder in candidates[1:] for each in _like(folder)})
    raise InputError(
        f"{path} holds no finished evaluation of the {split} split.",
        todo="Name one of another set: " + ", ".join(map(str, others))
        if others
        else f"lentigo evaluate {path} --data PREPARED --split {split}",
    )


def _like(folder: Path) -> list[Path]:
    """Finished evaluations of the same split, of other images than the model was trained with."""
    return [each.parent for each in folder.parent.glob(f"{folder.name}-*/metrics.json")]


def read_sides(
    evaluations: Sequence[Path | str], data: PreparedSet | Path | str | None = None
) -> list[Side]:
    """Read evaluations of the same images.

    Args:
        evaluations: With ``predictions.csv`` and ``evaluation.json``, as ``evaluate`` writes them;
            or a CSV of anyone's (``image_id``, ``label``, a probability column a class).
        data: The prepared set; None is the one that the first evaluation names.

    Returns:
        One side a folder, in their order, names told apart, rows sorted by image.

    Raises:
        InputError: One evaluation twice, different images, labels or classes, or the prepared
            set is gone or another.
    """
    folders = [Path(each) for each in evaluations]
    places = [folder.resolve() for folder in folders]
    if twice := sorted({str(each) for each in places if places.count(each) > 1}):
        raise InputError(
            "An evaluation is named more than once:\n" + listed(twice),
            todo="Name each once; of itself a model does not differ.",
        )
    contexts = [_context(folder) for folder in folders]
    prepared = _prepared(contexts[0], folders[0], Path(data) if isinstance(data, str) else data)
    groups = dict(zip(prepared.manifest["image_id"], prepared.groups, strict=True))
    names = _names(folders, contexts)
    sides = []
    for folder, context, name in zip(folders, contexts, names, strict=True):
        path = folder if folder.is_file() else folder / "predictions.csv"
        ids, labels, probability, codes = _predictions(path)
        if lost := [image for image in ids if image not in groups]:
            raise InputError(
                f"{len(lost)} image(s) of {folder} are not in {prepared.path}:\n{listed(lost)}",
                todo="Name the prepared set with --data.",
            )
        flags = _flags(context) or {c.code: c.malignant for c in prepared.taxonomy.classes}
        known = all(code in flags for code in codes)
        sides.append(
            Side(
                name=name,
                image_ids=np.array(ids),
                labels=labels,
                probability=probability,
                codes=codes,
                malignant=tuple(known and flags[code] for code in codes),
                groups=np.array([groups[image] for image in ids], dtype=str),
                family=_family(context),
                thresholds=_thresholds(context, folder),
                leaky=bool(context.get("leaky")),
                cautions=tuple(map(str, context.get("cautions", ()))),
            )
        )
    _check_alike(sides, folders)
    return sides


def _context(folder: Path) -> dict[str, Any]:
    if folder.is_file():
        return {"model": folder.stem}
    content = read_json(folder / "evaluation.json")
    if not isinstance(content, dict) or "model" not in content:
        raise InputError(f"{folder / 'evaluation.json'} is damaged.", todo="Evaluate again.")
    return content


def _prepared(
    context: dict[str, Any], folder: Path, data: PreparedSet | Path | None
) -> PreparedSet:
    if isinstance(data, PreparedSet):
        return data
    try:
        return open_prepared(data if data is not None else Path(str(context.get("data", "?"))))
    except InputError as error:
        raise InputError(
            f"The groups of {folder} are not known: {error}",
            todo="Name the prepared set with --data.",
        ) from None


def _names(folders: Sequence[Path], contexts: Sequence[dict[str, Any]]) -> list[str]:
    names = [str(context["model"]) for context in contexts]
    return [
        name if names.count(name) == 1 else f"{name} ({folder})"
        for name, folder in zip(names, folders, strict=True)
    ]


def _family(context: dict[str, Any]) -> tuple[str, str] | None:
    about = context.get("description") or {}
    if about.get("kind") != "run":
        return None
    digests = f"{about.get('recipe_digest')} {about.get('prepared_digest')}"
    return str(about.get("recipe")), digests


def _flags(context: Mapping[str, Any]) -> dict[str, bool]:
    """Which of the model's classes are malignant, where its evaluation says so."""
    return {str(c.get("code")): bool(c.get("malignant")) for c in context.get("classes", ())}


def _thresholds(context: Mapping[str, Any], folder: Path) -> dict[str, float]:
    """The sealed thresholds of a model; none where something else than lentigo answered."""
    try:
        return {
            str(point["name"]): float(point["threshold"])
            for point in context.get("operating_points", ())
        }
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"{folder / 'evaluation.json'} is damaged.", todo="Evaluate again."
        ) from None


def _predictions(
    path: Path,
) -> tuple[list[str], NDArray[np.int64], NDArray[np.float64], tuple[str, ...]]:
    """Image ids, labels, probabilities and codes, sorted by image."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            header, *rows = list(csv.reader(stream))
        codes = tuple(header[2:])
        rows.sort()
        ids = [row[0] for row in rows]
        labels = np.array([codes.index(row[1]) for row in rows], np.int64)
        values = np.array([[float(cell) for cell in row[2:]] for row in rows])
        probability = values / values.sum(axis=1, keepdims=True)
    except (OSError, ValueError, IndexError) as error:
        raise InputError(
            f"{path} cannot be read: {error}",
            todo="It holds image_id, label and a probability column a class.",
        ) from None
    if len(set(ids)) != len(ids):
        raise InputError(f"{path} names an image twice.", todo="Evaluate again.")
    return ids, labels, probability, codes


def _check_alike(sides: Sequence[Side], folders: Sequence[Path]) -> None:
    first = sides[0]
    problems = []
    for side, folder in zip(sides[1:], folders[1:], strict=True):
        if side.codes != first.codes:
            problems.append(f"{folder}: other classes ({', '.join(side.codes)})")
        elif side.image_ids.tolist() != first.image_ids.tolist():
            shared = len(set(side.image_ids.tolist()) & set(first.image_ids.tolist()))
            problems.append(
                f"{folder}: {len(side.image_ids)} images, {shared} of them among the "
                f"{len(first.image_ids)} of the first"
            )
        elif (side.labels != first.labels).any():
            problems.append(f"{folder}: other labels for the same images")
    if problems:
        raise InputError(
            f"Only the same images can be compared; {folders[0]} is not matched by\n"
            + listed(problems),
            todo="Evaluate all of them on the same split of the same prepared set.",
        )
