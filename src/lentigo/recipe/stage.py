"""A stage of a recipe: which layers train, how, for how long."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lentigo.outside import Part
from lentigo.recipe.part import Count, CountOrNone, NotNegative, Positive, Share


class Stage(Part):
    """One stretch of training with its own trainable layers and optimiser.

    ``train``: ``all``, ``head`` (backbone frozen) or ``after:N`` (first N backbone layers
    frozen). ``batch_norm``: ``train`` normalises by the batch and moves the statistics,
    ``frozen`` uses the stored statistics and trains neither scale nor offset; in frozen
    layers it is always frozen. ``reestimate_batches`` re-computes the statistics
    on so many of the epoch's training batches before each validation (0: never).
    ``schedule``: ``constant``, ``cosine`` (to 1% over the stage, after ``warmup_epochs``
    linear epochs) or ``plateau`` (times ``plateau_factor`` after ``plateau_patience``
    epochs without a better selection metric). ``average_decay``: exponential moving average
    of the weights a step, validated and kept in place of the last ones (0: none).
    ``average_from``: from this epoch of the stage on, the weights at the end of each epoch weigh
    equally in a mean that is validated and kept in place of the last ones (stochastic weight
    averaging, Izmailov 2018, algorithm 1; 0: none). It gains most where the rate stays high.
    ``stem_rate``: the share of the learning rate that the backbone's first trainable layer has;
    those after it lie on a geometric line up to the head, which has all of it (Howard and Ruder
    2018, discriminative fine-tuning; 1: all alike).
    ``cached_views``: a frozen backbone runs once over so many augmented views an image, and
    the head trains on the features (0: the backbone runs every epoch).
    ``hard_below``: before the stage begins the model so far answers all training images, and
    the stage trains only on those that it gets wrong or whose own class it gives less than
    this probability (hard data mining; 0: on all).
    ``sparsity``: so large a share of the large kernels, their smallest weights, is set to zero
    when the stage begins and stays so (0: none). In the first stage it goes on from the whole
    classifier that ``network.weights`` names, head included.
    """

    name: str = "train"
    epochs: Count
    train: str = Field(default="all", pattern=r"^(all|head|after:\d+)$")
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Positive = 1e-3
    weight_decay: NotNegative = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    schedule: Literal["constant", "cosine", "plateau"] = "constant"
    warmup_epochs: NotNegative = 0.0
    plateau_patience: Count = 3
    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    early_stopping_patience: CountOrNone = 0
    batch_size: Count = 32
    batch_norm: Literal["train", "frozen"] = "train"
    reestimate_batches: CountOrNone = 0
    average_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    average_from: CountOrNone = 0
    stem_rate: Annotated[float, Field(gt=0, le=1)] = 1.0
    cached_views: CountOrNone = 0
    hard_below: Share = 0.0
    sparsity: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def _caching_needs_a_frozen_backbone(self) -> Stage:
        if self.cached_views and self.train != "head":
            raise ValueError(f"stage {self.name!r}: cached_views needs train = 'head'")
        return self

    @model_validator(mode="after")
    def _only_a_cosine_warms_up(self) -> Stage:
        if self.warmup_epochs and self.schedule != "cosine":
            raise ValueError(f"stage {self.name!r}: warmup_epochs needs schedule = 'cosine'")
        return self

    @model_validator(mode="after")
    def _masks_outlive_no_average(self) -> Stage:
        if self.sparsity and self.average_decay:
            raise ValueError(f"stage {self.name!r}: sparsity excludes average_decay")
        return self

    @model_validator(mode="after")
    def _one_average(self) -> Stage:
        if not self.average_from:
            return self
        if self.average_decay:
            raise ValueError(
                f"stage {self.name!r}: average_decay and average_from are two kinds of average; "
                "set one of them to 0"
            )
        if self.average_from > self.epochs:
            raise ValueError(
                f"stage {self.name!r}: average_from = {self.average_from} is past its last epoch, "
                f"{self.epochs}"
            )
        if self.train != "head" and self.batch_norm == "train" and not self.reestimate_batches:
            raise ValueError(
                f"stage {self.name!r}: average_from needs reestimate_batches: statistics of the "
                "last weights are not those of their mean"
            )
        return self
