"""Which training images make an epoch, in which order: a function of (seed, epoch)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lentigo.data.metadata import nothing_known
from lentigo.data.prepared import PreparedSet
from lentigo.data.splits import ranked_groups
from lentigo.model import class_weights
from lentigo.recipe import Metadata, Recipe, Sampling

ORDER, AUGMENT, DROPOUT, VIEWS, WITHHELD = range(5)
"""Streams of random numbers: the third part of every key (seed, epoch, stream)."""


def used_rows(
    data: PreparedSet, sampling: Sampling, *, fold: int | None, seed: int
) -> NDArray[np.int64]:
    """Rows of the training split that a recipe uses: all, or those of a share of the groups.

    Args:
        data: The prepared set.
        sampling: ``groups`` is the share.
        fold: The fold that validates; None is the official validation split.
        seed: The run's seed; it draws the groups.
    """
    rows = data.rows("train", fold)
    if sampling.groups == 1:
        return rows
    table = data.manifest.iloc[rows]
    ranked = ranked_groups(table["group_id"], table["label"], seed)
    kept = {group for each in ranked for group in each[: math.ceil(sampling.groups * len(each))]}
    return rows[table["group_id"].isin(kept).to_numpy()]


def epoch_order(
    labels: NDArray[np.int64], sampling: Sampling, *, seed: int, epoch: int
) -> NDArray[np.int64]:
    """Positions into the training split, in the order of the epoch.

    Args:
        labels: Class index of every training image, (n,).
        sampling: How classes are weighed against each other.
        seed: The run's seed.
        epoch: Epochs done before this one.

    Returns:
        (m,) positions in [0, n): m = n for ``all`` and ``weighted``, classes times the
        largest class for a full ``oversample``, times the smallest for ``undersample``.
    """
    random = np.random.default_rng((seed, epoch, ORDER))
    if sampling.kind == "all":
        return random.permutation(len(labels))
    counts = np.bincount(labels)
    if sampling.kind == "weighted":
        weights = np.where(counts > 0, np.maximum(counts, 1.0) ** -sampling.power, 0.0)[labels]
        return random.choice(len(labels), size=len(labels), p=weights / weights.sum())
    present = counts[counts > 0]
    if sampling.kind == "oversample":
        wanted = np.maximum(counts, round(sampling.up_to * present.max()))
    else:
        wanted = np.full(len(counts), present.min())
    drawn = [_dealt(np.flatnonzero(labels == c), int(wanted[c]), random) for c in np.unique(labels)]
    return random.permutation(np.concatenate(drawn))


def told_metadata(
    known: NDArray[np.float32], metadata: Metadata, *, seed: int, epoch: int
) -> NDArray[np.float32]:
    """What an epoch's images are accompanied by: a function of (seed, epoch, position).

    Args:
        known: Metadata of every image in the order of the epoch, (m, places).
        metadata: ``withheld`` is the share that goes without.
        seed: The run's seed.
        epoch: Epochs done before this one.

    Returns:
        (m, places).
    """
    draws = np.random.default_rng((seed, epoch, WITHHELD)).random((len(known), 1))
    return np.where(draws < metadata.withheld, nothing_known(metadata.columns), known)


def drawn_share(labels: NDArray[np.int64], sampling: Sampling, classes: int) -> NDArray[np.float64]:
    """The share that each class is expected to have in an epoch, (classes,).

    A class without images counts as one with a single image, so that every share is above 0.
    """
    counts = np.maximum(np.bincount(labels, minlength=classes), 1).astype(np.float64)
    if sampling.kind == "oversample":
        drawn = np.maximum(counts, np.round(sampling.up_to * counts.max()))
        return np.asarray(drawn / drawn.sum())
    power = {"all": 0.0, "weighted": sampling.power}.get(sampling.kind, 1.0)
    drawn = counts ** (1 - power)
    return np.asarray(drawn / drawn.sum())


def loss_weights(labels: NDArray[np.int64], recipe: Recipe, classes: int) -> NDArray[np.float32]:
    """Weight of each class in the loss, (classes,).

    ``balanced`` weights are counted on what an epoch is expected to draw, as they are by
    whoever counts them on the images that he trains on: what sampling has evened out already
    is not evened out once more.

    Args:
        labels: Class index of every training image, (n,).
        recipe: Its loss and sampling.
        classes: How many classes there are.

    Raises:
        RecipeError: A list of weights of another length than the classes.
    """
    there = np.bincount(labels, minlength=classes) > 0
    return class_weights(recipe.loss, drawn_share(labels, recipe.sampling, classes) * there)


def spoken_mixture(labels: NDArray[np.int64], recipe: Recipe, classes: int) -> NDArray[np.float64]:
    """How common each class is in the population that a trained model's softmax speaks of.

    What the loss sees, the shares drawn times the class weights, less what the logit
    adjustment took out of it, times the prior that was given back (Saerens 2002).

    Args:
        labels: Class index of every training image, (n,).
        recipe: What it is trained by.
        classes: How many classes there are.

    Returns:
        (classes,) shares that sum to 1; 0 for a class without images where classes are weighed.
    """
    drawn = drawn_share(labels, recipe.sampling, classes)
    mixture = loss_weights(labels, recipe, classes).astype(np.float64)
    mixture *= drawn ** (1 - recipe.loss.logit_adjustment)
    mixture *= drawn_share(labels, Sampling(), classes) ** recipe.output.prior_power
    return np.asarray(mixture / mixture.sum())


def _dealt(
    members: NDArray[np.int64], wanted: int, random: np.random.Generator
) -> NDArray[np.int64]:
    """``wanted`` of the members: each as often as any other, give or take one."""
    rounds = -(-wanted // len(members))
    shuffled = [random.permutation(members) for _ in range(rounds)]
    return np.concatenate(shuffled)[:wanted]
