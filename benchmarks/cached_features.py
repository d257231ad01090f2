"""The frozen stage with cached features beside running the backbone every epoch.

Compared: 20 epochs of a head on a frozen backbone, (1) with ``cached_views = N``: the backbone
runs once over N augmented views an image and the head trains on the features, and (2) with the
backbone and fresh augmentation in every epoch. The same recipe, prepared set, fold and seed;
whole calls of ``lentigo.train``, validation after each epoch included.

Expected: at least 5 times faster with a few views, at about the same validation scores; more
views see more augmentation and take more time (the ratio cannot pass epochs / views by much).

Run::

    python benchmarks/cached_features.py PREPARED --weights WEIGHTS.h5 [--views 3] [--images N]
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.recipe import Recipe, load_recipe
from lentigo.train import Progress, Run, train

SHOWN = ("val_balanced_accuracy", "val_roc_auc.macro", "val_roc_auc.malignant", "val_loss")


def subsample(data: PreparedSet, fold: int, images: int) -> PreparedSet:
    """The set with ``images`` rows of training and of validation together, at random."""
    kept = np.concatenate([data.rows("train", fold), data.rows("validation", fold)])
    kept = np.random.default_rng(0).permutation(kept)[:images]
    manifest = data.manifest.copy()
    dropped = np.setdiff1d(np.flatnonzero(manifest["split"] == "train"), kept)
    manifest.loc[manifest.index[dropped], "split"] = "excluded"
    manifest.loc[manifest.index[dropped], "fold"] = -1
    return dataclasses.replace(data, manifest=manifest)


def recipe_of(args: argparse.Namespace, size: int, views: int) -> Recipe:
    """One frozen stage; everything else as the named recipe has it."""
    stage = (
        f'{{name="frozen", epochs={args.epochs}, train="head", optimizer="adam", '
        f"learning_rate={args.learning_rate}, batch_size={args.batch_size}, "
        f"cached_views={views}}}"
    )
    changes = [f"network.weights={args.weights}", f"network.size={size}", f"stages=[{stage}]"]
    return load_recipe(args.recipe, [*changes, *args.set])


def tell(progress: Progress) -> None:
    """A dot an epoch."""
    if progress.row is not None:
        print(".", end="", file=sys.stderr, flush=True)


def timed(
    recipe: Recipe, data: PreparedSet, args: argparse.Namespace, work: str
) -> tuple[float, Run]:
    """Seconds of one training, and its run."""
    with tempfile.TemporaryDirectory(dir=work) as out:
        start = time.perf_counter()
        run = train(recipe, data, out=out, fold=args.fold, seed=args.seed, report=tell)
        seconds = time.perf_counter() - start
        history = run.history()
    print(f" {seconds:.1f} s", file=sys.stderr, flush=True)
    best = history[run.info.best_epoch - 1]
    figures = "  ".join(f"{key} {float(best[key]):.4f}" for key in SHOWN if key in best)
    views = recipe.stages[0].cached_views
    name = f"cached, {views} views" if views else "backbone every epoch"
    print(
        f"{name:22s} {seconds:8.1f} s  best epoch {run.info.best_epoch:2d}  {figures}", flush=True
    )
    return seconds, run


def main() -> None:
    """Train both ways in turns, and print the ratio of each number of views."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="a prepared set")
    parser.add_argument("--weights", default="imagenet", help="imagenet, none, or a file")
    parser.add_argument("--recipe", default="lentigo-mobilenetv2")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--views", type=int, nargs="+", default=[3])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--images", type=int, default=0, help="training and validation; 0: all")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    data = open_prepared(args.data)
    if args.images:
        data = subsample(data, args.fold, args.images)
    sides = [data.rows(split, args.fold) for split in ("train", "validation")]
    size = data.spec.size
    print(f"{len(sides[0])} training and {len(sides[1])} validation images, {args.epochs} epochs")
    seconds: dict[int, list[float]] = {views: [] for views in (0, *args.views)}
    with tempfile.TemporaryDirectory() as work:
        # The first training of a process pays for what TensorFlow sets up once.
        small = subsample(data, args.fold, min(200, len(sides[0])))
        warm = recipe_of(args, size, 1).model_copy(update={"name": "warm"})
        stage = warm.stages[0].model_copy(update={"epochs": 1})
        train(warm.model_copy(update={"stages": (stage,)}), small, out=work, fold=args.fold)
        for _ in range(args.rounds):
            for views, taken in seconds.items():
                taken.append(timed(recipe_of(args, size, views), data, args, work)[0])
    plain = float(np.median(seconds[0]))
    for views in args.views:
        ratio = plain / float(np.median(seconds[views]))
        print(f"RATIO {ratio:.2f} with {views} views (wanted: at least 5)")


if __name__ == "__main__":
    main()
