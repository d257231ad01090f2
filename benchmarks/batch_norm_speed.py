"""Training steps with TensorFlow's fused batch norm, as lentigo trains, beside Keras's own.

The same network from random weights, batch, loss and optimiser on one fixed batch of random
images, in turn in one process; by the clock, so nothing else should run.

Expected: a ratio of 1.5 to 2 where batch norms train (Keras's are some ten passes over each
activation, forward and backward, of a step that is otherwise bound by 1 x 1 convolutions), 1
where they are frozen, for which Keras's own are kept.

Run (``KERAS_BACKEND=tensorflow``)::

    python benchmarks/batch_norm_speed.py [--networks MobileNetV2 ...] [--batch 32] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

from lentigo.model import batch_norms, fused_batch_norms
from lentigo.model.networks import build_backbone

CLASSES = 7
WORK = ("train", "frozen", "predict")


def steps_of(
    name: str, work: str, *, size: int, batch: int, count: int
) -> tuple[keras.Model, Callable[[], object]]:
    """A network, and ``count`` steps of it."""
    backbone, _ = build_backbone(name, size=size, weights="none")
    pooled = keras.layers.GlobalAveragePooling2D()(backbone.output)
    model = keras.Model(backbone.input, keras.layers.Dense(CLASSES)(pooled))
    for norm in batch_norms(model):
        norm.trainable = work != "frozen"
    generator = np.random.default_rng(0)
    images = tf.constant(generator.normal(size=(batch, size, size, 3)).astype(np.float32))
    targets = tf.constant(np.eye(CLASSES)[generator.integers(0, CLASSES, batch)], tf.float32)
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.AdamW(1e-5), loss, jit_compile=False)
    fixed = tf.data.Dataset.from_tensors((images, targets)).repeat()
    if work == "predict":
        return model, lambda: [model.predict_on_batch(images) for _ in range(count)]
    return model, lambda: model.fit(fixed, steps_per_epoch=count, verbose=0)


def main() -> None:
    """Measure both sides in turns and print the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--networks", nargs="+", default=["MobileNetV2"])
    parser.add_argument("--work", nargs="+", choices=WORK, default=WORK)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    if keras.backend.backend() != "tensorflow":
        raise SystemExit("There is a fused batch norm on KERAS_BACKEND=tensorflow only.")
    for name in args.networks:
        for work in args.work:
            compare(name, work, args)


def compare(name: str, work: str, args: argparse.Namespace) -> None:
    """Time one network at one kind of work, plain and fused, and print it."""
    options = {"size": args.size, "batch": args.batch, "count": args.steps}
    sides: dict[str, tuple[Callable[..., Any], keras.Model, Callable[[], object]]] = {
        "plain": (nullcontext, *steps_of(name, work, **options)),
        "fused": (fused_batch_norms, *steps_of(name, work, **options)),
    }
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(args.rounds + 1):  # the first traces
        for side, (context, model, steps) in sides.items():
            start = time.perf_counter()
            with context(model):
                steps()
            if turn:
                seconds[side].append(time.perf_counter() - start)
    images = args.steps * args.batch
    plain, fused = (images / statistics.median(each) for each in seconds.values())
    print(f"{name}, {work}, batches of {args.batch}, {args.size} pixels:")
    print(f"  plain {plain:.1f}, fused {fused:.1f} images/s, RATIO {fused / plain:.2f}", flush=True)


if __name__ == "__main__":
    main()
