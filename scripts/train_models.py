"""Train the models that ship again, from the public images to finished runs, by one command.

    python scripts/train_models.py HAM10000 FRAMES ISIC2017 --out models
        [--models lentigo-ham10000 lentigo-tiny] [--fold 0] [--seed 0]
        [--weights 1.0=FILE 0.35=FILE] [--set key=value ...]

HAM10000 holds the central crops, FRAMES the whole photographs (the same folder where both are
the public download), ISIC2017 part 3 of the challenge. Every step is read where it is finished
and goes on where it was killed, so the command may be repeated. ImageNet's weights come from
Keras unless files are named by width. Settings are added to every training: a look in minutes is
``--set stages.0.epochs=1 stages.0.average_from=0 sampling.groups=0.02``.

Each model is some trainings that go on from one another; ``docs/results.md`` has what they gave.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lentigo.data.merge import Addition, merge
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet
from lentigo.recipe import load_recipe
from lentigo.train import Run, train

CLASSES = {"melanoma": "mel", "nevus": "nv", "seborrheic_keratosis": "bkl"}
STRONGER = (
    *("augmentation.zoom=[0.7,1.5]", "augmentation.brightness=0.15"),
    *("augmentation.contrast=[0.7,1.4]", "augmentation.saturation=[0.6,1.5]"),
    *("augmentation.hue=0.04", "augmentation.channel_shift=0.08"),
)


@dataclass(frozen=True)
class Sets:
    """The prepared sets: crops, frames, and each with the images of ISIC 2017."""

    crops: PreparedSet
    frames: PreparedSet
    more_crops: PreparedSet
    more_frames: PreparedSet


def sets_of(crops: Path, frames: Path, isic2017: Path, out: Path) -> Sets:
    """Prepare and merge; all have the test list and the folds of the crops."""
    prepared = partial(prepare, "ham10000", folds=10, skip_missing=True)
    first = prepared(crops, out / "crops")
    whole = prepared(frames, out / "frames", size=160, splits_of=first.path)

    def with_2017(data: PreparedSet, size: int, name: str) -> PreparedSet:
        own = out / f"isic2017-{size}"
        added = prepare("isic2017", isic2017, own, size=size, test_share=0, skip_missing=True)
        return merge(data, [Addition(added, CLASSES)], out / name)

    return Sets(first, whole, with_2017(first, 224, "more"), with_2017(whole, 160, "more-frames"))


@dataclass(frozen=True)
class Trainer:
    """What all trainings share.

    Attributes:
        out: The folder of runs.
        fold: The fold that validates.
        seed: The seed.
        weights: ImageNet's by width, where they are not downloaded.
        changes: Settings of every training.
    """

    out: Path
    fold: int
    seed: int
    weights: dict[str, str]
    changes: tuple[str, ...]

    def first(self, recipe: str, data: PreparedSet, width: str, *changes: str) -> Run:
        """A training that begins from ImageNet's weights."""
        return self.after(self.weights.get(width, "imagenet"), recipe, data, *changes)

    def after(self, weights: Run | str, recipe: str, data: PreparedSet, *changes: str) -> Run:
        """A training that goes on from another."""
        path = weights if isinstance(weights, str) else weights.path
        settings = [f"network.weights={path}", *changes, *self.changes]
        run = train(
            load_recipe(recipe, settings), data, out=self.out, fold=self.fold, seed=self.seed
        )
        print(f"{recipe}: {run.path}", flush=True)  # noqa: T201 - a script's result
        return run


def ham10000(sets: Sets, trainer: Trainer) -> Run:
    """The model that ships: four trainings, and a fifth that has them as teachers."""
    frames = trainer.first("lentigo-frames", sets.frames, "1.0")
    strong = trainer.first("lentigo-frames", sets.more_frames, "1.0", *STRONGER)
    alone, more = (
        trainer.after(frames, "lentigo-small", data, "stages.0.epochs=8")
        for data in (sets.crops, sets.more_crops)
    )
    teachers = ",".join(f'"{each.path}"' for each in (alone, more, frames, strong))
    taught = f"distillation={{teachers=[{teachers}],weight=0.6,temperature=2.0}}"
    return trainer.after(frames, "lentigo-small", sets.more_crops, taught)


def tiny(sets: Sets, trainer: Trainer) -> Run:
    """The model for the smallest devices: two trainings."""
    frames = trainer.first("lentigo-tiny-frames", sets.frames, "0.35")
    return trainer.after(frames, "lentigo-tiny", sets.more_crops)


MODELS = {"lentigo-ham10000": ham10000, "lentigo-tiny": tiny}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prepare, train, and name each finished run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("ham10000", type=Path)
    parser.add_argument("frames", type=Path)
    parser.add_argument("isic2017", type=Path)
    parser.add_argument("--out", type=Path, default=Path("models"))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--fold", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", nargs="*", default=[], metavar="WIDTH=FILE")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", dest="changes")
    args = parser.parse_args(arguments)
    sets = sets_of(args.ham10000, args.frames, args.isic2017, args.out)
    weights = dict(each.split("=", 1) for each in args.weights)
    trainer = Trainer(args.out / "runs", args.fold, args.seed, weights, tuple(args.changes))
    for name in args.models:
        run = MODELS[name](sets, trainer)
        print(f"{name}: lentigo evaluate {run.path} --data {sets.more_crops.path}")  # noqa: T201


if __name__ == "__main__":
    main()
