"""What each variant of a study costs on this machine, before anybody pays it.

Compared: a study's networks, each trained by lentigo's own loop for two epochs of a few batches
of random images (the second counts, the first compiles), from random weights, with the variant's
head, size, batch, augmentation and frozen layers; and from that, the hours of the whole variant
under one protocol. Validation, preparation and evaluation come on top, and features that are
cached (``cached_views``) are not counted: they cost minutes.

Expected: all layers of a MobileNet at 30 images/s on two cores, of a VGG at 1; frozen ones at three
times these speeds.

Run, with as many training images as the data give (docs/results.md names those here)::

    python benchmarks/study_costs.py merchan2021 --images 3662 --classes 2 [--variants a,b]
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np

from lentigo.papers.paper import experiment, read_paper
from lentigo.recipe import Recipe, Stage
from lentigo.train.feeds import Material
from lentigo.train.loop import Training


def images_per_s(recipe: Recipe, classes: int, batches: int) -> float:
    """The speed of one stage: of the second of two epochs of so many batches."""
    size, count = recipe.network.size, batches * recipe.stages[0].batch_size
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (count + 1, size, size, 3), dtype=np.uint8)
    labels = np.arange(count + 1) % classes
    targets = np.eye(classes, dtype=np.float32)[labels]
    rows, held_out = np.arange(count), np.arange(count, count + 1)
    weights = np.ones(count + 1, np.float32)
    material = Material(images, labels, rows, held_out, targets, weights, seed=0, digest="")
    keras.utils.clear_session()
    with tempfile.TemporaryDirectory() as folder:
        malignant = (False, True) * (classes // 2) + (False,) * (classes % 2)
        training = Training(recipe, material, malignant, Path(folder), lambda _: None)
        training.to_the_end()
    return count / training.standing.epoch_seconds[1]


def alone(recipe: Recipe, stage: Stage) -> Recipe:
    """Two epochs of one stage, from random weights, judged by what one image can be judged by."""
    stage = stage.model_copy(update={"epochs": 2, "early_stopping_patience": 0})
    network = recipe.network.model_copy(update={"weights": "none"})
    changes = {"stages": (stage,), "network": network, "selection_metric": "loss"}
    return recipe.model_copy(update=changes)


def main() -> None:
    """Time every kind of work of a study once, and print what its variants come to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paper", help="a packaged study's name, or a TOML path")
    parser.add_argument("--images", type=int, required=True, help="training images, with copies")
    parser.add_argument("--classes", type=int, required=True)
    parser.add_argument("--batches", type=int, default=2, help="of each timed epoch")
    parser.add_argument("--variants", default="", help="names with commas; all by default")
    args = parser.parse_args()
    paper = read_paper(args.paper)
    wanted = set(filter(None, args.variants.split(",")))
    known: dict[str, float] = {}
    for variant in paper.variants:
        plan = experiment(paper, variant, "leak-free")
        if (wanted and variant.name not in wanted) or plan.recipe.classic is not None:
            continue
        hours, told = 0.0, []
        for stage in plan.recipe.stages:
            if stage.cached_views:
                told.append(f"{stage.name}: cached")
                continue
            asked = alone(plan.recipe, stage)
            key = asked.model_copy(update={"name": "", "title": ""}).digest
            if key not in known:
                known[key] = images_per_s(asked, args.classes, args.batches)
            folds = plan.split.folds if plan.split.every_fold else 1
            hours += folds * stage.epochs * args.images / known[key] / 3600
            told.append(f"{stage.name}: {known[key]:.1f} images/s in batches of {stage.batch_size}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        line = f"{variant.name} ({plan.recipe.network.name}): {'; '.join(told)}"
        print(f"{line}; {hours:.1f} hours a protocol; peak so far {peak:.1f} GiB", flush=True)


if __name__ == "__main__":
    main()
