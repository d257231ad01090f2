"""Learning from other models' answers: the teachers as a layer, their say as a loss.

The teachers see the very image that the student sees, augmented alike, in every step (Beyer
2022), so nothing of theirs is stored and MixUp and frames hold for them too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lentigo.model.joined import answer, beside_image, image_input

Floats = NDArray[np.float64]


class Teachers(keras.layers.Layer):
    """Images (B, S, S, 3) to the logarithm of the teachers' mean probabilities (B, k).

    Args:
        models: Classifiers of square images; one of another size is given them resampled
            (bilinear, antialiased where they shrink). They do not learn, and their batch norms
            use the stored statistics in every mode.
        shifts: What is added to the logits of each, (k,): from the population that its answers
            speak of to the one that the student's loss speaks of.
        temperature: Divides the logits; above 1 the less likely classes say more (Hinton 2015).
    """

    def __init__(
        self, models: Sequence[keras.Model], shifts: Sequence[Floats], temperature: float
    ) -> None:
        super().__init__(trainable=False, name="teachers", dtype="float32")
        self._models, self._temperature = list(models), temperature
        self._shifts = [np.asarray(shift, np.float32) for shift in shifts]
        for model in self._models:
            model.trainable = False

    def call(self, images: Any) -> Any:
        """The logarithm of the mean probabilities at the temperature."""
        answers = [
            keras.ops.softmax((_answer(model, images) + shift) / self._temperature)
            for model, shift in zip(self._models, self._shifts, strict=True)
        ]
        mean = keras.ops.mean(keras.ops.stack(answers), axis=0)
        return keras.ops.log(keras.ops.maximum(mean, keras.config.epsilon()))


def _answer(model: keras.Model, images: Any) -> Any:
    size = model.input_shape[1:3]
    if size != tuple(images.shape[1:3]):
        images = keras.ops.image.resize(images, size, interpolation="bilinear", antialias=True)
    return model(images, training=False)


class Distilled(keras.losses.Loss):
    """Part a loss of the labels, part the cross-entropy with the teachers' answers.

    ``(1 - weight) loss(labels, z) - weight T^2 sum_c q_c log softmax(z / T)_c`` for the
    student's logits z and the teachers' probabilities q at the temperature T; with T^2 both
    parts keep their gradients' proportion whatever T is (Hinton 2015, section 2).

    Args:
        loss: Of labels and the student's logits.
        weight: Of the teachers, in (0, 1].
        temperature: T, as the `Teachers` have it.
    """

    def __init__(self, loss: keras.losses.Loss, weight: float, temperature: float) -> None:
        super().__init__(name="distilled")
        self._loss, self._weight, self._temperature = loss, weight, temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Loss (B,) of labels (B, k) and logits beside the teachers' answers (B, 2k)."""
        logits, taught = keras.ops.split(y_pred, 2, axis=-1)
        spoken = keras.ops.log_softmax(logits / self._temperature, axis=-1)
        apart = -keras.ops.sum(keras.ops.exp(taught) * spoken, axis=-1)
        of_labels = self._loss.call(y_true, logits)
        return (1 - self._weight) * of_labels + self._weight * self._temperature**2 * apart


def beside_teachers(student: keras.Model, teachers: Teachers) -> keras.Model:
    """Images to the student's logits and, behind them, the teachers' answers, (B, 2k).

    What the student takes beside the image, the teachers are not told.
    """
    image, beside = keras.Input(image_input(student).shape[1:], name="image"), beside_image(student)
    said = [answer(student, image, beside), teachers(image)]
    both = keras.layers.Concatenate(dtype="float32")(said)
    return keras.Model([image, *beside] if beside else image, both, name="beside_teachers")
