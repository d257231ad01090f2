"""Hand-crafted features of many images, and the plain loop that tutorials have.

Compared on the same prepared images, in turns: (1) ``describe_images`` of lentigo with as many
processes as cores; (2) one loop over the images with the libraries that define the features:
``mahotas.features.haralick(grey).mean(axis=0)``, ``cv2.HuMoments(cv2.moments(grey))`` and
``cv2.calcHist`` of 8x8x8 cells of hue, saturation and value. Also (3) the same as (1) in one
process, to see how much of it is arithmetic that was saved.

Checked first: both give the same numbers. Expected: (2) at least 5 times (1).

Run (``pip install mahotas``; without PREPARED on smooth random images)::

    python benchmarks/handcrafted_speed.py [PREPARED] [--images 5000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The threads of NumPy's BLAS wait for each other by spinning: on a busy machine that slows the
# plain loop tenfold, which would be no fair comparison.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import cv2
import mahotas
import numpy as np

from lentigo.data.descriptors import describe_images
from lentigo.data.prepared import open_prepared
from lentigo.image.handcrafted import Descriptors
from lentigo.machine import usable_cores

ALL = Descriptors()


def plain(images: Any) -> np.ndarray:
    """One loop, one image after another."""
    found = []
    for image in images:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV)
        cells = cv2.calcHist([hsv], [0, 1, 2], None, [8, 8, 8], [0, 180, 0, 256, 0, 256])
        parts = [
            cv2.HuMoments(cv2.moments(grey)).ravel(),
            mahotas.features.haralick(grey).mean(axis=0),
            cells.ravel() / grey.size,
        ]
        found.append(np.concatenate(parts))
    return np.array(found)


def made_up(count: int, size: int = 160) -> np.ndarray:
    """Smooth random images with a little noise."""
    random = np.random.default_rng(0)
    images = np.empty((count, size, size, 3), np.uint8)
    for place in range(count):
        blocks = random.integers(60, 220, (6, 6, 3)).astype(np.uint8)
        smooth = cv2.resize(blocks, (size, size), interpolation=cv2.INTER_CUBIC)
        images[place] = cv2.add(smooth, random.integers(0, 12, smooth.shape).astype(np.uint8))
    return images


def main() -> None:
    """Print the seconds of every way, and the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("prepared", type=Path, nargs="?")
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    images = open_prepared(args.prepared).images if args.prepared else made_up(args.images)
    images, cores = images[: args.images], usable_cores()
    rows = np.arange(len(images))
    apart = np.abs(plain(images[:200]) - describe_images(images, rows[:200], ALL)).max()
    print(f"{len(images)} images of {images.shape[1]} pixels, {cores} cores")
    print(f"largest difference of any feature on 200 images: {apart:.1e}")
    ways: dict[str, Callable[[], Any]] = {
        "lentigo": lambda: describe_images(images, rows, ALL, workers=cores),
        "plain loop": lambda: plain(images),
        "lentigo, one process": lambda: describe_images(images, rows, ALL),
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            taken[name].append(time.perf_counter() - start)
    middle = {name: statistics.median(each) for name, each in taken.items()}
    for name, seconds in middle.items():
        print(f"{name:28s} {seconds:7.2f} s   {1000 * seconds / len(images):6.2f} ms an image")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of this process {peak:.0f} MB")
    one = middle["plain loop"] / middle["lentigo, one process"]
    print(f"RATIO {one:.2f} with one process each")
    print(f"RATIO {middle['plain loop'] / middle['lentigo']:.2f} (wanted: at least 5)")


if __name__ == "__main__":
    main()
