"""The finished runs that a training learns from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lentigo.model import Teachers
from lentigo.recipe import Output, Recipe
from lentigo.train.lineage import NO_TEACHER
from lentigo.train.run import open_network
from lentigo.train.sampling import spoken_mixture
from lentigo.train.seal import LEAST_SHARE


def open_teachers(recipe: Recipe, labels: NDArray[np.int64], classes: int) -> Teachers | None:
    """The recipe's teachers, speaking of the population that its loss speaks of.

    A teacher whose answers take other shares of the classes for granted would teach these
    shares; the quotient of both is taken out of its logits (Saerens 2002).

    Args:
        recipe: Its ``distillation.teachers`` are models of finished runs.
        labels: Class index of every training image, (n,).
        classes: How many classes there are.

    Raises:
        RunError: A run that does not state which population its answers speak of.
    """
    if recipe.distillation is None:
        return None
    untouched = recipe.model_copy(update={"output": Output()})
    wanted = np.log(spoken_mixture(labels, untouched, classes).clip(LEAST_SHARE))
    models, shifts = [], []
    for path in map(Path, recipe.distillation.teachers):
        run = open_network(path.parent, NO_TEACHER)
        models.append(run.model)
        shifts.append(wanted - np.log(run.calibration.stated_mixture(run.path)))
    return Teachers(models, shifts, recipe.distillation.temperature)
