"""Pre-training on images whose labels nobody looks at, for ``network.weights``.

A backbone learns to give two augmented views of an image the same embedding, while VICReg
(Bardes 2022, equations 1 to 6) keeps the embedding from collapsing: each of its coordinates must
vary over the batch, and no two of them together. That needs no large batch, no negatives and no
second network, so it runs on two cores. What is written are the backbone's weights without top.

Which images it sees decides whether a later score is honest, and weights in a file have no
lineage that ``lentigo train`` could check, so the choice is made here. Without ``--fold``: of a
set that ``lentigo merge`` made, the added images that train in every fold. No fold and no test
list judges them, and merge has excluded what shows a lesion, a patient or a picture of what is
held out. With ``--fold F``: all training images of that fold; what comes of it may only be
judged on fold F, or on the test list. Beside the weights stands a JSON with the digests of the
set and of the list of images.

Compared, before and after: the spread of the embedding and of the pooled features, each scaled
to length 1 (mean standard deviation of a coordinate times the root of their number: 1 is even, 0
has collapsed; Chen and He 2021, figure 2), and over how many directions the features spread
(participation ratio of the covariance). Expected: the loss falls, the spreads stay well above 0.
Whether it helps, a sweep over the folds has to tell. The classes of the added sets are not
looked at; ``merge`` wants to know what they are called all the same (``isic2020.toml``:
``benign = "nv"``, ``malignant = "mel"``), or leaves the images out.

Run::

    lentigo prepare isic2020 ISIC2020 --out isic2020 --size 96 --test-share 0
    lentigo merge CROPS isic2020 --labels isic2020.toml --out more
    python benchmarks/self_supervised.py more --alpha 0.35 --weights W.h5 --out own.weights.h5
    lentigo sweep lentigo-small --over network.weights=W.h5,own.weights.h5 --data CROPS \
        --all-folds --set network.alpha=0.35 --set network.size=96 --set keep=last
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import layers, ops

from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.files import digest_file, digest_list, write_json
from lentigo.model import Augment, batch_norms, build_backbone, draw_parameters
from lentigo.model.networks import scaling_layer
from lentigo.recipe import Augmentation
from lentigo.train.feeding import EpochBatches
from lentigo.train.statistics import StatisticsEstimator

# Crops of down to a sixth of the area, as views must differ; colours change less than for
# photographs of things (Chen 2020), because a lesion's colours are what tells it.
VIEWS = Augmentation(
    rotation_deg=180,
    shift=0.15,
    zoom=(0.9, 2.5),
    flip_horizontal=True,
    brightness=0.15,
    contrast=(0.6, 1.6),
    saturation=(0.5, 1.6),
    hue=0.03,
    channel_shift=0.08,
    sharpness=(0.0, 1.6),
    white_balance=0.12,
    frame=0.25,
)
WIDTH = 512
INVARIANCE, VARIANCE, COVARIANCE = 25.0, 25.0, 1.0
TOLD_EVERY = 25
ESTIMATED_ON = 20
LOOKED_AT = 512


class VicReg(keras.losses.Loss):
    """Of embeddings (2B, D): those of the first views, then those of the second ones."""

    def call(self, y_true: Any, y_pred: Any) -> Any:  # noqa: ARG002 - there are no labels
        """The same value for each row, (2B,)."""
        one, other = ops.split(ops.cast(y_pred, "float32"), 2, axis=0)
        loss = INVARIANCE * ops.mean(ops.square(one - other))
        count = ops.cast(ops.shape(one)[0], "float32")
        for each in (one, other):
            centred = each - ops.mean(each, axis=0)
            covariance = ops.matmul(ops.transpose(centred), centred) / (count - 1.0)
            variance = ops.diagonal(covariance)
            lacking = ops.mean(ops.relu(1.0 - ops.sqrt(variance + 1e-4)))
            shared = ops.sum(ops.square(covariance)) - ops.sum(ops.square(variance))
            loss = loss + VARIANCE * lacking + COVARIANCE * shared / each.shape[1]
        return ops.zeros_like(y_pred[:, 0]) + loss


def unjudged(data: PreparedSet, fold: int | None) -> Any:
    """Rows (n,) that may be seen: see the top."""
    if fold is not None:
        return data.rows("train", fold)
    manifest = data.manifest
    rows = np.flatnonzero((manifest["split"] == "train") & (manifest["fold"] == -1))
    if not len(rows):
        raise SystemExit(
            f"Every training image of {data.path} belongs to a fold, which judges it.\n"
            "-> Merge other sets into it (lentigo merge), or name the --fold that will judge."
        )
    return rows


def networks(
    name: str, alpha: float, size: int, weights: str
) -> tuple[keras.Model, keras.Model, keras.Model]:
    """The backbone; images to features (B, C); images and parameters to embeddings (B, WIDTH)."""
    backbone, scaling = build_backbone(name, size=size, alpha=alpha, weights=weights)
    for norm in batch_norms(backbone):
        norm.momentum = 0.95  # Keras's own lags behind for thousands of steps
    image = keras.Input((size, size, 3), dtype="uint8")
    pooled = layers.GlobalAveragePooling2D()(backbone(scaling_layer(scaling)(image)))
    features = keras.Model(image, pooled)
    parameters = keras.Input((draw_parameters(VIEWS, size, 0, (0,)).shape[1],))
    hidden = features(Augment(VIEWS)(image, parameters))
    for _ in range(2):
        hidden = layers.Dense(WIDTH, use_bias=False)(hidden)
        hidden = layers.Activation("relu")(layers.BatchNormalization(momentum=0.95)(hidden))
    return backbone, features, keras.Model([image, parameters], layers.Dense(WIDTH)(hidden))


def evenness(vectors: Any) -> tuple[float, float]:
    """Spread in [0, 1] of vectors (n, D) scaled to length 1, and their participation ratio."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    values = np.linalg.eigvalsh(np.cov(unit.T.astype(np.float64)))
    ratio = values.sum() ** 2 / np.square(values).sum()
    return float(unit.std(axis=0).mean() * np.sqrt(unit.shape[1])), float(ratio)


def told(when: str, features: keras.Model, whole: keras.Model, pixels: Any) -> dict[str, float]:
    """Print and return how far features and embedding of ``pixels`` (n, S, S, 3) spread."""
    still = draw_parameters(Augmentation(), pixels.shape[1], len(pixels), (0,))
    spread, ratio = evenness(np.asarray(features.predict(pixels, batch_size=64, verbose=0)))
    embedded, _ = evenness(np.asarray(whole.predict([pixels, still], batch_size=64, verbose=0)))
    print(
        f"{when}: spread of the embedding {embedded:.3f}, of the features {spread:.3f}, over "
        f"{ratio:.1f} directions"
    )
    return {"embedding_spread": embedded, "feature_spread": spread, "directions": ratio}


def settle(model: keras.Model, images: Any, rows: Any, args: argparse.Namespace) -> None:
    """Batch-norm statistics of the weights as they are: moving ones lag behind."""
    parameters = draw_parameters(VIEWS, images.shape[1], len(rows), (args.seed, args.steps))
    order = np.random.default_rng(args.seed).permutation(rows)
    targets, weights = np.zeros((len(images), 1), np.float32), np.ones(len(images), np.float32)
    batches = EpochBatches(images, order, targets, weights, parameters, args.batch_size)
    StatisticsEstimator(model)(batches, ESTIMATED_ON)


def learn(model: keras.Model, images: Any, rows: Any, args: argparse.Namespace) -> list[float]:
    """The mean loss of every ``TOLD_EVERY`` steps."""
    batch, steps, size = args.batch_size, args.steps, images.shape[1]
    an_epoch = len(rows) // batch
    if not an_epoch:
        raise SystemExit(f"{len(rows)} images make no batch of {batch}.")
    warm = max(steps // 10, 1)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - warm, 1), alpha=0.01, warmup_target=args.rate, warmup_steps=warm
    )
    compiled = keras.backend.backend() != "tensorflow"
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4)
    model.compile(optimizer, VicReg(), jit_compile=compiled)
    nothing = np.zeros((2 * batch, 1), np.float32)
    losses, since, start = list[float](), list[float](), time.perf_counter()
    for step in range(steps):
        epoch, place = divmod(step, an_epoch)
        order = np.random.default_rng((args.seed, epoch)).permutation(rows)
        pixels = images[np.sort(order[place * batch : (place + 1) * batch])]
        parameters = draw_parameters(VIEWS, size, 2 * batch, (args.seed, epoch, place))
        views = [np.concatenate([pixels, pixels]), parameters]
        since.append(float(model.train_on_batch(views, nothing)))
        if (step + 1) % TOLD_EVERY == 0 or step + 1 == steps:
            losses.append(float(np.mean(since)))
            since.clear()
            speed = 2 * batch * (step + 1) / (time.perf_counter() - start)
            text = f"step {step + 1}/{steps}: loss {losses[-1]:.3f}, {speed:.0f} views/s"
            print(text, file=sys.stderr, flush=True)
    return losses


def main() -> None:
    """Pre-train, say what came of it, write weights and where they come from."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("data", type=Path, help="a prepared set; its size is the network's")
    parser.add_argument("--out", type=Path, required=True, help="a file *.weights.h5")
    parser.add_argument("--fold", type=int, help="the fold that will judge")
    parser.add_argument("--network", default="MobileNetV2")
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--weights", default="imagenet", help="to begin from: a file, or none")
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--batch-size", type=int, default=64, help="images; each gives two views")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if not args.out.name.endswith(".weights.h5"):
        parser.error("--out must end in .weights.h5, by which Keras knows what it is")
    data = open_prepared(args.data)
    rows = unjudged(data, args.fold)
    keras.utils.set_random_seed(args.seed)
    backbone, features, whole = networks(args.network, args.alpha, data.spec.size, args.weights)
    looked_at = data.images[np.sort(np.random.default_rng(args.seed).permutation(rows)[:LOOKED_AT])]
    judge = "no fold judges" if args.fold is None else f"fold {args.fold} does not hold"
    print(f"{len(rows)} images of {data.path} that {judge}")
    settle(whole, data.images, rows, args)
    before = told("before", features, whole, looked_at)
    start = time.perf_counter()
    losses = learn(whole, data.images, rows, args)
    seconds = time.perf_counter() - start
    settle(whole, data.images, rows, args)
    after = told("after", features, whole, looked_at)
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f} in {args.steps} steps, {seconds:.0f} s")
    began = Path(args.weights)
    origin = {
        "prepared_digest": data.digest,
        "test_digest": data.test_digest,
        "fold": args.fold,
        "images": len(rows),
        "images_digest": digest_list(data.manifest["image_id"].iloc[rows].tolist()),
        "began_from": digest_file(began) if began.is_file() else args.weights,
        "settings": {k: v for k, v in vars(args).items() if k not in {"data", "out", "weights"}},
        "before": before,
        "after": after,
        "losses": losses,
        "seconds": round(seconds, 1),
    }
    write_json(args.out.with_name(args.out.name + ".json"), origin)
    temporary = args.out.with_name(".writing." + args.out.name)
    backbone.save_weights(temporary)
    temporary.replace(args.out)
    print(f"Weights: {args.out}\nNext: lentigo train ... --set network.weights={args.out}")


if __name__ == "__main__":
    main()
