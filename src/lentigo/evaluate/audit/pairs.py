"""The same picture twice, within a set and across sets, and how sure that is.

What counts as the same is decided by the distances of pairs that show different lesions in
these very images: at most one in a million of them may lie within the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lentigo.data.duplicates import (
    NEAR_BITS,
    crop_hashes,
    exact_duplicates,
    near_crops,
    near_duplicates,
    orientations,
    perceptual_hash,
)
from lentigo.data.oversampling import Images
from lentigo.data.splits import connected_groups

Kind = Literal["identical file", "near duplicate", "cropped copy", "published"]

UNRELATED_PAIRS = 4_000_000
FALSE_RATE = 1e-6
# So close are only pictures that were copied: they say nothing about unrelated ones.
COPIED_BITS = 12
_AT_ONCE = 1 << 18


@dataclass(frozen=True)
class Pair:
    """Two images that show the same picture.

    Attributes:
        a: Row of the first.
        b: Row of the second, larger.
        kind: How it was found; the surest way where there are several.
        bits: Bits of 256 in which the hashes of the whole pictures differ, in the closest of
            eight orientations; many, where one is a central part of the other.
    """

    a: int
    b: int
    kind: Kind
    bits: int


@dataclass(frozen=True)
class Unrelated:
    """Distances of pairs that show different groups.

    Attributes:
        pairs: How many were drawn.
        histogram: (257,) how many lie at each distance, 0 to 256 bits.
        threshold: Largest distance that counts as the same picture, in bits.
        within: How many of the unrelated pairs lie within it all the same.
        rate_at_most: Upper end of the 95% interval of that share (rule of three).
    """

    pairs: int
    histogram: NDArray[np.int64]
    threshold: int
    within: int
    rate_at_most: float

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "pairs": self.pairs,
            "histogram": {int(d): int(n) for d, n in enumerate(self.histogram) if n},
            "threshold_bits": self.threshold,
            "within_threshold": self.within,
            "false_rate_at_most": self.rate_at_most,
        }


def hashes_of(images: Images) -> NDArray[np.uint8]:
    """Perceptual hashes (N, 32) of ``images`` (N, S, S, 3), a few in memory at a time."""
    hashes = np.zeros((len(images), 32), np.uint8)
    for row in range(len(images)):
        hashes[row] = perceptual_hash(images[row])
    return hashes


def part_hashes_of(images: Images) -> NDArray[np.uint8]:
    """Hashes (N, m, 32) of the central parts of ``images`` (N, S, S, 3)."""
    return np.stack([crop_hashes(images[row]) for row in range(len(images))])


def distances(
    hashes: NDArray[np.uint8], a: NDArray[np.int64], b: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Bits (n,) in which ``hashes[a]`` and ``hashes[b]`` differ, in the closest orientation."""
    closest = np.full(len(a), 256, np.int64)
    words = np.ascontiguousarray(hashes).view(np.uint64)
    for turned in orientations(hashes):
        other = np.ascontiguousarray(turned).view(np.uint64)
        for start in range(0, len(a), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            bits = np.bitwise_count(words[a[part]] ^ other[b[part]]).sum(axis=1, dtype=np.int64)
            closest[part] = np.minimum(closest[part], bits)
    return closest


def measure_unrelated(
    hashes: NDArray[np.uint8],
    groups: NDArray[np.int64],
    *,
    pairs: int = UNRELATED_PAIRS,
    seed: int = 0,
) -> Unrelated:
    """Draw pairs of different groups and set the threshold by their distances.

    The threshold is the largest distance, at most ``NEAR_BITS``, at which the share of
    unrelated pairs within it stays below ``FALSE_RATE``, as far as so many pairs can tell.

    Args:
        hashes: (N, 32) uint8; flat pictures (all zero) are left out.
        groups: (N,) numbers; a pair of one group is not unrelated.
        pairs: How many to draw; fewer remain where groups are large.
        seed: Of the draw.
    """
    shaped = np.flatnonzero(hashes.any(axis=1))
    if len(shaped) < 2:
        return Unrelated(0, np.zeros(257, np.int64), NEAR_BITS, 0, 1.0)
    random = np.random.default_rng(seed)
    a, b = shaped[random.integers(0, len(shaped), (2, pairs))]
    keep = groups[a] != groups[b]
    found = distances(hashes, a[keep], b[keep])
    found = found[found > COPIED_BITS]
    histogram = np.bincount(found, minlength=257)
    within = np.cumsum(histogram)
    allowed = np.flatnonzero(within[: NEAR_BITS + 1] <= FALSE_RATE * max(len(found), 1))
    threshold = int(allowed[-1]) if len(allowed) else COPIED_BITS
    count = int(within[threshold])
    # Three expected where none was seen; else about twice its root above what was seen.
    upper = 3.0 if count == 0 else count + 2 * np.sqrt(count) + 2
    rate = float(min(1.0, upper / max(len(found), 1)))
    return Unrelated(len(found), histogram, threshold, count, rate)


def find_pairs(
    sha256: Sequence[str],
    hashes: NDArray[np.uint8],
    published: Sequence[tuple[int, int]],
    threshold: int,
    parts: NDArray[np.uint8] | None = None,
) -> list[Pair]:
    """All pairs that show the same picture, each once, by rows.

    Args:
        sha256: (N,) digests of the files.
        hashes: (N, 32).
        published: Pairs that a publisher names, rows ascending.
        threshold: Bits that near duplicates may differ in.
        parts: (N, m, 32) of central parts, to find cropped copies by.
    """
    kinds: dict[tuple[int, int], Kind] = dict.fromkeys(published, "published")
    if parts is not None:
        kinds |= dict.fromkeys(near_crops(hashes, parts, max_bits=threshold), "cropped copy")
    kinds |= dict.fromkeys(near_duplicates(hashes, max_bits=threshold), "near duplicate")
    kinds |= dict.fromkeys(exact_duplicates(list(sha256)), "identical file")
    order = sorted(kinds)
    if not order:
        return []
    a, b = np.array(order, np.int64).T
    return [
        Pair(x, y, kinds[x, y], int(bits))
        for (x, y), bits in zip(order, distances(hashes, a, b), strict=True)
    ]


def largest_group(n: int, pairs: Sequence[Pair], hashes: NDArray[np.uint8]) -> dict[str, Any]:
    """The largest group that near duplicates join, and how far its ends lie apart.

    A chain of look-alikes, each close to the next, would show here: many images, and a
    distance between its ends far above the threshold.
    """
    near = [(each.a, each.b) for each in pairs if each.kind != "published"]
    if not near:
        return {"images": 1, "rows": [], "widest_bits": 0}
    component = connected_groups(n, near)
    names, sizes = np.unique(component, return_counts=True)
    rows = np.flatnonzero(component == names[sizes.argmax()])
    a, b = np.triu_indices(len(rows), 1)
    widest = int(distances(hashes, rows[a], rows[b]).max())
    return {"images": len(rows), "rows": rows.tolist(), "widest_bits": widest}
