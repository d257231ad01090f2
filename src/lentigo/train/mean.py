"""The mean of the weights of several fine-tunings (model soup, Wortsman 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from lentigo.data.prepared import PreparedSet
from lentigo.errors import RecipeError, listed
from lentigo.model import build_model
from lentigo.recipe import Recipe
from lentigo.train.feeds import ImageFeed, Material
from lentigo.train.run import NetworkRun, open_network
from lentigo.train.stages import set_trainable
from lentigo.train.state import rekey_seeds
from lentigo.train.statistics import StatisticsEstimator

NO_MEAN = "it has no weights to average"


def check_mixes(runs: Sequence[NetworkRun], recipe: Recipe, data: PreparedSet) -> None:
    """Refuse runs whose weights have no mean that answers on ``data``.

    Args:
        runs: Named by ``recipe.soup``.
        recipe: What their mean shall be.
        data: What it will be validated on.

    Raises:
        RecipeError: All that differs between them, run by run.
        RunError: A run that does not state which population its answers speak of.
    """
    wrong = [
        f"{run.path}: {problem}"
        for run in runs
        for problem in _problems(run, runs[0], recipe, data)
    ]
    if wrong:
        raise RecipeError(
            f"These runs cannot be averaged:\n{listed(wrong)}",
            todo="Average fine-tunings of one network that began from the same weights.",
        )
    for run in runs:
        run.calibration.stated_mixture(run.path)


def _problems(run: NetworkRun, first: NetworkRun, recipe: Recipe, data: PreparedSet) -> list[str]:
    theirs = run.recipe()
    pairs = {
        "network": (_without(theirs.network, "weights", "batch_norm_momentum"),
                    _without(recipe.network, "weights", "batch_norm_momentum")),
        "head": (_without(theirs.head, "dropout"), _without(recipe.head, "dropout")),
        # What was given back of the prior lies in the biases, whose mean is that of the priors.
        "output": (_without(theirs.output, "prior_power"),
                   _without(recipe.output, "prior_power")),
        "preprocessing": (_without(run.spec), _without(data.spec)),
        "recipe": (_second_input(theirs), _second_input(recipe)),
    }  # fmt: skip
    found = [
        f"{part}.{key} is {had.get(key)!r}, not {wanted.get(key)!r}"
        for part, (had, wanted) in pairs.items()
        for key in had | wanted
        if had.get(key) != wanted.get(key)
    ]
    if run.taxonomy.codes != data.taxonomy.codes:
        known = ", ".join(data.taxonomy.codes)
        found.append(f"it knows the classes {', '.join(run.taxonomy.codes)}, not {known}")
    if _beginning(run) != _beginning(first):
        found.append(f"it began from other weights than {first.path}")
    return found


def _without(part: BaseModel, *names: str) -> dict[str, Any]:
    return part.model_dump(mode="json", exclude=set(names))


def _second_input(recipe: Recipe) -> dict[str, Any]:
    second = recipe.metadata
    return {"metadata": None if second is None else _without(second, "withheld")}


def _beginning(run: NetworkRun) -> tuple[str, int]:
    """Which weights a training began from; drawn ones are a function of the seed."""
    if run.info.weights_sha256 is not None:
        return run.info.weights_sha256, 0
    weights = run.recipe().network.weights
    return weights, run.info.seed if weights == "none" else 0


def mean_of_runs(
    recipe: Recipe, material: Material, classes: int
) -> tuple[keras.Model, NDArray[np.float64]]:
    """The mean of the models of ``recipe.soup``, each with the same weight.

    Batch-norm layers that the last stage trains get statistics of its own training batches,
    since those of the mean's activations are not the mean of theirs.

    Args:
        recipe: Its ``soup.runs`` are models of finished runs that `check_mixes` let pass.
        material: What the statistics are estimated on.
        classes: How many classes there are.

    Returns:
        The model, of one view; and how common each class is in the population that it speaks
        of, (classes,): as biases are averaged, so are the logarithms of the shares.
    """
    named = () if recipe.soup is None else recipe.soup.runs
    runs = [open_network(Path(each).parent, NO_MEAN) for each in named]
    network = recipe.network.model_copy(update={"weights": "none"})
    model = build_model(recipe.model_copy(update={"network": network}), classes)
    weights = zip(*(run.model.get_weights() for run in runs), strict=True)
    model.set_weights([np.mean(each, axis=0, dtype=np.float64) for each in weights])
    _reestimate(model, recipe, material)
    shares = [run.calibration.stated_mixture(run.path) for run in runs]
    mixture = np.exp(np.log(shares).mean(axis=0))
    return model, mixture / mixture.sum()


def _reestimate(model: keras.Model, recipe: Recipe, material: Material) -> None:
    stage = recipe.stages[-1]
    if not stage.reestimate_batches:
        return
    set_trainable(model, stage)
    rekey_seeds(model, seed=material.seed, epoch=0)
    feed = ImageFeed(model, recipe, stage, material)
    StatisticsEstimator(feed.model)(feed.batches(0), stage.reestimate_batches)
