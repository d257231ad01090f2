"""A stage's trainable layers, optimiser and schedule."""

from __future__ import annotations

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


def build_optimizer(stage: Stage, *, steps: int, precision: str) -> keras.optimizers.Optimizer:
    """The stage's optimiser; ``steps`` an epoch give the schedule its length."""
    average = {"use_ema": stage.average_decay > 0, "ema_momentum": stage.average_decay or 0.99}
    rate = _rate(stage, steps)
    optimizer: keras.optimizers.Optimizer
    if stage.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(
            rate, momentum=stage.momentum, weight_decay=stage.weight_decay or None, **average
        )
    elif stage.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(rate, weight_decay=stage.weight_decay, **average)
    else:
        optimizer = keras.optimizers.Adam(rate, weight_decay=stage.weight_decay or None, **average)
    if precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


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
