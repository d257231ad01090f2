"""What a stage trains on: augmented images, or cached features of a frozen backbone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np
from numpy.typing import NDArray

from lentigo.data.kept import kept_array
from lentigo.data.metadata import vectors
from lentigo.data.oversampling import Images
from lentigo.data.prepared import PreparedSet
from lentigo.model import (
    Augment,
    Teachers,
    answer,
    beside_image,
    beside_teachers,
    draw_parameters,
    split_at_head,
)
from lentigo.recipe import Recipe, Stage
from lentigo.train.feeding import EpochBatches, predict_rows
from lentigo.train.sampling import (
    AUGMENT,
    VIEWS,
    epoch_order,
    loss_weights,
    told_metadata,
    used_rows,
)


@dataclass(frozen=True)
class Material:
    """The images of a run and what is wanted of them.

    Attributes:
        images: (N, S, S, 3) uint8, memory-mapped or drawn when asked for.
        labels: (N,) class indices.
        training: Rows of the training split.
        validation: Rows of the validation split.
        targets: (N, k) labels as probabilities, smoothed where the recipe says so.
        weights: (N,) loss weights.
        seed: The run's seed.
        digest: Of the prepared set.
        metadata: (N, places) what accompanies the images, where the recipe has metadata.
    """

    images: Images
    labels: NDArray[np.int64]
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    seed: int
    digest: str
    metadata: NDArray[np.float32] | None = None


def gather_material(recipe: Recipe, data: PreparedSet, fold: int | None, seed: int) -> Material:
    """The rows, targets and weights that a recipe takes from a prepared set."""
    training = used_rows(data, recipe.sampling, fold=fold, seed=seed)
    validation = data.rows("validation", fold)
    classes = len(data.taxonomy.classes)
    smoothing = recipe.loss.label_smoothing
    one_hot = np.eye(classes, dtype=np.float32)[data.labels]
    by_class = loss_weights(data.labels[training], recipe, classes)
    columns = None if recipe.metadata is None else recipe.metadata.columns
    return Material(
        images=data.images,
        labels=data.labels,
        training=training,
        validation=validation,
        targets=one_hot * (1 - smoothing) + smoothing / classes,
        weights=by_class[data.labels],
        seed=seed,
        digest=data.digest,
        metadata=None if columns is None else vectors(data.manifest, columns),
    )


class Feed(Protocol):
    """What the loop asks of a stage's material."""

    model: keras.Model
    """The model to compile and fit."""

    def batches(self, epoch: int) -> EpochBatches:
        """The batches of an epoch, a function of (seed, epoch)."""

    def validation_logits(self) -> NDArray[np.float32]:
        """Logits of the validation split, (n, k)."""


def _digest(arrays: Iterable[NDArray[Any]]) -> str:
    """Of the values of some arrays, in order."""
    found = hashlib.sha256()
    for each in arrays:
        found.update(np.ascontiguousarray(each).data)
    return found.hexdigest()


def _augmenter(recipe: Recipe, rest: keras.Model) -> keras.Model:
    size = recipe.network.size
    image = keras.Input((size, size, 3), dtype="uint8", name="image")
    parameters = keras.Input((draw_parameters(recipe.augmentation, size, 0, (0,)).shape[1],))
    augmented = Augment(recipe.augmentation, name="augment")(image, parameters)
    beside = beside_image(rest)
    return keras.Model([image, parameters, *beside], answer(rest, augmented, beside))


class ImageFeed:
    """Images through augmentation and the whole model, beside its teachers if it has any."""

    def __init__(
        self,
        classifier: keras.Model,
        recipe: Recipe,
        stage: Stage,
        material: Material,
        teachers: Teachers | None = None,
    ) -> None:
        self._classifier, self._recipe, self._stage = classifier, recipe, stage
        self._material = material
        answering = classifier if teachers is None else beside_teachers(classifier, teachers)
        self.model = _augmenter(recipe, answering)

    def batches(self, epoch: int) -> EpochBatches:
        """The batches of an epoch, a function of (seed, epoch)."""
        m, recipe = self._material, self._recipe
        order = epoch_order(m.labels[m.training], recipe.sampling, seed=m.seed, epoch=epoch)
        parameters = draw_parameters(
            recipe.augmentation, recipe.network.size, len(order), (m.seed, epoch, AUGMENT)
        )
        rows, told = m.training[order], None
        if recipe.metadata is not None and m.metadata is not None:
            told = told_metadata(m.metadata[rows], recipe.metadata, seed=m.seed, epoch=epoch)
        return EpochBatches(
            m.images, rows, m.targets, m.weights, parameters, self._stage.batch_size, told
        )

    def validation_logits(self) -> NDArray[np.float32]:
        """Logits of the validation split, (n, k)."""
        m = self._material
        return predict_rows(self._classifier, m.images, m.validation, metadata=m.metadata)


class FeatureFeed:
    """Features of a frozen backbone: it runs once a view, whatever the number of epochs.

    Epoch e trains on view e modulo views. Exact for a frozen backbone but for the number of
    different views, which bounds the augmentation the head sees. Features are kept by what they
    are a function of, so runs that share ``folder`` and differ in their heads or in how these
    are trained compute them once.
    """

    def __init__(
        self,
        classifier: keras.Model,
        recipe: Recipe,
        stage: Stage,
        material: Material,
        folder: Path,
    ) -> None:
        self._recipe, self._stage, self._material = recipe, stage, material
        self._count = min(stage.cached_views, stage.epochs)  # no epoch would take the others
        trunk, self.model = split_at_head(classifier)
        rows = (material.training, material.validation)
        key = [recipe.network, recipe.augmentation, recipe.precision, recipe.head.kind]
        known = [_digest(trunk.get_weights()), material.digest, _digest(rows), material.seed]
        known += [each if isinstance(each, str) else each.model_dump(mode="json") for each in key]
        self._views = kept_array(
            folder,
            ["views", self._count, *known],
            lambda path: self._compute_views(trunk, path),
        )
        self._validation = kept_array(
            folder, ["validation", *known], lambda path: self._compute_validation(trunk, path)
        )

    def _compute_validation(self, trunk: keras.Model, path: Path) -> None:
        m = self._material
        with path.open("wb") as stream:
            np.save(stream, predict_rows(trunk, m.images, m.validation))

    def _compute_views(self, trunk: keras.Model, path: Path) -> None:
        """(views, n, ...) float32 in a file, so that memory stays flat."""
        m, recipe, count = self._material, self._recipe, self._count
        forward = _augmenter(recipe, trunk)
        shape = (count, len(m.training), *trunk.output_shape[1:])
        views: NDArray[Any] = np.lib.format.open_memmap(path, "w+", np.float32, shape)
        batch_size = 64
        for view in range(count):
            parameters = draw_parameters(
                recipe.augmentation, recipe.network.size, len(m.training), (m.seed, view, VIEWS)
            )
            batches = EpochBatches(
                m.images, m.training, m.targets, m.weights, parameters, batch_size
            )
            for step in range(len(batches)):
                start = step * batch_size
                features = np.asarray(forward.predict_on_batch(list(batches[step][0])))
                end = min(start + batch_size, len(m.training))
                views[view, start:end] = features[: end - start]

    def batches(self, epoch: int) -> EpochBatches:
        """The batches of an epoch, a function of (seed, epoch)."""
        m = self._material
        order = epoch_order(m.labels[m.training], self._recipe.sampling, seed=m.seed, epoch=epoch)
        view = self._views[epoch % len(self._views)]
        targets, weights = m.targets[m.training], m.weights[m.training]
        return EpochBatches(view, order, targets, weights, None, self._stage.batch_size)

    def validation_logits(self) -> NDArray[np.float32]:
        """Logits of the validation split, (n, k)."""
        return predict_rows(self.model, self._validation, np.arange(len(self._validation)))
