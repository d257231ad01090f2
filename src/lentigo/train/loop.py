"""The loop over stages and epochs, which can be killed and goes on."""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from lentigo.errors import RunError
from lentigo.model import (
    Distilled,
    adopt_head,
    build_loss,
    build_model,
    fused_batch_norms,
    prune_smallest,
    shift_logits,
)
from lentigo.recipe import Recipe, Sampling, Stage
from lentigo.train.accuracy import TrainingAccuracy
from lentigo.train.averaging import WeightAverage
from lentigo.train.begun import Begun
from lentigo.train.feeds import FeatureFeed, Feed, ImageFeed, Material
from lentigo.train.mining import hard_rows
from lentigo.train.sampling import drawn_share
from lentigo.train.stages import build_optimizer, rate_shares, set_trainable
from lentigo.train.state import (
    HistoryRow,
    Standing,
    assign,
    fits,
    load_checkpoint,
    rekey_seeds,
    save_checkpoint,
)
from lentigo.train.statistics import StatisticsEstimator
from lentigo.train.teachers import open_teachers
from lentigo.train.validation import selection_score, validation_scores

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """What a progress display is told after each batch, and with ``row`` after each epoch."""

    stage: str
    epoch: int
    epochs: int
    step: int
    steps: int
    images_per_s: float
    row: HistoryRow | None = None


Report = Callable[[Progress], None]


class _Batches(keras.callbacks.Callback):
    def __init__(self, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._tell = tell

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002
        self._tell(batch + 1)


class Training:
    """A recipe's training on its material, from its checkpoint on where there is one.

    Args:
        recipe: What to do.
        material: On what, and by which seed.
        malignant: Whether each class is.
        folder: Where the checkpoints lie.
        report: Told after each batch and epoch.
        kept: Where features of frozen backbones are kept; None is ``folder``.
        begun: What a run of the first stages left (`find_begun`); not taken where it does not fit.
    """

    def __init__(
        self,
        recipe: Recipe,
        material: Material,
        malignant: tuple[bool, ...],
        folder: Path,
        report: Report,
        kept: Path | None = None,
        begun: Begun | None = None,
    ) -> None:
        self.recipe, self.material, self._malignant = recipe, material, malignant
        self._folder, self._report, self._kept = folder, report, kept or folder
        # Initialisers draw from Keras's global generator; nothing after this does.
        keras.utils.set_random_seed(material.seed)
        self.model = build_model(recipe, len(malignant))
        if recipe.stages[0].sparsity and recipe.network.weights.endswith(".keras"):
            self._adopt_head()
        labels = material.labels[material.training]
        self._teachers = open_teachers(recipe, labels, len(malignant))
        self.standing = Standing(backend=keras.backend.backend())
        self._stage_values: Sequence[Any] | None = None
        if self._last.is_file():
            self.standing, values, self._stage_values = load_checkpoint(self._last)
            assign(self.model.variables, values)
            self._check_backend()
            _log.info("resumed after epoch %d", self.standing.epoch)
        elif begun is not None and fits(self.model.variables, begun.values):
            self.standing = begun.standing
            assign(self.model.variables, begun.values)

    def _adopt_head(self) -> None:
        adopt_head(self.model, Path(self.recipe.network.weights))
        # What was given back of the prior when the other training ended is given back anew.
        labels, classes = self.material.labels[self.material.training], len(self._malignant)
        share = drawn_share(labels, Sampling(), classes)
        if self.recipe.output.prior_power:
            shift_logits(self.model, -self.recipe.output.prior_power * np.log(share))

    def _check_backend(self) -> None:
        began, now = self.standing.backend, keras.backend.backend()
        if began != now:
            raise RunError(
                f"This training began on Keras's {began} backend and cannot go on with {now}.",
                todo=f"Set KERAS_BACKEND={began}, or begin anew with --restart.",
            )

    @property
    def _last(self) -> Path:
        return self._folder / "last.npz"

    @property
    def _best(self) -> Path:
        return self._folder / "best.npz"

    def to_the_end(self) -> None:
        """Train all stages; then ``model`` holds the epoch that the recipe keeps."""
        with fused_batch_norms(self.model):
            while self.standing.stage < len(self.recipe.stages):
                self._train_stage(self.recipe.stages[self.standing.stage])
        _, values, _ = load_checkpoint(self._best)
        assign(self.model.variables, values)

    def _train_stage(self, stage: Stage) -> None:
        material = self._material_of(stage)
        set_trainable(self.model, stage)
        prune_smallest(self.model, stage.sparsity)
        if stage.sparsity and not self.standing.stage_epoch:
            self.standing.best = None  # an epoch before the pruning is not what was asked for
        feed = self._feed(stage, material)
        steps = len(feed.batches(self.standing.epoch))
        variables = feed.model.trainable_variables
        shares = rate_shares(self.model, variables, stage.stem_rate) if stage.stem_rate < 1 else []
        optimizer = build_optimizer(
            stage, steps=steps, precision=self.recipe.precision, shares=shares
        )
        # XLA on TensorFlow's CPU lacks the resampling and is no faster.
        compiled = keras.backend.backend() != "tensorflow"
        loss = build_loss(self.recipe.loss, self._share(material))
        if taught := self.recipe.distillation:
            loss = Distilled(loss, taught.weight, taught.temperature)
        feed.model.compile(
            optimizer, loss, weighted_metrics=[TrainingAccuracy()], jit_compile=compiled
        )
        optimizer.build(variables)
        average = WeightAverage(stage, variables, optimizer)
        state = [*optimizer.variables, *average.variables]
        if self._stage_values and self.standing.stage_epoch:
            assign(state, self._stage_values)
        self._stage_values = None
        estimate = StatisticsEstimator(feed.model) if stage.reestimate_batches else None
        here = self.standing.stage
        while self.standing.stage == here:
            self._train_epoch(stage, feed, optimizer, average, estimate)
            values = state if self.standing.stage == here else []
            save_checkpoint(self._last, self.standing, self.model.variables, values)

    def _material_of(self, stage: Stage) -> Material:
        """All of it, or its hard training images; class weights stay those of the whole."""
        if not stage.hard_below:
            return self.material
        kept = self._folder / f"hard-{stage.name}.npy"
        rows = hard_rows(self.model, self.material, stage.hard_below, kept)
        _log.info("stage %s: %d hard training images", stage.name, len(rows))
        return dataclasses.replace(self.material, training=rows)

    def _share(self, material: Material) -> NDArray[np.float64]:
        labels = material.labels[material.training]
        return drawn_share(labels, self.recipe.sampling, len(self._malignant))

    def _feed(self, stage: Stage, material: Material) -> Feed:
        if stage.cached_views:
            return FeatureFeed(self.model, self.recipe, stage, material, self._kept)
        return ImageFeed(self.model, self.recipe, stage, material, self._teachers)

    def _train_epoch(
        self,
        stage: Stage,
        feed: Feed,
        optimizer: keras.optimizers.Optimizer,
        average: WeightAverage,
        estimate: StatisticsEstimator | None,
    ) -> None:
        standing = self.standing
        rekey_seeds(self.model, seed=self.material.seed, epoch=standing.epoch)
        if stage.schedule != "cosine":
            optimizer.learning_rate = stage.learning_rate * standing.rate_factor
        batches = feed.batches(standing.epoch)
        start = time.perf_counter()
        fitted = self._fit(stage, feed, batches, start)
        speed = len(batches) * stage.batch_size / (time.perf_counter() - start)
        with average.after(standing.stage_epoch + 1):
            if estimate is not None:
                estimate(batches, stage.reestimate_batches)
            logits = feed.validation_logits()
            labels = self.material.labels[self.material.validation]
            row = self._row(stage, optimizer) | fitted
            scores = validation_scores(logits, labels, self._malignant)
            row |= {f"val_{name}": value for name, value in scores.items()}
            self._keep_if_best(row)
        batches.let_go()
        self._advance(stage, row)
        taken = time.perf_counter() - start
        self.standing.seconds += taken
        self.standing.epoch_seconds.append(round(taken, 3))
        self._tell(stage, len(batches), len(batches), speed, row)

    def _fit(self, stage: Stage, feed: Feed, batches: Any, start: float) -> dict[str, float]:
        """Loss and accuracy of one epoch's training images."""
        steps = len(batches)

        def tell(step: int) -> None:
            speed = step * stage.batch_size / (time.perf_counter() - start)
            self._tell(stage, step, steps, speed, None)

        fitted = feed.model.fit(
            batches, epochs=1, shuffle=False, verbose=0, callbacks=[_Batches(tell)]
        )
        loss = float(fitted.history["loss"][0])
        if not math.isfinite(loss):
            raise RunError(
                f"Training diverged: the loss of epoch {self.standing.epoch + 1} is {loss}.",
                todo=f"Lower the learning rate of stage {stage.name!r} "
                f"(--set stages.{self.standing.stage}.learning_rate={stage.learning_rate / 10:g}).",
            )
        return {"loss": loss, "accuracy": float(fitted.history["accuracy"][0])}

    def _tell(
        self, stage: Stage, step: int, steps: int, speed: float, row: HistoryRow | None
    ) -> None:
        epoch = self.standing.epoch + (row is None)
        self._report(Progress(stage.name, epoch, self.recipe.epochs, step, steps, speed, row))

    def _row(self, stage: Stage, optimizer: keras.optimizers.Optimizer) -> HistoryRow:
        rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        return {
            "epoch": self.standing.epoch + 1,
            "stage": stage.name,
            "learning_rate": rate,
        }

    def _keep_if_best(self, row: HistoryRow) -> None:
        score = selection_score(row, self.recipe.selection_metric)
        if math.isnan(score):
            raise RunError(
                f"The selection metric {self.recipe.selection_metric!r} is undefined on these "
                "validation images.",
                todo="Choose another: --set selection_metric=balanced_accuracy",
            )
        best = self.standing.best
        if self.recipe.keep == "last" or best is None or score > best:
            self.standing.best, self.standing.best_epoch = score, int(row["epoch"])
            save_checkpoint(self._best, self.standing, self.model.variables, [])

    def _advance(self, stage: Stage, row: HistoryRow) -> None:
        s = self.standing
        score = selection_score(row, self.recipe.selection_metric)
        better = s.stage_best is None or score > s.stage_best
        s.stage_best = score if better else s.stage_best
        s.stale_rate = 0 if better else s.stale_rate + 1
        s.stale_stop = 0 if better else s.stale_stop + 1
        if stage.schedule == "plateau" and s.stale_rate >= stage.plateau_patience:
            s.rate_factor, s.stale_rate = s.rate_factor * stage.plateau_factor, 0
        s.history.append(row)
        s.epoch += 1
        s.stage_epoch += 1
        stopped = 0 < stage.early_stopping_patience <= s.stale_stop
        if stopped or s.stage_epoch == stage.epochs:
            s.stage, s.stage_epoch, s.stage_best = s.stage + 1, 0, None
            s.stale_rate, s.stale_stop, s.rate_factor = 0, 0, 1.0
