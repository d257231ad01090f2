"""Train the models that ship again, from the public images to bundles, by one command.

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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lentigo.data.merge import Addition, merge
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet
from lentigo.deploy.bundle import Quantization
from lentigo.deploy.export import export
from lentigo.recipe import load_recipe
from lentigo.train import Run, train

CLASSES = {"melanoma": "mel", "nevus": "nv", "seborrheic_keratosis": "bkl"}


@dataclass(frozen=True)
class Sets:
    """The prepared sets: the frames, and the crops with the images of ISIC 2017."""

    frames: PreparedSet
    more: PreparedSet


def sets_of(crops: Path, frames: Path, isic2017: Path, out: Path) -> Sets:
    """Prepare and merge; both have the test list and the folds of the crops."""
    prepared = partial(prepare, skip_missing=True)
    first = prepared("ham10000", crops, out / "crops", folds=10)
    whole = prepared("ham10000", frames, out / "frames", size=160, folds=10, splits_of=first.path)
    added = prepared("isic2017", isic2017, out / "isic2017", test_share=0)
    return Sets(whole, merge(first, [Addition(added, CLASSES)], out / "more"))


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

    def first(self, recipe: str, data: PreparedSet, width: str) -> Run:
        """A training that begins from ImageNet's weights."""
        return self.after(self.weights.get(width, "imagenet"), recipe, data)

    def after(self, weights: Run | str, recipe: str, data: PreparedSet) -> Run:
        """A training that goes on from another."""
        path = weights if isinstance(weights, str) else weights.path
        settings = [f"network.weights={path}", *self.changes]
        run = train(
            load_recipe(recipe, settings), data, out=self.out, fold=self.fold, seed=self.seed
        )
        print(f"{recipe}: {run.path}", flush=True)  # noqa: T201 - a script's result
        return run


def ham10000(sets: Sets, trainer: Trainer) -> Run:
    """The model that ships: two trainings."""
    frames = trainer.first("lentigo-frames", sets.frames, "1.0")
    return trainer.after(frames, "lentigo-small", sets.more)


def tiny(sets: Sets, trainer: Trainer) -> Run:
    """The model for the smallest devices: two trainings."""
    frames = trainer.first("lentigo-tiny-frames", sets.frames, "0.35")
    return trainer.after(frames, "lentigo-tiny", sets.more)


MODELS: dict[str, tuple[Callable[[Sets, Trainer], Run], Quantization]] = {
    "lentigo-ham10000": (ham10000, "float16"),
    "lentigo-tiny": (tiny, "dynamic"),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Prepare, train, export, and say how each bundle is measured."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").partition("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("ham10000", type=Path, help="the central crops of HAM10000")
    add("frames", type=Path, help="its whole photographs; of the public download the same folder")
    add("isic2017", type=Path, help="part 3 of the ISIC 2017 challenge")
    add("--out", type=Path, default=Path("models"), help="prepared sets, runs and bundles")
    add("--models", nargs="+", choices=MODELS, default=list(MODELS), help="which to train")
    add("--fold", type=int, default=0, help="of ten, the one that validates")
    add("--seed", type=int, default=0, help="of every training")
    add("--weights", nargs="*", default=[], metavar="WIDTH=FILE", help="ImageNet's, by width")
    add(
        "--set",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        dest="changes",
        help="settings of every training",
    )
    args = parser.parse_args(arguments)
    sets = sets_of(args.ham10000, args.frames, args.isic2017, args.out)
    weights = dict(each.split("=", 1) for each in args.weights)
    trainer = Trainer(args.out / "runs", args.fold, args.seed, weights, tuple(args.changes))
    for name in args.models:
        train_it, quant = MODELS[name]
        run = train_it(sets, trainer)
        bundle = export(run, data=sets.more, quant=quant, out=args.out / f"{name}.tflite")
        print(f"{name}: lentigo evaluate {bundle.path} --data {sets.more.path}")  # noqa: T201


if __name__ == "__main__":
    main()
