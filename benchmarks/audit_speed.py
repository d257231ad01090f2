"""The search for near duplicates beside brute force, and what it finds of planted copies.

Compared: ``near_duplicates`` and a vectorised comparison of every pair in all eight
orientations, on the same hashes of real images, which must give the same pairs. What it costs
for more images than these is in audit_growth.py.

Recall: copies of real images, saved again, resized, cropped, turned, mirrored, brightened.
Precision: of all pairs of real images of different lesions (``--metadata``, a CSV with
``image_id`` and ``lesion_id``; without it, of all pairs), how many lie within ``NEAR_BITS``.
A pair so counted may still show one lesion that was filed as two: look before calling it false.
Recall and false pairs are told for other thresholds too.

Expected: the same pairs from both, RATIO well below 1 and falling with the number of images.

Run::

    python benchmarks/audit_speed.py IMAGES [--metadata HAM10000_metadata.csv] [--planted 500]
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.data.duplicates import NEAR_BITS, near_duplicates, near_parts
from lentigo.data.fingerprint import fingerprint, orientations, part_hashes, perceptual_hash
from lentigo.image import decode

ROWS_AT_ONCE = 64
LIMITS = (20, 24, 28, 31, 40, 50, 60)
Image = NDArray[np.uint8]


def saved_again(rgb: Image, quality: int) -> Image:
    """What is left after another JPEG compression."""
    _, content = cv2.imencode(".jpg", rgb, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(content, cv2.IMREAD_COLOR), np.uint8)


def cropped(rgb: Image, share: float) -> Image:
    """Without this share of the width and height, half of it on each side."""
    height, width = rgb.shape[:2]
    top, left = round(height * share / 2), round(width * share / 2)
    return rgb[top : height - top, left : width - left]


def brightened(rgb: Image) -> Image:
    """A fifth brighter, cut off at white."""
    return np.asarray(cv2.convertScaleAbs(rgb, alpha=1.2), np.uint8)


COPIES: dict[str, Callable[[Image], Image]] = {
    "JPEG of quality 50": lambda rgb: saved_again(rgb, 50),
    "resized to 60%": lambda rgb: cv2.resize(rgb, None, fx=0.6, fy=0.6, interpolation=3),
    "cropped by 5%, 2.5% a side": lambda rgb: cropped(rgb, 0.05),
    "cropped by 10%, 5% a side": lambda rgb: cropped(rgb, 0.10),
    "cut by 2% from the left": lambda rgb: rgb[:, round(rgb.shape[1] * 0.02) :],
    "cut by 5% from the left": lambda rgb: rgb[:, round(rgb.shape[1] * 0.05) :],
    "cut by 5% from the bottom": lambda rgb: rgb[: -round(rgb.shape[0] * 0.05)],
    "cut by 10% from the left": lambda rgb: rgb[:, round(rgb.shape[1] * 0.1) :],
    "turned by 90 degrees": lambda rgb: np.ascontiguousarray(np.rot90(rgb)),
    "mirrored": lambda rgb: np.ascontiguousarray(rgb[:, ::-1]),
    "brightened by 20%": brightened,
}


def closest(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Bits between row i of ``a`` and row i of ``b`` in their closest orientation, (N,)."""
    each = [np.bitwise_count(turned ^ b).sum(axis=1, dtype=np.int64) for turned in orientations(a)]
    return np.asarray(np.min(each, axis=0))


def every_pair(hashes: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Pairs (i, j), i < j, within ``NEAR_BITS``: all compared with all, a few rows at a time."""
    words = hashes.view(np.uint64)
    turned = [each.view(np.uint64) for each in orientations(hashes)]
    for start in range(0, len(words), ROWS_AT_ONCE):
        near = np.zeros((min(ROWS_AT_ONCE, len(words) - start), len(words) - start), np.bool_)
        for each in turned:
            bits = np.zeros(near.shape, np.uint16)
            for word in range(words.shape[1]):
                asked = each[start : start + ROWS_AT_ONCE, word, None]
                bits += np.bitwise_count(asked ^ words[None, start:, word])
            near |= bits <= NEAR_BITS
        i, j = np.nonzero(near)
        yield i[i < j] + start, j[i < j] + start


def timed(call: Callable[[], list[tuple[int, int]]]) -> tuple[list[tuple[int, int]], float]:
    """What it gives, and the processor seconds it took, whatever else the machine does."""
    began = time.process_time()
    return call(), time.process_time() - began


def brute_force(hashes: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """All near pairs, sorted."""
    return sorted(
        pair for i, j in every_pair(hashes) for pair in zip(i.tolist(), j.tolist(), strict=True)
    )


def show_speed(hashes: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Search and brute force on the same different hashes; the near pairs."""
    ours, search_s = timed(lambda: near_duplicates(hashes))
    theirs, brute_s = timed(lambda: brute_force(hashes))
    print(f"{len(hashes)} real images: search {search_s:.1f} s, brute force {brute_s:.1f} s")
    print(f"pairs: search {len(ours)}, brute force {len(theirs)}, same {ours == theirs}")
    print(f"RATIO {search_s / brute_s:.3f}", flush=True)
    return theirs


def show_parts(hashes: NDArray[np.uint8], parts: NDArray[np.uint8], names: list[str]) -> None:
    """What the search for parts adds, and what it costs."""
    whole, whole_s = timed(lambda: near_duplicates(hashes))
    found, parts_s = timed(lambda: near_parts(hashes, parts))
    new = sorted(set(found) - set(whole))
    print(f"parts: {len(new)} further pairs, in {parts_s:.1f} s after {whole_s:.1f} s")
    print(*(f"  {names[i]} {names[j]}" for i, j in new[:20]), sep="\n", flush=True)


def show_recall(paths: list[Path]) -> None:
    """How many planted copies are found: by whole pictures within each of ``LIMITS``, by parts."""
    images = [decode(path) for path in paths]
    originals = np.stack([perceptual_hash(rgb) for rgb in images])
    parts = np.stack([part_hashes(rgb) for rgb in images])
    print(f"planted copies of {len(paths)} images; by whole pictures, within so many bits:")
    print(f"  {'':32}" + "".join(f"{limit:6}" for limit in LIMITS) + "   28 and parts")
    for name, change in COPIES.items():
        made = [np.ascontiguousarray(change(rgb)) for rgb in images]
        copies = np.stack([perceptual_hash(rgb) for rgb in made])
        both = np.concatenate([originals, copies])
        own = np.concatenate([parts, np.stack([part_hashes(rgb) for rgb in made])])
        pairs = {*near_duplicates(both), *near_parts(both, own)}
        found = sum((row, row + len(images)) in pairs for row in range(len(images)))
        bits = closest(originals, copies)
        within = "".join(f"{int((bits <= limit).sum()):6}" for limit in LIMITS)
        print(f"  {name:32}{within}{found:8}", flush=True)


def show_unrelated(hashes: NDArray[np.uint8], kinds: NDArray[np.str_]) -> None:
    """How many pairs of different lesions lie within each of ``LIMITS``, of all there are."""
    words = hashes.view(np.uint64)
    turned = [each.view(np.uint64) for each in orientations(hashes)]
    histogram = np.zeros(257, np.int64)
    for start in range(0, len(words), ROWS_AT_ONCE):
        stop = start + ROWS_AT_ONCE
        least = np.full((len(words[start:stop]), len(words) - start), 256, np.uint16)
        for each in turned:
            bits = np.zeros(least.shape, np.uint16)
            for word in range(words.shape[1]):
                asked = each[start:stop, word, None]
                bits += np.bitwise_count(asked ^ words[None, start:, word])
            np.minimum(least, bits, out=least)
        after = np.arange(least.shape[1])[None] > np.arange(least.shape[0])[:, None]
        apart = kinds[start:stop, None] != kinds[None, start:]
        histogram += np.bincount(least[after & apart], minlength=257)
    total, within = int(histogram.sum()), np.cumsum(histogram)
    allowed = np.flatnonzero(within <= total * 1e-6)
    print(f"pairs of different lesions: {total}; one in a million lies within "
          f"{int(allowed[-1]) if len(allowed) else 'no'} bits")  # fmt: skip
    for limit in LIMITS:
        count = int(within[limit])
        print(f"  within {limit} bits: {count}, {count / total * 1e6:.3f} in a million; "
              f"among 33,126 images {count / total * 33_126 * 33_125 / 2:.0f}")  # fmt: skip


def lesions_of(names: list[str], metadata: Path | None) -> NDArray[np.str_]:
    """The lesion of each image, or the image itself where that is not known."""
    lesions: dict[str, str] = {}
    if metadata:
        with metadata.open(newline="", encoding="utf-8") as stream:
            lesions = {row["image_id"]: row["lesion_id"] for row in csv.DictReader(stream)}
    return np.array([lesions.get(name, name) for name in names])


def show_precision(pairs: list[tuple[int, int]], names: list[str], metadata: Path | None) -> None:
    """How many near pairs are of different lesions, of all such pairs."""
    kinds = lesions_of(names, metadata)
    _, counts = np.unique(kinds, return_counts=True)
    unrelated = (len(names) ** 2 - int((counts**2).sum())) // 2
    apart = [(i, j) for i, j in pairs if kinds[i] != kinds[j]]
    print(f"pairs of different lesions: {unrelated}; within {NEAR_BITS} bits: {len(apart)}")
    print(
        f"  that is {len(apart) / unrelated * 1e6:.3f} in a million",
        *(f"  {names[i]} {names[j]}" for i, j in apart[:20]),
        sep="\n",
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("images", type=Path, help="folder of JPEG images")
    parser.add_argument("--metadata", type=Path)
    parser.add_argument("--real", type=int, default=10_000)
    parser.add_argument("--planted", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(asked.images.glob("*.jpg"))[: asked.real]
    if not paths:
        parser.error(f"{asked.images} holds no .jpg files.")
    draw = np.random.default_rng(asked.seed)
    chosen = draw.choice(len(paths), min(asked.planted, len(paths)), replace=False)
    show_recall([paths[position] for position in sorted(chosen)])
    began = time.process_time()
    decoded = (decode(path) for path in paths)
    both = [fingerprint(rgb) for rgb in decoded]
    hashes, parts = np.stack([each for each, _ in both]), np.stack([each for _, each in both])
    print(f"reading and hashing {len(paths)} images: {time.process_time() - began:.1f} s")
    # Equal hashes are paired with the first only, by design: compare on one of each kind.
    _, first = np.unique(hashes, axis=0, return_index=True)
    first.sort()
    names = [paths[position].stem for position in first]
    pairs = show_speed(hashes[first])
    show_parts(hashes[first], parts[first], names)
    show_precision(pairs, names, asked.metadata)
    show_unrelated(hashes[first], lesions_of(names, asked.metadata))


if __name__ == "__main__":
    main()
