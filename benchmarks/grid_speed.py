"""yilmaz2021's grid by one command, and as nine separate scripts.

Compared: networks by batch sizes, a frozen stage and then all layers, each trained and measured
on a test part. (1) ``lentigo reproduce yilmaz2021``, leak-free: the images are prepared once,
and what a frozen backbone makes of them is computed once a network and shared by its batch
sizes. (2) A plain Keras script for each, run one after another: each reads and shrinks the
images, and runs the backbone in every epoch. Both are whole processes, start to exit; lentigo's
includes its search for duplicates, calibration, intervals, reports and page.

Expected: above 1. Most of the time of both is the second stage, which nothing can share.

Run (ISIC2017: the layout of ``lentigo sources``; WEIGHTS: NETWORK=FILE or NETWORK=none)::

    python benchmarks/grid_speed.py ISIC2017 --weights MobileNet=none --weights ... \
        [--networks MobileNet MobileNetV2 NASNetMobile] [--batches 16 32 64] [--scale 0.1]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
NETWORKS, BATCHES, EPOCHS, SIZE = (
    ("MobileNet", "MobileNetV2", "NASNetMobile"),
    (16, 32, 64),
    75,
    224,
)


def one_script(args: argparse.Namespace) -> None:
    """The plain script: read, split, train the head, train all, measure."""
    import csv

    import cv2
    import keras
    import numpy as np

    with next(args.isic2017.glob("*Part3_GroundTruth.csv")).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    images, labels = [], []
    for row in rows:
        path = args.isic2017 / "ISIC-2017_Training_Data" / f"{row['image_id']}.jpg"
        if not path.is_file():
            continue
        image = cv2.imread(str(path))
        shrunk = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        images.append(cv2.cvtColor(shrunk, cv2.COLOR_BGR2RGB))
        labels.append(
            0 if float(row["melanoma"]) else 1 if float(row["seborrheic_keratosis"]) else 2
        )
    order = np.random.default_rng(0).permutation(len(images))[: args.images]
    x, y = np.stack(images)[order], np.array(labels)[order]
    tested = round(0.15 * len(x))
    held_out = tested + round(0.2 * (len(x) - tested))
    (network, weights), batch = args.one[0].split("="), int(args.one[1])
    backbone = getattr(keras.applications, network)(
        include_top=False, weights=None, input_shape=(SIZE, SIZE, 3), pooling="avg"
    )
    if weights != "none":
        backbone.load_weights(weights)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((SIZE, SIZE, 3)),
            layers.RandomFlip(),
            layers.RandomRotation(20 / 360, fill_mode="nearest"),
            layers.Rescaling(1 / 127.5, -1),
            backbone,
            *(layers.Dense(width, "relu") for width in (256, 128, 64)),
            layers.Dropout(0.2),
            layers.Dense(3, "softmax"),
        ]
    )
    for trainable, rate in ((False, 1e-3), (True, 1e-5)):
        backbone.trainable = trainable
        loss = "sparse_categorical_crossentropy"
        model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
        model.fit(
            x[held_out:], y[held_out:], batch_size=batch, epochs=args.epochs, verbose=0,
            validation_data=(x[tested:held_out], y[tested:held_out]),
        )  # fmt: skip
    _, accuracy = model.evaluate(x[:tested], y[:tested], verbose=0)
    print(f"{network} {batch}: {accuracy:.3f}")


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds of a process from start to exit, by the clock and of the processor."""
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=sys.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - start, used


def main() -> None:
    """Run the scripts and the command, and print the ratio."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("isic2017", type=Path)
    parser.add_argument("--weights", action="append", default=[], metavar="NETWORK=FILE")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    parser.add_argument("--batches", type=int, nargs="+", default=list(BATCHES))
    parser.add_argument("--scale", type=float, default=0.1)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--images", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--epochs", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one_script(args)
        return
    weights = dict.fromkeys(args.networks, "none")
    weights |= dict(each.split("=", 1) for each in args.weights)
    pairs = [(network, batch) for network in args.networks for batch in args.batches]
    epochs = max(1, round(EPOCHS * args.scale))
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "lentigo", "reproduce", "yilmaz2021", "--json"]
        command += ["--data", f"isic2017={args.isic2017}", "--protocol", "leak-free", "--out", out]
        command += [
            "--scale",
            str(args.scale),
            "--variants",
            ",".join(f"{n}-{b}" for n, b in pairs),
        ]
        command += [word for n, file in weights.items() for word in ("--weights", f"{n}={file}")]
        ours = timed(command)
        (table,) = Path(out).glob("yilmaz2021/tables/*.csv")
        images = len(table.read_text(encoding="utf-8").splitlines()) - 1
    theirs = [0.0, 0.0]
    for network, batch in pairs:
        command = [sys.executable, __file__, str(args.isic2017), "--images", str(images)]
        command += ["--epochs", str(epochs), "--one", f"{network}={weights[network]}", str(batch)]
        theirs = [whole + own for whole, own in zip(theirs, timed(command), strict=True)]
    print(f"{len(pairs)} models, {images} images, {epochs} and {epochs} epochs")
    for what, own, other in zip(("wall clock", "processor"), ours, theirs, strict=True):
        print(f"{what}: lentigo reproduce {own:8.1f} s, separate scripts {other:8.1f} s")
        print(f"{what}: RATIO {other / own:.2f} (wanted: above 1)")


if __name__ == "__main__":
    main()
