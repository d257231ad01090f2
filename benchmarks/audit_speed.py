"""The search for near duplicates beside brute force, and what it finds of planted copies.

Compared: ``near_duplicates`` and a vectorised comparison of every pair in all eight
orientations, on the same hashes of real images, which must give the same pairs. Then the search
alone on 100,000 hashes: real ones with each bit flipped by chance (``--flip``), so that they
stay as unevenly spread over the buckets as real ones. Brute force is not run on those; what
it would take is worked out from its own time and printed as such.

Recall: copies of real images, saved again, resized, cropped, turned, mirrored, brightened.
Precision: of all pairs of real images of different lesions (``--metadata``, a CSV with
``image_id`` and ``lesion_id``; without it, of all pairs), how many lie within ``NEAR_BITS``.
A pair so counted may still show one lesion that was filed as two: look before calling it false.

Expected: the same pairs from both, RATIO well below 1 and falling with the number of images.

Run::

    python benchmarks/audit_speed.py IMAGES [--metadata HAM10000_metadata.csv] [--planted 500]
"""

from __future__ import annotations

import argparse
import csv
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.data.duplicates import (
    CROPS,
    NEAR_BITS,
    crop_hashes,
    near_crops,
    near_duplicates,
    orientations,
    perceptual_hash,
)
from lentigo.image import decode

ROWS_AT_ONCE = 64
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
    "cut by 5% from one side": lambda rgb: rgb[:, round(rgb.shape[1] * 0.05) :],
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
    """What it gives, and the seconds it took."""
    began = time.perf_counter()
    return call(), time.perf_counter() - began


def brute_force(hashes: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """All near pairs, sorted."""
    return sorted(
        pair for i, j in every_pair(hashes) for pair in zip(i.tolist(), j.tolist(), strict=True)
    )


def show_speed(hashes: NDArray[np.uint8]) -> tuple[list[tuple[int, int]], float]:
    """Search and brute force on the same different hashes; near pairs and brute's seconds."""
    ours, search_s = timed(lambda: near_duplicates(hashes))
    theirs, brute_s = timed(lambda: brute_force(hashes))
    print(f"{len(hashes)} real images: search {search_s:.1f} s, brute force {brute_s:.1f} s")
    print(f"pairs: search {len(ours)}, brute force {len(theirs)}, same {ours == theirs}")
    print(f"RATIO {search_s / brute_s:.3f}", flush=True)
    return theirs, brute_s


def show_growth(
    hashes: NDArray[np.uint8], count: int, flip: float, brute_s: float, seed: int
) -> None:
    """The search alone on many hashes made from real ones."""
    draw = np.random.default_rng(seed)
    made = np.empty((count, hashes.shape[1]), np.uint8)
    for row in range(count):  # one at a time: all flips at once would be 200 MB of the peak
        flips = np.packbits(draw.random(hashes.shape[1] * 8) < flip)
        made[row] = hashes[draw.integers(len(hashes))] ^ flips
    pairs, search_s = timed(lambda: near_duplicates(made))
    worked_out_s = brute_s * (count / len(hashes)) ** 2
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count} hashes, bits flipped with {flip}: search {search_s:.1f} s, {len(pairs)} pairs")
    print(f"brute force, worked out and not run: {worked_out_s:.0f} s")
    print(f"RATIO (worked out) {search_s / worked_out_s:.4f}; peak memory {peak_mb:.0f} MB")


def show_crops(paths: list[Path], hashes: NDArray[np.uint8], names: list[str]) -> None:
    """What the search for central parts adds, and what it costs."""
    parts = np.stack([crop_hashes(decode(path)) for path in paths])
    whole, whole_s = timed(lambda: near_duplicates(hashes))
    found, crops_s = timed(lambda: near_crops(hashes, parts))
    new = sorted(set(found) - set(whole))
    print(f"central parts: {len(new)} further pairs, in {crops_s:.1f} s after {whole_s:.1f} s")
    print(*(f"  {names[i]} {names[j]}" for i, j in new[:20]), sep="\n", flush=True)


def show_recall(paths: list[Path]) -> None:
    """How many planted copies lie within ``NEAR_BITS`` of their original."""
    images = [decode(path) for path in paths]
    originals = np.stack([perceptual_hash(rgb) for rgb in images])
    parts = np.stack([crop_hashes(rgb) for rgb in images])
    print(f"planted copies of {len(paths)} images, within {NEAR_BITS} bits:")
    for name, change in COPIES.items():
        copies = np.stack([perceptual_hash(change(rgb)) for rgb in images])
        bits = closest(originals, copies)
        crops = np.minimum.reduce([closest(parts[:, each], copies) for each in range(len(CROPS))])
        either = int((np.minimum(bits, crops) <= NEAR_BITS).sum())
        found = int((bits <= NEAR_BITS).sum())
        print(f"  {name}: {found}/{len(bits)} = {found / len(bits):.3f}, farthest {bits.max()}"
              f"; with central parts {either}/{len(bits)}")  # fmt: skip


def show_precision(pairs: list[tuple[int, int]], names: list[str], metadata: Path | None) -> None:
    """How many near pairs are of different lesions, of all such pairs."""
    lesions: dict[str, str] = {}
    if metadata:
        with metadata.open(newline="", encoding="utf-8") as stream:
            lesions = {row["image_id"]: row["lesion_id"] for row in csv.DictReader(stream)}
    kinds = np.array([lesions.get(name, name) for name in names])
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
    parser.add_argument("--hashed", type=int, default=100_000)
    parser.add_argument("--planted", type=int, default=500)
    parser.add_argument("--flip", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted(asked.images.glob("*.jpg"))[: asked.real]
    if not paths:
        parser.error(f"{asked.images} holds no .jpg files.")
    draw = np.random.default_rng(asked.seed)
    chosen = draw.choice(len(paths), min(asked.planted, len(paths)), replace=False)
    show_recall([paths[position] for position in sorted(chosen)])
    began = time.perf_counter()
    hashes = np.stack([perceptual_hash(decode(path)) for path in paths])
    print(f"reading and hashing {len(paths)} images: {time.perf_counter() - began:.1f} s")
    # Equal hashes are paired with the first only, by design: compare on one of each kind.
    _, first = np.unique(hashes, axis=0, return_index=True)
    first.sort()
    pairs, brute_s = show_speed(hashes[first])
    show_crops([paths[i] for i in first], hashes[first], [paths[i].stem for i in first])
    show_precision(pairs, [paths[position].stem for position in first], asked.metadata)
    show_growth(hashes, asked.hashed, asked.flip, brute_s, asked.seed)


if __name__ == "__main__":
    main()
