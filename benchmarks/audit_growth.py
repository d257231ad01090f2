"""What an audit costs at the size of ISIC 2020 and for 100,000 images, the search with its parts.

The search is run on hashes made from real ones: those of the images of a prepared set and of
their parts, each bit flipped by chance (``--flip``), so that they stay as unevenly spread over
the buckets as real ones. Whole pictures and parts are timed apart. What is done once an image
(hashes, parts, quality, the source's measures) is timed on ``--images`` of the prepared set and
multiplied: it grows with their number and nothing else. All times are processor seconds, so that
other work on the machine does not count.

Expected: minutes at 33,126, memory of a few hundred MB beside the images, which stay on disk;
and RATIO, the growth of the search's time from the smaller to the larger size over that of the
number of pairs, well below 1: brute force has 1.

Run::

    python benchmarks/audit_growth.py PREPARED [--sizes 33126 100000] [--images 1000]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lentigo.data.duplicates import near_duplicates, near_parts
from lentigo.data.fingerprint import fingerprints
from lentigo.data.prepared import open_prepared
from lentigo.evaluate.audit.poor import poor_images
from lentigo.evaluate.audit.sources import simple_measures
from lentigo.machine import usable_cores

Hashes = NDArray[np.uint8]


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and the processor seconds of this process that it took."""
    began = time.process_time()
    return call(), time.process_time() - began


def peak_mb() -> float:
    """Peak memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def made(rows: NDArray[np.int64], real: Hashes, flip: float, draw: np.random.Generator) -> Hashes:
    """Hashes (n, ..., 32) from those of real pictures (m, ..., 32), with bits flipped."""
    found = np.empty((len(rows), *real.shape[1:]), np.uint8)
    bits = int(np.prod(real.shape[1:])) * 8
    for place, row in enumerate(rows):  # one at a time: all flips at once would be the peak
        flips = np.packbits(draw.random(bits, dtype=np.float32) < flip)
        found[place] = real[row] ^ flips.reshape(real.shape[1:])
    return found


def search(count: int, hashes: Hashes, parts: Hashes, flip: float, seed: int) -> float:
    """Time the search on so many made pictures; processor seconds in all."""
    draw = np.random.default_rng(seed)
    rows = draw.integers(0, len(hashes), count)
    whole = made(rows, hashes, flip, draw)
    smaller = made(rows, parts, flip, draw)
    before = peak_mb()
    print(f"{count} made pictures, bits flipped with {flip}; {before:.0f} MB before the search")
    total = 0.0
    for name, call in (
        ("whole pictures", lambda: near_duplicates(whole)),
        ("parts of pictures", lambda: near_parts(whole, smaller)),
    ):
        pairs, seconds = timed(call)
        total += seconds
        print(f"  {name}: {seconds:.1f} s of processor time, {len(pairs)} pairs", flush=True)
    print(f"  together {total:.1f} s; peak memory {peak_mb():.0f} MB", flush=True)
    return total


def each_image(images: NDArray[np.uint8]) -> dict[str, float]:
    """Processor seconds an image of what is done once an image."""
    steps: dict[str, Callable[[], Any]] = {
        "hashes, with those of parts": lambda: fingerprints(images, len(images)),
        "quality": lambda: poor_images(images, [""] * len(images)),
        "measures of the source": lambda: [simple_measures(image) for image in images],
    }
    return {name: timed(call)[1] / len(images) for name, call in steps.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("prepared", type=Path, help="a prepared set of real images")
    parser.add_argument("--sizes", type=int, nargs="+", default=[33_126, 100_000])
    parser.add_argument("--images", type=int, default=1_000)
    parser.add_argument("--flip", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    stored = open_prepared(asked.prepared).images
    images = np.stack([stored[row] for row in range(min(asked.images, len(stored)))])
    costs = each_image(images)
    print(f"an image of {images.shape[1]} pixels, from {len(images)}, processor time:")
    for name, seconds in costs.items():
        print(f"  {name}: {seconds * 1000:.2f} ms")
    hashes, parts = fingerprints(images, len(images))
    found = {}
    for count in sorted(asked.sizes):
        found[count] = search(count, hashes, parts, asked.flip, asked.seed)
        whole = found[count] + count * sum(costs.values())
        print(f"  an audit of {count} images, worked out: {whole:.0f} s of processor time, "
              f"{whole / 60:.1f} minutes on one core of {usable_cores()}")  # fmt: skip
    least, most = min(found), max(found)
    if least < most:
        print(f"RATIO {found[most] / found[least] / (most / least) ** 2:.3f}")


if __name__ == "__main__":
    main()
