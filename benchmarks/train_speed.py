"""Training with augmentation beside the bare train step and beside stock Keras layers.

Compared, in images/s, all with the same network, loss and optimiser:

a. the bare train step: ``fit`` over ONE fixed batch, repeated; nothing is read or augmented
   (with ``--xla`` also compiled by XLA, which Keras would choose by itself), with TensorFlow's
   fused batch norm as b has it (`batch_norm_speed.py` tells what that gives);
b. lentigo's loop: ``Training`` with its ``ImageFeed`` over a memory-mapped array, the recipe's
   augmentation composed into one affine resampling and one colour map;
c. the same augmentation as a chain of stock Keras layers in tf.data, mapped in parallel and
   prefetched, images in memory. Keras has no layer for the channel shift: c does without.

Expected: b at least 0.9 of a, and b faster than c.

Run (``--data PREPARED`` for real images, else random ones; ``KERAS_BACKEND=tensorflow``)::

    python benchmarks/train_speed.py [--recipe lentigo-mobilenetv2] [--steps 40] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from lentigo.data.prepared import open_prepared
from lentigo.model import build_loss, build_model, fused_batch_norms
from lentigo.recipe import Augmentation, Recipe, load_recipe
from lentigo.train.accuracy import TrainingAccuracy
from lentigo.train.feeds import Material
from lentigo.train.loop import Training
from lentigo.train.stages import build_optimizer, set_trainable

CLASSES = 7
EQUAL_SHARE = np.full(CLASSES, 1 / CLASSES)
Round = Callable[[], None]


def images_of(data: Path | None, size: int, count: int, folder: Path) -> tuple[Any, Any]:
    """(n, S, S, 3) uint8, memory-mapped, and the rows to use: of a prepared set, or random."""
    if data is not None:
        prepared = open_prepared(data)
        if prepared.spec.size != size:
            raise SystemExit(f"{data} has {prepared.spec.size} pixels, the recipe {size}.")
        return prepared.images, prepared.rows("train")
    path = folder / "images.npy"
    shape = (max(count, 512), size, size, 3)
    made = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
    generator = np.random.default_rng(0)
    for row in made:
        row[:] = generator.integers(0, 256, row.shape, np.uint8)
    made.flush()
    return np.load(path, mmap_mode="r"), np.arange(len(made))


def material_of(images: Any, rows: Any, count: int) -> Material:
    """``count`` of the rows as the training split, with random labels."""
    generator = np.random.default_rng(1)
    labels = generator.integers(0, CLASSES, len(images)).astype(np.int64)
    rows = np.sort(generator.permutation(rows)[:count]).astype(np.int64)
    if len(rows) < count:
        raise SystemExit(f"{len(rows)} images are fewer than steps x batch = {count}.")
    targets = np.eye(CLASSES, dtype=np.float32)[labels]
    weights = np.ones(len(images), np.float32)
    return Material(images, labels, rows, rows[:1], targets, weights, seed=0, digest="")


def compiled(recipe: Recipe, steps: int, *, xla: bool = False) -> keras.Model:
    """The recipe's classifier, ready to fit."""
    stage = recipe.stages[0]
    model = build_model(recipe, CLASSES)
    set_trainable(model, stage)
    optimizer = build_optimizer(stage, steps=steps, precision=recipe.precision)
    model.compile(optimizer, build_loss(recipe.loss, EQUAL_SHARE), jit_compile=xla)
    return model


def bare(recipe: Recipe, material: Material, steps: int, *, xla: bool = False) -> Round:
    """Side a."""
    model = compiled(recipe, steps, xla=xla)
    rows = material.training[: recipe.stages[0].batch_size]
    batch = (
        tf.constant(material.images[rows].astype(np.float32)),
        tf.constant(material.targets[rows]),
        tf.constant(material.weights[rows]),
    )
    fixed = tf.data.Dataset.from_tensors(batch).repeat()

    def once() -> None:
        with nullcontext() if xla else fused_batch_norms(model):
            model.fit(fixed, epochs=1, steps_per_epoch=steps, shuffle=False, verbose=0)

    return once


def lentigo(recipe: Recipe, material: Material, steps: int, folder: Path) -> Round:
    """Side b: the loop's own feed and ``_fit``; every round is another epoch."""
    training = Training(recipe, material, (False,) * CLASSES, folder, lambda _: None)
    stage = recipe.stages[0]
    set_trainable(training.model, stage)
    feed = training._feed(stage, material)
    optimizer = build_optimizer(stage, steps=steps, precision=recipe.precision)
    loss = build_loss(recipe.loss, EQUAL_SHARE)
    feed.model.compile(optimizer, loss, weighted_metrics=[TrainingAccuracy()], jit_compile=False)
    epochs = iter(range(1_000_000))

    def once() -> None:
        batches = feed.batches(next(epochs))
        assert len(batches) == steps
        with fused_batch_norms(training.model):
            training._fit(stage, feed, batches, time.perf_counter())

    return once


def stock_layers(augmentation: Augmentation) -> list[keras.layers.Layer]:
    """The same changes as a chain; a layer only where the recipe asks for the change."""
    a, layers, full = augmentation, keras.layers, (0, 255)
    fill = {"fill_mode": a.fill, "fill_value": a.fill_value}
    chain: list[keras.layers.Layer] = []
    if a.flip_horizontal or a.flip_vertical:
        both = a.flip_horizontal and a.flip_vertical
        one = "horizontal" if a.flip_horizontal else "vertical"
        chain.append(layers.RandomFlip("horizontal_and_vertical" if both else one))
    if a.rotation_deg:
        chain.append(layers.RandomRotation(a.rotation_deg / 360, **fill))
    if a.shift:
        chain.append(layers.RandomTranslation(a.shift, a.shift, **fill))
    if a.shear:
        chain.append(layers.RandomShear(a.shear, 0.0, **fill))
    if a.zoom != (1.0, 1.0):
        reach = (1 / a.zoom[1] - 1, 1 / a.zoom[0] - 1)
        chain.append(layers.RandomZoom(reach, **fill))
    if a.brightness:
        chain.append(layers.RandomBrightness(a.brightness, value_range=full))
    if a.contrast != (1.0, 1.0):
        chain.append(layers.RandomContrast((1 - a.contrast[0], a.contrast[1] - 1), full))
    if a.saturation != (1.0, 1.0):
        # Its factor is 0.5 where nothing changes, see keras.layers.RandomSaturation.
        low, high = (min(max(value / 2, 0.0), 1.0) for value in a.saturation)
        chain.append(layers.RandomSaturation((low, high), value_range=full))
    if a.hue:
        chain.append(layers.RandomHue(min(2 * a.hue, 1.0), value_range=full))
    return chain


def stock(recipe: Recipe, material: Material, steps: int) -> Round:
    """Side c."""
    model = compiled(recipe, steps)
    chain = stock_layers(recipe.augmentation)

    def augmented(image: Any, *rest: Any) -> tuple[Any, ...]:
        image = tf.cast(image, tf.float32)
        for layer in chain:
            image = layer(image, training=True)
        return (image, *rest)

    rows = material.training
    arrays = (material.images[rows], material.targets[rows], material.weights[rows])
    pipeline = tf.data.Dataset.from_tensor_slices(arrays).shuffle(len(rows))
    pipeline = pipeline.batch(recipe.stages[0].batch_size, drop_remainder=True)
    pipeline = pipeline.map(augmented, num_parallel_calls=tf.data.AUTOTUNE)
    pipeline = pipeline.prefetch(tf.data.AUTOTUNE)
    return lambda: model.fit(pipeline, epochs=1, shuffle=False, verbose=0)


def main() -> None:
    """Measure the sides in turns and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recipe", default="lentigo-mobilenetv2")
    parser.add_argument("--data", type=Path, help="a prepared set; else random images")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--steps", type=int, default=40, help="batches a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--xla", action="store_true", help="the bare step under XLA as well")
    args = parser.parse_args()
    if keras.backend.backend() != "tensorflow":
        raise SystemExit("Side c is tf.data: run with KERAS_BACKEND=tensorflow.")
    recipe = load_recipe(args.recipe, ["network.weights=none", "sampling.kind=all", *args.set])
    batch = recipe.stages[0].batch_size
    with tempfile.TemporaryDirectory() as work:
        images, rows = images_of(args.data, recipe.network.size, args.steps * batch, Path(work))
        material = material_of(images, rows, args.steps * batch)
        sides = {
            "a bare step": bare(recipe, material, args.steps),
            "b lentigo": lentigo(recipe, material, args.steps, Path(work) / "checkpoint"),
            "c stock layers": stock(recipe, material, args.steps),
        }
        if args.xla:
            sides["a bare step, XLA"] = bare(recipe, material, args.steps, xla=True)
        for name, once in sides.items():
            print(f"warming {name}", file=sys.stderr, flush=True)
            once()
        speeds: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(args.rounds):
            for name, once in sides.items():
                start = time.perf_counter()
                once()
                speeds[name].append(args.steps * batch / (time.perf_counter() - start))
            told = ", ".join(f"{name} {values[-1]:.1f}" for name, values in speeds.items())
            print(f"round {number + 1}: {told} images/s", file=sys.stderr, flush=True)
    rates = {name: statistics.median(values) for name, values in speeds.items()}
    size = recipe.network.size
    print(f"{recipe.name}: batches of {batch}, {size} pixels, median of {args.rounds} rounds")
    for name, rate in rates.items():
        print(f"{name:18s} {rate:8.1f} images/s")
    print(f"RATIO b/a {rates['b lentigo'] / rates['a bare step']:.2f} (wanted: at least 0.9)")
    print(f"RATIO b/c {rates['b lentigo'] / rates['c stock layers']:.2f} (wanted: above 1)")


if __name__ == "__main__":
    main()
