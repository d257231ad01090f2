"""The mean of a stage's weights, which is validated and kept in place of the last ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lentigo.recipe import Stage
from lentigo.train.state import assign, values_of


class WeightAverage:
    """Exponential over steps, equal over epochs (Izmailov 2018), or none, as the stage says.

    Args:
        stage: What it does.
        weights: The variables that it trains.
        optimizer: Built with them; it keeps the exponential mean.

    Attributes:
        variables: The equal mean, which belongs into a checkpoint; empty for the other kinds.
    """

    def __init__(
        self,
        stage: Stage,
        weights: Sequence[keras.Variable],
        optimizer: keras.optimizers.Optimizer,
    ) -> None:
        self._stage, self._weights, self._optimizer = stage, weights, optimizer
        equal = weights if stage.average_from else ()
        self.variables = [
            keras.Variable(np.zeros(v.shape, np.float32), trainable=False, dtype="float32")
            for v in equal
        ]

    @contextmanager
    def after(self, epoch: int) -> Iterator[None]:
        """Take in the weights after an epoch; inside, the variables hold the average.

        Args:
            epoch: Of the stage, counted from 1.
        """
        last = values_of(self._weights)
        mean = self._mean(epoch, last)
        if mean is None:
            yield
            return
        assign(self._weights, mean)
        try:
            yield
        finally:
            assign(self._weights, last)

    def _mean(self, epoch: int, last: list[NDArray[Any]]) -> list[NDArray[Any]] | None:
        if self._stage.average_decay:
            inner = getattr(self._optimizer, "inner_optimizer", self._optimizer)
            # What the optimiser itself leaves out, see `lentigo.train.stages`.
            keras.optimizers.Optimizer.finalize_variable_values(inner, self._weights)
            # Assigned anew as arrays: on JAX weights and mean would share one buffer, which the
            # next prediction donates.
            return values_of(self._weights)
        if not 0 < self._stage.average_from <= epoch:
            return None
        share = 1 / (epoch - self._stage.average_from + 1)
        means = zip(values_of(self.variables), last, strict=True)
        assign(self.variables, [mean + share * (now - mean) for mean, now in means])
        return values_of(self.variables)
