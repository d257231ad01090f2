"""A stage's trainable layers, optimiser and schedule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from lentigo.errors import RecipeError
from lentigo.model import batch_norms
from lentigo.recipe import Stage


def set_trainable(model: keras.Model, stage: Stage) -> None:
    """Freeze and thaw the layers of ``model`` as the stage says.

    Raises:
        RecipeError: ``after:N`` with more layers than the backbone has.
    """
    backbone = model.get_layer("backbone")
    model.predict_function = None  # divided among devices, it holds by what was frozen
    _thaw(model)
    if stage.train == "head":
        backbone.trainable = False
    elif stage.train.startswith("after:"):
        frozen = int(stage.train.partition(":")[2])
        if frozen > len(backbone.layers):
            raise RecipeError(
                f"stage {stage.name!r} freezes {frozen} layers; the backbone has "
                f"{len(backbone.layers)}."
            )
        for layer in backbone.layers[:frozen]:
            layer.trainable = False
    if stage.batch_norm == "frozen":
        for norm in batch_norms(model):
            norm.trainable = False


def _thaw(model: keras.Model) -> None:
    # Setting it on a functional model does not reach the models inside.
    model.trainable = True
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            _thaw(layer)
        else:
            layer.trainable = True


def build_optimizer(
    stage: Stage, *, steps: int, precision: str, shares: Sequence[float] = ()
) -> keras.optimizers.Optimizer:
    """The stage's optimiser.

    Args:
        stage: What it does.
        steps: An epoch; they give the schedule its length.
        precision: Of the recipe.
        shares: Of the learning rate, one for each variable that it is built with; none is all
            of it for all.
    """
    average = {"use_ema": stage.average_decay > 0, "ema_momentum": stage.average_decay or 0.99}
    decay = {"weight_decay": stage.weight_decay or None}
    rate = _rate(stage, steps)
    optimizer: keras.optimizers.Optimizer
    if stage.optimizer == "sgd":
        optimizer = _kind(keras.optimizers.SGD, shares)(
            rate, momentum=stage.momentum, **decay, **average
        )
    elif stage.optimizer == "adamw":
        optimizer = _kind(keras.optimizers.AdamW, shares)(
            rate, weight_decay=stage.weight_decay, **average
        )
    else:
        optimizer = _kind(keras.optimizers.Adam, shares)(rate, **decay, **average)
    if precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def rate_shares(model: keras.Model, variables: Sequence[Any], stem_rate: float) -> list[float]:
    """The share of the learning rate that each of ``variables`` has, in (0, 1].

    Args:
        model: With its stage's layers frozen.
        variables: The trainable ones of it, or of a model around it.
        stem_rate: That of the backbone's first trainable layer.

    Returns:
        (n,): a geometric line over the backbone's layers that train, 1 for all else (Howard
        and Ruder 2018, section 3.2, by layer in place of by group).
    """
    layers = [layer for layer in model.get_layer("backbone").layers if layer.trainable_variables]
    share_of = {
        id(variable): stem_rate ** (1 - place / len(layers))
        for place, layer in enumerate(layers)
        for variable in layer.trainable_variables
    }
    return [share_of.get(id(variable), 1.0) for variable in variables]


def _kind(kind: Any, shares: Sequence[float]) -> Any:
    """An optimiser's class, made for epochs that are fitted one by one.

    Where there are ``shares`` its variables have rates of their own.
    """

    class Lasting(kind):
        def finalize_variable_values(self, var_list: Any) -> None:
            """Nothing: at the end of each ``fit`` Keras would leave the average in the weights."""

    if not shares:
        return Lasting

    class Layered(Lasting):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            share = shares[self._get_variable_index(variable)]
            super().update_step(gradient, variable, learning_rate * share)

    return Layered


def _rate(stage: Stage, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    warm = round(stage.warmup_epochs * steps)
    whole = stage.epochs * steps
    if stage.schedule == "cosine":
        if warm:
            return keras.optimizers.schedules.CosineDecay(
                stage.learning_rate / 100,
                max(whole - warm, 1),
                alpha=0.01,
                warmup_target=stage.learning_rate,
                warmup_steps=warm,
            )
        return keras.optimizers.schedules.CosineDecay(stage.learning_rate, whole, alpha=0.01)
    return float(stage.learning_rate)
