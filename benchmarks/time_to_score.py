"""Time to a fixed validation balanced accuracy: a lentigo recipe and the plain Keras script.

Both train on the same rows of the same prepared set from the same weights and are asked for
their balanced accuracy on the same fold after every epoch; the clock runs from before the model
is built until the first epoch that reaches the target, validation included. The plain side is
``baseline_keras.py``. A side that never gets there counts with all of its time, and is said to
be slower than that.

Expected: a recipe that rebalances the classes, keeps its stem frozen and measures re-estimated
batch-norm statistics is there at least 3 times sooner.

Run on an idle machine (half an hour on two cores)::

    python benchmarks/time_to_score.py PREPARED --weights WEIGHTS.h5 --recipe RECIPE
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import contextlib

import keras
import numpy as np

import baseline_keras
from lentigo import load_recipe, open_prepared, train
from lentigo.data.prepared import PreparedSet
from lentigo.score.classification import balanced_accuracy
from lentigo.train import Progress


class ReachedError(Exception):
    """Ends a training that has what was wanted."""


class Clock:
    """The scores of one side and when it had them."""

    def __init__(self, name: str, target: float) -> None:
        self.name, self.target = name, target
        self.start = time.perf_counter()
        self.seconds, self.reached = 0.0, False

    def tell(self, epoch: int, score: float) -> None:
        """Note an epoch's score; raise `ReachedError` where it is enough."""
        self.seconds = time.perf_counter() - self.start
        self.reached = score >= self.target
        print(f"{self.name}: epoch {epoch}, {score:.3f} after {self.seconds:.0f} s", flush=True)
        if self.reached:
            raise ReachedError


def plain(data: PreparedSet, args: argparse.Namespace) -> Clock:
    """The script that anyone would write."""
    clock = Clock("plain", args.target)
    keras.utils.set_random_seed(args.seed)
    rows, held = data.rows("train", args.fold), data.rows("validation", args.fold)
    images, labels = np.asarray(data.images), data.labels
    steps = -(-len(rows) // args.batch_size)
    options = argparse.Namespace(
        alpha=args.alpha, seed=args.seed, learning_rate=5e-4, epochs=args.epochs
    )
    codes = data.taxonomy.codes
    model = baseline_keras.build(len(codes), data.spec.size, args.weights, steps, options)

    class Validated(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            probability = model.predict(images[held], batch_size=64, verbose=0)
            exact = probability / probability.sum(axis=1, keepdims=True, dtype=np.float64)
            clock.tell(epoch + 1, balanced_accuracy(labels[held], exact))

    with contextlib.suppress(ReachedError):
        model.fit(
            images[rows],
            labels[rows],
            batch_size=args.batch_size,
            epochs=args.epochs,
            verbose=0,
            callbacks=[Validated()],
        )
    return clock


def ours(data: PreparedSet, args: argparse.Namespace, folder: Path) -> Clock:
    """The recipe."""
    clock = Clock("lentigo", args.target)
    changes = [f"network.weights={args.weights}", f"network.size={data.spec.size}", *args.set]
    recipe = load_recipe(args.recipe, changes)

    def report(progress: Progress) -> None:
        if progress.row is not None:
            clock.tell(progress.epoch, float(progress.row["val_balanced_accuracy"]))

    with contextlib.suppress(ReachedError):
        train(recipe, data, out=folder, fold=args.fold, seed=args.seed, report=report)
    return clock


def main() -> None:
    """Run both sides, print the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="a prepared set")
    parser.add_argument("--weights", default="imagenet", help="imagenet, none, or a file")
    parser.add_argument("--recipe", default="lentigo-mobilenetv2")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--target", type=float, default=0.70)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--alpha", type=float, default=1.0, help="width of the plain side")
    parser.add_argument("--epochs", type=int, default=10, help="of the plain side")
    parser.add_argument("--batch-size", type=int, default=32, help="of the plain side")
    args = parser.parse_args()
    data = open_prepared(args.data)
    with tempfile.TemporaryDirectory() as folder:
        mine = ours(data, args, Path(folder))
    theirs = plain(data, args)
    if not mine.reached:
        sys.exit(f"lentigo did not reach {args.target} in {mine.seconds:.0f} s.")
    more = "" if theirs.reached else "more than "
    print(f"lentigo {mine.seconds:.0f} s, plain script {more}{theirs.seconds:.0f} s")
    print(f"RATIO {more}{theirs.seconds / mine.seconds:.2f} (wanted: at least 3)")


if __name__ == "__main__":
    main()
