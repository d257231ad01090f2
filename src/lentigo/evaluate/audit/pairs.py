"""The same picture twice, within a set and across sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from lentigo.data.copies import cropped_copies
from lentigo.data.duplicates import exact_duplicates, near_duplicates, near_parts
from lentigo.data.fingerprint import orientations
from lentigo.data.likeness import COINCIDING, likenesses
from lentigo.data.splits import connected_groups

Kind = Literal["identical file", "near duplicate", "cropped copy", "same id", "published"]
# The surest first; the last two are told by names, not seen in the pixels.
KINDS: tuple[Kind, ...] = get_args(Kind)
SEEN = frozenset(KINDS[:3])

_AT_ONCE = 1 << 18


class Pictures(Protocol):
    """Pictures (S, S, 3) uint8 RGB by row, read one at a time."""

    def __len__(self) -> int:
        """How many."""

    def __getitem__(self, row: int, /) -> NDArray[np.uint8]:
        """One of them."""


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


def find_pairs(
    sha256: Sequence[str],
    hashes: NDArray[np.uint8],
    told: Mapping[tuple[int, int], Kind],
    threshold: int,
    parts: NDArray[np.uint8] | None = None,
) -> list[Pair]:
    """All pairs that show the same picture, each once, by rows.

    Args:
        sha256: (N,) digests of the files.
        hashes: (N, 32).
        told: Pairs that bear one id or that a publisher names, rows ascending.
        threshold: Bits that near duplicates may differ in.
        parts: (N, m, 5, 32) of parts of the pictures, to find cropped copies by.
    """
    kinds = dict(told)
    near = near_duplicates(hashes, max_bits=threshold)
    exact = exact_duplicates(list(sha256))
    if parts is not None:
        found = near_parts(hashes, parts, max_bits=threshold)
        cropped = cropped_copies(len(hashes), found, [*exact, *near])
        kinds |= dict.fromkeys(cropped, "cropped copy")
    kinds |= dict.fromkeys(near, "near duplicate")
    kinds |= dict.fromkeys(exact, "identical file")
    order = sorted(kinds)
    if not order:
        return []
    a, b = np.array(order, np.int64).T
    return [
        Pair(x, y, kinds[x, y], int(bits))
        for (x, y), bits in zip(order, distances(hashes, a, b), strict=True)
    ]


def confirmed(pairs: Sequence[Pair], pictures: Pictures) -> tuple[list[Pair], list[Pair]]:
    """Pairs that stand a second look, and near or cropped copies whose details do not coincide.

    Args:
        pairs: From ``find_pairs``; those told by names or by their bytes are not asked.
        pictures: By row.
    """
    doubtful = [each for each in pairs if each.kind in {"near duplicate", "cropped copy"}]
    found = likenesses([(each.a, each.b) for each in doubtful], pictures.__getitem__)
    refused = {p for p, value in zip(doubtful, found, strict=True) if value < COINCIDING}
    return [p for p in pairs if p not in refused], sorted(refused, key=lambda p: (p.a, p.b))


def largest_group(n: int, pairs: Sequence[Pair], hashes: NDArray[np.uint8]) -> dict[str, Any]:
    """The largest group that near duplicates join, and how far its ends lie apart.

    A chain of look-alikes, each close to the next, would show here: many images, and a
    distance between its ends far above the threshold.
    """
    near = [(each.a, each.b) for each in pairs if each.kind in SEEN]
    if not near:
        return {"images": 1, "rows": [], "widest_bits": 0}
    component = connected_groups(n, near)
    names, sizes = np.unique(component, return_counts=True)
    rows = np.flatnonzero(component == names[sizes.argmax()])
    a, b = np.triu_indices(len(rows), 1)
    widest = int(distances(hashes, rows[a], rows[b]).max())
    return {"images": len(rows), "rows": rows.tolist(), "widest_bits": widest}
