"""A training that goes on or learns from other runs, and what they must not have seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lentigo.data.copies import find_links
from lentigo.data.fingerprint import fingerprints
from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.errors import InputError, LeakageError, RecipeError, RunError, listed
from lentigo.recipe import NAMED_WEIGHTS, Recipe, Soup
from lentigo.train.earlier import find_model
from lentigo.train.mean import NO_MEAN, check_mixes
from lentigo.train.run import MODEL, Run, open_network
from lentigo.train.second_input import need_image_alone

_NO_BACKBONE = "it has no backbone to go on from"
NO_TEACHER = "it cannot answer inside a training"
_NAMES = ("image_id", "lesion_id", "patient_id", "sha256")


def follow_runs(recipe: Recipe, data: PreparedSet, fold: int | None) -> Recipe:
    """The recipe with the models of the runs that it names, if it names any.

    Args:
        recipe: ``network.weights`` may be the folder of a finished run, and those of
            ``distillation.teachers`` and ``soup.runs`` are.
        data: What will be trained on.
        fold: The fold that will validate; None is the official validation split.

    Returns:
        The recipe as it is, or with the runs' models, absolute, in place of their folders.

    Raises:
        LeakageError: A run, or one that it went on or learned from, was trained on an image, a
            lesion, a patient or a picture that is now test or validation.
        RecipeError: A teacher knows other classes or takes images prepared in another way, or
            runs have no mean.
        RunError: No finished run, a teacher that takes metadata, or the set that a run was
            trained on cannot be opened.
    """
    held_out = np.concatenate(
        [data.rows("validation", fold), np.flatnonzero(data.manifest["split"] == "test")]
    )
    if folder := _run_behind(recipe.network.weights):
        run = open_network(folder, _NO_BACKBONE)
        _check_ancestors(run, data, held_out, recipe.protocol)
        network = recipe.network.model_copy(update={"weights": str(folder / MODEL)})
        recipe = recipe.model_copy(update={"network": network})
    if recipe.soup is not None:
        folders = [_run_behind(each) or Path(each) for each in recipe.soup.runs]
        runs = [open_network(folder, NO_MEAN) for folder in folders]
        check_mixes(runs, recipe, data)
        for run in runs:
            _check_ancestors(run, data, held_out, recipe.protocol)
        soup = Soup(runs=tuple(str(folder / MODEL) for folder in folders))
        recipe = recipe.model_copy(update={"soup": soup})
    if recipe.distillation is None:
        return recipe
    followed = []
    for teacher in recipe.distillation.teachers:
        folder = _run_behind(teacher) or Path(teacher)
        run = open_network(folder, NO_TEACHER)
        _check_teaches(run, data)
        _check_ancestors(run, data, held_out, recipe.protocol)
        followed.append(str(folder / MODEL))
    distillation = recipe.distillation.model_copy(update={"teachers": tuple(followed)})
    return recipe.model_copy(update={"distillation": distillation})


def _run_behind(weights: str) -> Path | None:
    """The run's folder, absolute, where weights are named by it or by its model."""
    if weights in NAMED_WEIGHTS:
        return None
    path = Path(weights)
    if path.suffix == ".keras":
        return path.parent.resolve()
    return path.resolve() if path.is_dir() else None


def _check_teaches(run: Run, data: PreparedSet) -> None:
    need_image_alone(run.info.metadata, run.path, "teachers are shown the student's images alone")
    ours, theirs = data.taxonomy.codes, run.info.taxonomy.codes
    if theirs != ours:
        raise RecipeError(
            f"The teacher {run.path} knows other classes ({', '.join(theirs)}) than {data.path} "
            f"({', '.join(ours)})."
        )
    if run.info.spec.model_copy(update={"size": data.spec.size}) != data.spec:
        raise RecipeError(
            f"The images of {data.path} were prepared in another way than those that the teacher "
            f"{run.path} takes.",
            todo="Teachers answer the very images that the student sees; only the size may differ.",
        )


def _check_ancestors(run: Run, data: PreparedSet, held_out: np.ndarray, protocol: str) -> None:
    if run.info.leaky and protocol != "as-published":
        raise LeakageError(
            f"{run.path} was trained by a leaky protocol.", todo="Go on from a leak-free run."
        )
    seen = _training_set(run)
    rows = seen.rows("train", run.info.fold)
    if shared := _shared(data, held_out, seen, rows):
        raise LeakageError(
            f"{run.path} was trained on {len(shared)} image(s) of what is now held out:\n"
            + listed(shared),
            todo="Prepare its images with --splits-of this set, train it anew with the same "
            "--fold, and go on from that.",
        )
    for folder in _parents(run):
        _check_ancestors(open_network(folder, _NO_BACKBONE), data, held_out, protocol)


def _parents(run: Run) -> list[Path]:
    """The folders of the runs that it began from, learned from, or is the mean of."""
    recipe, info = run.recipe(), run.info
    named: dict[str, str | None]
    named = dict.fromkeys(recipe.distillation.teachers if recipe.distillation else ())
    named[recipe.network.weights] = info.weights_sha256
    mixed = recipe.soup.runs if recipe.soup else ()
    named |= {each: made.sha256 for each, made in zip(mixed, info.made_of, strict=True)}
    found = []
    for model, sha256 in named.items():
        if not model.endswith(".keras"):
            continue
        if (path := find_model(model, run.path, sha256)) is None:
            raise RunError(
                f"What {run.path} was trained on cannot be checked: {model}, which it began or "
                "learned from, is not there any more.",
                todo="Put that run back where it was, or both beside each other.",
            )
        found.append(path.parent)
    return found


def _training_set(run: Run) -> PreparedSet:
    try:
        seen = open_prepared(run.info.prepared_path)
    except InputError as error:
        raise RunError(
            f"What {run.path} was trained on cannot be checked: {error}",
            todo="Put the prepared set back where it was.",
        ) from None
    if seen.digest != run.info.prepared_digest:
        raise RunError(
            f"{seen.path} is not the set that {run.path} was trained on.",
            todo="Put the prepared set back where it was.",
        )
    return seen


def _shared(
    data: PreparedSet, held_out: np.ndarray, seen: PreparedSet, rows: np.ndarray
) -> list[str]:
    """Held-out images that the other training met by name or by picture."""
    held, trained = data.manifest.iloc[held_out], seen.manifest.iloc[rows]
    met = np.zeros(len(held), bool)
    for name in _NAMES:
        known = set(trained[name]) - {""}
        met |= held[name].isin(known).to_numpy()
    places = [(data.images, row) for row in held_out] + [(seen.images, row) for row in rows]

    def picture(number: int) -> NDArray[np.uint8]:
        images, row = places[number]
        return np.asarray(images[row])

    frame = pd.concat([held, trained], ignore_index=True)[["sha256", "lesion_id"]]
    hashes, parts = fingerprints(map(picture, range(len(places))), len(places))
    for a, b in find_links(frame, hashes, parts, picture).all:
        if a < len(held) <= b:
            met[a] = True
    return held["image_id"][met].tolist()
