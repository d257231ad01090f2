"""The plain Keras transfer-learning script to beat: MobileNetV2 on a prepared set.

Compared: what anyone would write in an afternoon (ImageNet weights, stock augmentation layers,
Adam with cosine decay, batch-norm momentum 0.95, the last epoch kept) against the packaged
recipe ``lentigo-mobilenetv2``, on the same images and the same split. The training part knows
nothing of lentigo: it reads ``images.npy`` and ``manifest.csv``. Only the scores at the end
come from ``lentigo.score``, so that both sides get the same intervals.

Expected: about 0.75 balanced accuracy and 0.92 melanoma AUC on HAM10000's crops (0.629 and 0.902
were measured on the test fifth: docs/results.md); lentigo is to be better. The test rows are
looked at once, after the last epoch.

Run (twenty minutes or more on two cores; ``lentigo compare RUN baseline.csv`` then gives the
paired difference)::

    python benchmarks/baseline_keras.py PREPARED --weights WEIGHTS.h5 --out baseline.csv
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pandas as pd


def log(text: str) -> None:
    """Say how far it is, on stderr."""
    print(text, file=sys.stderr, flush=True)


class Told(keras.callbacks.Callback):
    """A line every hundred steps and every epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Remember when the epoch began."""
        self._epoch, self._start = epoch + 1, time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Tell every hundredth step."""
        if batch % 100 == 99:
            seconds = time.perf_counter() - self._start
            log(
                f"  epoch {self._epoch}: step {batch + 1}, loss {logs['loss']:.4f}, {seconds:.0f} s"
            )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Tell the epoch's figures."""
        figures = "  ".join(f"{name} {value:.4f}" for name, value in logs.items())
        log(f"epoch {epoch + 1}: {figures}  {time.perf_counter() - self._start:.0f} s")


# ---- the sixty lines ---------------------------------------------------------------------


def build(classes: int, size: int, weights: str, steps: int, args: argparse.Namespace) -> Any:
    """The compiled model: uint8 RGB in, class probabilities out."""
    source = "imagenet" if weights == "imagenet" else None
    backbone = keras.applications.MobileNetV2(
        input_shape=(size, size, 3), include_top=False, alpha=args.alpha, weights=source
    )
    if weights not in {"imagenet", "none"}:
        backbone.load_weights(weights)
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.95
    image = keras.Input((size, size, 3))
    x = keras.layers.RandomFlip("horizontal_and_vertical", seed=args.seed)(image)
    x = keras.layers.RandomRotation(0.5, fill_mode="reflect", seed=args.seed + 1)(x)
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(x)
    x = keras.layers.GlobalAveragePooling2D()(backbone(x))
    x = keras.layers.Dropout(0.2)(x)
    model = keras.Model(image, keras.layers.Dense(classes, activation="softmax")(x))
    rate = keras.optimizers.schedules.CosineDecay(args.learning_rate, steps * args.epochs)
    model.compile(
        keras.optimizers.Adam(rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=False,
    )
    return model


def train_and_predict(args: argparse.Namespace) -> tuple[pd.DataFrame, np.ndarray, list[str]]:
    """Train on the training rows; the test rows, their probabilities (n, k) and the codes."""
    keras.utils.set_random_seed(args.seed)
    images = np.load(args.data / "images.npy", mmap_mode="r")
    manifest = pd.read_csv(args.data / "manifest.csv", dtype=str, keep_default_na=False)
    codes = sorted(set(manifest["label"]))
    labels = manifest["label"].map(codes.index).to_numpy()
    training = (manifest["split"] == "train").to_numpy()
    if not args.all_training_rows:
        training = training & (manifest["fold"] != str(args.fold)).to_numpy()
    rows, test = np.flatnonzero(training), np.flatnonzero(manifest["split"] == "test")
    if args.limit:
        rows = np.random.default_rng(args.seed).permutation(rows)[: args.limit]
    log(f"{len(rows)} training images, {len(test)} test images, classes {' '.join(codes)}")
    steps = -(-len(rows) // args.batch_size)
    model = build(len(codes), images.shape[1], args.weights, steps, args)
    class_weight = None
    if args.class_weights:
        counts = np.bincount(labels[rows], minlength=len(codes))
        class_weight = {c: len(rows) / (len(codes) * max(n, 1)) for c, n in enumerate(counts)}
    model.fit(
        images[rows],
        labels[rows],
        batch_size=args.batch_size,
        epochs=args.epochs,
        class_weight=class_weight,
        verbose=0,
        callbacks=[Told()],
    )
    probability = model.predict(images[test], batch_size=64, verbose=0)
    return manifest.iloc[test], probability, codes


# ---- the same scores as everything else --------------------------------------------------


def write(path: Path, test: pd.DataFrame, probability: np.ndarray, codes: list[str]) -> None:
    """``image_id``, ``label``, a probability a class; the file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["image_id", "label", *codes])
        for image_id, label, row in zip(test["image_id"], test["label"], probability, strict=True):
            writer.writerow([image_id, label, *(repr(float(p)) for p in row)])
    temporary.replace(path)


def score(
    data: Path, test: pd.DataFrame, probability: np.ndarray, codes: list[str], replicates: int
) -> None:
    """Print every headline score with its interval, lesions resampled."""
    from lentigo.score.panel import Panel

    classes = json.loads((data / "prepared.json").read_text("utf-8"))["taxonomy"]["classes"]
    malignant = {each["code"]: each["malignant"] for each in classes}
    labels = np.array([codes.index(label) for label in test["label"]])
    # A sum of float32 probabilities may miss 1 by more than the scores allow.
    exact = probability.astype(np.float64)
    exact /= exact.sum(axis=1, keepdims=True)
    panel = Panel.of(labels, exact, codes, [malignant[code] for code in codes])
    estimates = panel.estimates(test["group_id"].to_numpy(), replicates=replicates)
    wanted = ("balanced_accuracy", "accuracy", "roc_auc.mel", "roc_auc.macro", "roc_auc.malignant")
    for key in wanted:
        if (found := estimates.get(key)) is None or found.value is None:
            continue
        interval = f"[{found.low:.4f}, {found.high:.4f}]" if found.low is not None else "[none]"
        print(f"{key:20s} {found.value:.4f} {interval}  {found.n_groups} groups")


def main() -> None:
    """Train, write the predictions, print the scores."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, help="a prepared set")
    parser.add_argument("--out", type=Path, default=Path("baseline_predictions.csv"))
    parser.add_argument("--weights", default="imagenet", help="imagenet, none, or a file")
    parser.add_argument("--fold", type=int, default=0, help="left out, as in the run to compare")
    parser.add_argument("--all-training-rows", action="store_true", help="leave no fold out")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--learning-rate", type=float, default=5e-4)
    parser.add_argument("--class-weights", action="store_true", help="balanced class weights")
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--limit", type=int, help="use so many training images (to try it)")
    args = parser.parse_args()
    start = time.perf_counter()
    test, probability, codes = train_and_predict(args)
    write(args.out, test, probability, codes)
    log(f"{args.out} after {time.perf_counter() - start:.0f} s")
    score(args.data, test, probability, codes, args.replicates)


if __name__ == "__main__":
    main()
