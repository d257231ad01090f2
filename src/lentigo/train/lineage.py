"""A training that goes on from another run's backbone, and what that run must not have seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lentigo.data.duplicates import near_duplicates, perceptual_hash
from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.errors import InputError, LeakageError, RunError, listed
from lentigo.recipe import Recipe
from lentigo.train.run import MODEL, Run, open_network

_NO_BACKBONE = "it has no backbone to go on from"
_NAMES = ("image_id", "lesion_id", "patient_id", "sha256")


def follow_weights(recipe: Recipe, data: PreparedSet, fold: int | None) -> Recipe:
    """The recipe with the weights of the run that it names, if it names one.

    Args:
        recipe: ``network.weights`` may be the folder of a finished run.
        data: What will be trained on.
        fold: The fold that will validate; None is the official validation split.

    Returns:
        The recipe as it is, or with the run's model as weights.

    Raises:
        LeakageError: The run, or one that it went on from, was trained on an image, a lesion,
            a patient or a picture that is now test or validation.
        RunError: No finished run, or the set that it was trained on cannot be opened.
    """
    path = Path(recipe.network.weights)
    if path.suffix != ".keras" and not path.is_dir():
        return recipe
    folder = path.parent if path.suffix == ".keras" else path
    held_out = np.concatenate(
        [data.rows("validation", fold), np.flatnonzero(data.manifest["split"] == "test")]
    )
    _check_ancestors(open_network(folder, _NO_BACKBONE), data, held_out, recipe.protocol)
    network = recipe.network.model_copy(update={"weights": str(folder / MODEL)})
    return recipe.model_copy(update={"network": network})


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
    weights = Path(run.recipe().network.weights)
    if weights.suffix == ".keras":
        _check_ancestors(open_network(weights.parent, _NO_BACKBONE), data, held_out, protocol)


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
    hashes = [perceptual_hash(data.images[row]) for row in held_out]
    hashes += [perceptual_hash(seen.images[row]) for row in rows]
    for a, b in near_duplicates(np.stack(hashes)):
        if a < len(held) <= b:
            met[a] = True
    return held["image_id"][met].tolist()
