"""Which score tells unfamiliar images best: energy, Mahalanobis distances, or the residual.

Compared, on one run: the energy of its logits (Liu 2020), the Mahalanobis distance to the
nearest class of its pooled features (Lee 2018) and that distance relative to all classes
(Ren 2021), the residual of the principal subspace (Wang 2022) in several sizes, and the
virtual logit that joins residual and energy (ViM, Wang 2022). Each keeps 95% of the run's own
validation images. Printed is the share that it calls unfamiliar of

- photographs without a lesion (nine crops of each; the interval resamples photographs),
- validation images that were degraded, or drawn small on plain skin, as a clinical photo has
  them (simulated: no clinical photographs were at hand),
- dermoscopic images of other sets, where a low share is better.

Expected: the residual of 64 directions, which export writes, above the energy.

Of a bundle there is one score to measure, its own, by its own threshold; name the prepared set
that made it with --data.

Run::

    python benchmarks/unfamiliar.py RUN --photos FOLDER... [--others FOLDER...]
    python benchmarks/unfamiliar.py BUNDLE --data PREPARED --photos FOLDER... [--others FOLDER...]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

CROPS = 9
OTHERS = 400
SUFFIXES = {".jpg", ".jpeg", ".png"}
SHRINKAGE = 0.01


@dataclass
class Group:
    """Images that are asked about together: features (n, C), logits (n, k), groups (n,)."""

    features: Any
    logits: Any
    groups: Any


def energy(logits: Any) -> Any:
    """Free energy (n,) of logits (n, k): higher is less familiar."""
    top = logits.max(axis=1, keepdims=True)
    return -(top[:, 0] + np.log(np.exp(logits - top).sum(axis=1)))


def whitened(values: Any) -> Any:
    """(C, C) that gives centred ``values`` a covariance of one, shrunk a little."""
    covariance = np.cov(values.T)
    mean = np.trace(covariance) / len(covariance)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * mean * np.eye(len(covariance))
    spread, axes = np.linalg.eigh(covariance)
    return axes / np.sqrt(spread)


def scores_of(features: Any, logits: Any, labels: Any) -> dict[str, Callable[[Group], Any]]:
    """Every score, fitted on training features (n, C), logits (n, k) and labels (n,)."""
    from lentigo.score.familiarity import fit_subspace, residual

    classes = np.unique(labels)
    centres = np.stack([features[labels == c].mean(axis=0) for c in classes])
    own = whitened(features - centres[np.searchsorted(classes, labels)])
    middle, common = features.mean(axis=0), whitened(features)

    def nearest(group: Group) -> Any:
        return np.stack([(((group.features - c) @ own) ** 2).sum(1) for c in centres]).min(0)

    def relative(group: Group) -> Any:
        return nearest(group) - (((group.features - middle) @ common) ** 2).sum(axis=1)

    def beside(space: Any, group: Group) -> Any:
        return residual(group.features, space)

    found: dict[str, Callable[[Group], Any]] = {
        "energy": lambda group: energy(group.logits),
        "Mahalanobis": nearest,
        "relative Mahalanobis": relative,
    }
    for size in (32, 64, 128, 256):
        found[f"residual {size}"] = partial(beside, fit_subspace(features, size))
    space = fit_subspace(features, 128)
    scale = logits.max(axis=1).mean() / residual(features, space).mean()
    found["ViM 128"] = lambda group: scale * residual(group.features, space) + energy(group.logits)
    return found


def degradations(size: int, seed: int) -> dict[str, Callable[[Any], Any]]:
    """Each makes of an image (S, S, 3) uint8 another."""
    generator = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size

    def clipped(image: Any) -> Any:
        return np.clip(image, 0, 255).astype(np.uint8)

    def glare(image: Any) -> Any:
        centre = generator.uniform(0.3, 0.7, 2)
        share = np.clip(1.6 - np.hypot(y - centre[0], x - centre[1]) / 0.25, 0, 1)[..., None]
        return clipped(image * (1 - share) + 255 * share)

    def far_away(image: Any) -> Any:
        border = np.concatenate([image[:4].reshape(-1, 3), image[-4:].reshape(-1, 3)])
        angle = generator.uniform(0, 2 * np.pi)
        light = (0.75 + 0.35 * (np.cos(angle) * x + np.sin(angle) * y))[..., None]
        skin = np.median(border, axis=0) * light + generator.normal(0, 4, (size, size, 1))
        side = size // 4
        small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
        b, a = np.mgrid[:side, :side] / (side / 2) - 1
        share = np.clip((1 - np.hypot(a, b)) * 4, 0, 1)[..., None]
        top, left = generator.integers(size // 4, size // 2, 2)
        place = slice(top, top + side), slice(left, left + side)
        skin[place] = skin[place] * (1 - share) + small * light[place] * share
        return clipped(skin)

    def jpeg(image: Any) -> Any:
        return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 10])[1], 1)

    return {
        "small on plain skin": far_away,
        "blurred (sigma 1/80 of the side)": lambda im: cv2.GaussianBlur(im, (0, 0), size / 80),
        "blurred (sigma 1/32)": lambda im: cv2.GaussianBlur(im, (0, 0), size / 32),
        "a quarter of the light": lambda im: clipped(im * 0.25),
        "glare": glare,
        "JPEG quality 10": jpeg,
        "noise (sigma 40)": lambda im: clipped(im + generator.normal(0, 40, im.shape)),
        "greenish": lambda im: clipped(im * np.array([0.6, 1.2, 0.7])),
        "grey": lambda im: np.repeat(cv2.cvtColor(im, cv2.COLOR_RGB2GRAY)[..., None], 3, 2),
        "negative": lambda im: 255 - im,
    }


def photographs(folder: Path, spec: Any, seed: int) -> tuple[Any, Any]:
    """Preprocessed crops of the photographs in a folder, and which photograph each is of."""
    generator = np.random.default_rng(seed)
    images, groups = [], []
    for number, path in enumerate(sorted(folder.iterdir())):
        bgr = cv2.imread(str(path)) if path.suffix.lower() in SUFFIXES else None
        if bgr is None or min(bgr.shape[:2]) < 64:
            continue
        rgb, (height, width) = bgr[..., ::-1], bgr.shape[:2]
        images.append(spec.apply(rgb))
        for _ in range(CROPS - 1):
            side = int(min(height, width) * generator.uniform(0.35, 0.8))
            top, left = (
                generator.integers(0, height - side + 1),
                generator.integers(0, width - side + 1),
            )
            images.append(spec.apply(rgb[top : top + side, left : left + side]))
        groups += [number] * CROPS
    return np.stack(images), np.array(groups)


def asked_about(
    data: Any, fold: int, args: argparse.Namespace, seen: Callable[[Any, Any], Any]
) -> dict[str, Any]:
    """What ``seen`` makes of every group of images (n, S, S, 3) and their groups (n,)."""
    from lentigo.image.spec import preprocess

    rows = data.rows("validation", fold=fold)
    images = np.stack([data.images[row] for row in rows])
    lesions = data.manifest["group_id"].to_numpy()[rows]
    asked = {"validation": seen(images, lesions)}
    for folder in args.photos:
        asked[f"photos: {folder.name}"] = seen(*photographs(folder, data.spec, 0))
    for name, change in degradations(data.spec.size, 0).items():
        asked[name] = seen(np.stack([change(image) for image in images]), lesions)
    for folder in args.others:
        files = sorted(each for each in folder.iterdir() if each.suffix.lower() in SUFFIXES)
        chosen = [files[i] for i in np.random.default_rng(0).permutation(len(files))[:OTHERS]]
        pixels = np.stack([preprocess(path, data.spec) for path in chosen])
        asked[f"other set: {folder.name}"] = seen(pixels, np.arange(len(chosen)))
    return asked


def material(args: argparse.Namespace) -> tuple[Any, dict[str, Group], dict[str, Any]]:
    """Training features and labels, and the groups of images that are asked about."""
    from lentigo.data.prepared import open_prepared
    from lentigo.train.features import training_features, training_rows
    from lentigo.train.run import open_network

    run = open_network(args.run, "features are a network's")
    data = open_prepared(args.data or run.info.prepared_path)

    def seen(pixels: Any, groups: Any) -> Group:
        found = run.see(pixels)
        return Group(found.features.astype(float), found.logits.astype(float), np.asarray(groups))

    asked = asked_about(data, run.info.fold or 0, args, seen)
    features = training_features(run, data).astype(float)
    own = training_rows(run, data)
    # The head is one dense layer here, so the logits of training images follow from their features.
    head = run.model.get_layer("logits")
    logits = features @ np.asarray(head.kernel, float) + np.asarray(head.bias, float)
    return (features, logits, data.labels[own]), asked, {"run": run.name}


def told_by_bundle(args: argparse.Namespace) -> None:
    """Print what a bundle calls unfamiliar by the threshold that it carries."""
    from lentigo.data.prepared import open_prepared
    from lentigo.deploy.runtime import BundlePredictor

    bundle = BundlePredictor(args.run)
    stated = bundle.info.familiarity
    if stated is None or args.data is None:
        raise SystemExit("The bundle says nothing of familiarity, or --data is missing.")
    print({"bundle": bundle.name, "threshold": stated.threshold, "kept": stated.kept})

    def seen(pixels: Any, groups: Any) -> tuple[Any, Any]:
        scores = [answer.unfamiliarity for answer in bundle.see(pixels)]
        return np.asarray(scores) > stated.threshold, np.asarray(groups)

    asked = asked_about(open_prepared(args.data), bundle.info.fold or 0, args, seen)
    for title, (above, groups) in asked.items():
        print_share(title, above, groups)


def print_share(title: str, above: Any, groups: Any) -> None:
    """One line: the share of images (n,) called unfamiliar, groups (n,) resampled."""
    from lentigo.score.bootstrap import bootstrap_estimate

    above = above.astype(float)
    share = bootstrap_estimate(
        lambda weights: float(weights @ above / weights.sum()), groups, proportion=True
    )
    print(
        f"  {title:36s} {share.value:.3f} [{share.low:.3f}, {share.high:.3f}]"
        f"  {len(above)} images of {share.n_groups}"
    )


def main() -> None:
    """Print a table: a row a group of images, a column a score."""
    from lentigo.score.familiarity import threshold_keeping

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("run", type=Path, help="a run, or a bundle")
    parser.add_argument("--data", type=Path, help="the prepared set, where it has moved")
    parser.add_argument("--photos", type=Path, nargs="+", default=[], help="without a lesion")
    parser.add_argument("--others", type=Path, nargs="+", default=[], help="other dermoscopy")
    args = parser.parse_args()
    if args.run.is_file():
        told_by_bundle(args)
        return
    fitted, asked, told = material(args)
    print(told)
    for name, score in scores_of(*fitted).items():
        threshold = threshold_keeping(score(asked["validation"]))
        print(name)
        for title, group in asked.items():
            print_share(title, score(group) > threshold, group.groups)


if __name__ == "__main__":
    main()
