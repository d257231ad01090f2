"""Hard data mining: which training images a model so far gets wrong, or is unsure of."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from lentigo.data.kept import read_array, write_array
from lentigo.errors import RunError
from lentigo.score.calibration import softmax
from lentigo.train.feeding import predict_rows
from lentigo.train.feeds import Material


def hard_places(
    probability: NDArray[np.floating], labels: NDArray[np.int64], below: float
) -> NDArray[np.bool_]:
    """Which images are hard.

    Args:
        probability: (n, k).
        labels: (n,) class indices.
        below: An image that is called right is hard where its class gets less than this.

    Returns:
        (n,) true where it is called wrong, a tie with another class included, or unsure.
    """
    own = probability[np.arange(len(labels)), labels]
    others = probability.copy()
    others[np.arange(len(labels)), labels] = -np.inf
    return np.asarray((others.max(axis=1) >= own) | (own < below))


def hard_rows(
    model: keras.Model, material: Material, below: float, kept: Path
) -> NDArray[np.int64]:
    """The hard rows of the training split, found once and kept in a file.

    A killed stage goes on with the rows that it began with, although its model has changed.

    Args:
        model: RGB to logits, as the stage finds it.
        material: The run's images.
        below: See `hard_places`.
        kept: The file (.npy).

    Raises:
        RunError: No training image is hard, or the file is damaged.
    """
    if kept.is_file():
        if (known := read_array(kept)) is None:
            raise RunError(
                f"The list of hard images {kept} is damaged.", todo="Train anew with --restart."
            )
        return known
    probability = softmax(
        predict_rows(model, material.images, material.training, metadata=material.metadata)
    )
    hard = hard_places(probability, material.labels[material.training], below)
    rows = material.training[hard]
    if not len(rows):
        raise RunError(
            f"No training image is misclassified or under {below}: there is nothing to mine.",
            todo="Raise hard_below, or leave the stage out.",
        )
    write_array(kept, rows)
    return rows
