"""The same picture twice: exact copies by digest, near and cropped copies by perceptual hashes.

Why ``NEAR_BITS`` is 28: two HAM10000 images of different lesions lie 115 of 256 bits apart
in their closest orientation (standard deviation 6). Of their 50.1 million pairs two lie
within 31: one at 31 by accident (two small round lesions), and ISIC_0025226 with
ISIC_0030074, which are one photograph in two colour balances, filed as two lesions. So at 28
false pairs are rarer than 1 in 10 million. Of 300 copies each, all that were saved again as
JPEG of quality 90 or 50, resized, blurred, brightened, or given a gamma of 1.4 or noise lie
within 23, and 99% of those cropped by 1% a side within 24. Cropped by 2.5% a side only 5% of
500 lie within 28, by 5% a side none: the hash does not survive cropping. ``near_parts`` searches
for the hashes of smaller squares too, from the middle and from each side; what it finds stands
in docs/results.md, and ``lentigo.data.copies`` looks at it a second time.

The search misses nothing up to ``SEARCHED_BITS``: 31 wrong bits in 16 bands of 16 leave a
band with at most one. Multi-index hashing: Norouzi 2012.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lentigo.data.fingerprint import SIDE, mirrorings, transposed
from lentigo.machine import usable_cores

NEAR_BITS = 28
SEARCHED_BITS = 31
_CANDIDATES = 1 << 20
_BANDS = _BAND_BITS = SIDE

_ROW, _COLUMN = np.mgrid[:SIDE, :SIDE]
# Every band takes one bit of each row and column of frequencies: the low ones, which many
# lesions share, are spread over all bands, and no bucket grows large.
_BAND_OF = (_ROW + 5 * _COLUMN) % _BANDS

# In what a band of 16 bits may differ: in nothing, first, or in one bit.
_WRONG = np.concatenate([[0], 1 << np.arange(_BAND_BITS)]).astype(np.uint16)

Keys = NDArray[np.uint16]
Words = NDArray[np.uint64]
Rows = NDArray[np.int64]
Places = NDArray[np.int32]  # half the memory, for hundreds of thousands of pictures


def exact_duplicates(sha256: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of identical files: every copy with the first of its kind.

    Args:
        sha256: Digest of each file.

    Returns:
        Sorted (i, j), i < j.
    """
    first: dict[str, int] = {}
    pairs = []
    for position, digest in enumerate(sha256):
        earlier = first.setdefault(digest, position)
        if earlier != position:
            pairs.append((earlier, position))
    return sorted(pairs)


def near_duplicates(
    hashes: NDArray[np.uint8], *, max_bits: int = NEAR_BITS
) -> list[tuple[int, int]]:
    """Pairs of pictures that differ in few bits, in any of eight orientations.

    Every pair within ``max_bits`` is found, except that of pictures with the very same hash
    each is paired with the first only. The work grows with the number of pictures, not of
    pairs, up to some 100,000 pictures.

    Args:
        hashes: (N, 32) uint8 from ``perceptual_hash``; all-zero rows pair with nothing.
        max_bits: 0 to ``SEARCHED_BITS``.

    Returns:
        Sorted (i, j), i < j.
    """
    if not 0 <= max_bits <= SEARCHED_BITS:
        raise ValueError(f"max_bits is {max_bits}, outside [0, {SEARCHED_BITS}].")
    shaped = np.flatnonzero(hashes.any(axis=1))
    if not len(shaped):
        return []
    kinds, first, kind_of = np.unique(
        hashes[shaped], axis=0, return_index=True, return_inverse=True
    )
    same = first[kind_of.reshape(-1)]
    again = same != np.arange(len(shaped))
    pairs = {*_sorted_pairs(shaped[same[again]], shaped[again])}
    for turned in (False, True):
        # A pair is met from the other side in the inverse orientation.
        a, b = _within(kinds, _Index.of(kinds, turned=turned), max_bits, _WRONG, np.less)
        pairs.update(_sorted_pairs(shaped[first[a]], shaped[first[b]]))
    return sorted(pairs)


def near_parts(
    hashes: NDArray[np.uint8], parts: NDArray[np.uint8], *, max_bits: int = NEAR_BITS
) -> list[tuple[int, int]]:
    """Pairs of which one is a part of the other, or lacks a side of it, in any of 8 orientations.

    Two cases: one square lies within the other, in its middle or at an edge, so a part of this
    looks like the whole of that; or both are central squares of wider frames of which one lacks
    a side, so that it is shifted, and a part of this at the edge looks like the middle of that.

    Only pairs that agree in at least one of 16 bands of the hash are seen: were errors spread
    by chance, that would miss one copy in 1,600 at 20 bits and one in 25 at 28. In return a
    part costs a seventeenth of a search that misses none.

    Args:
        hashes: (N, 32) of whole pictures; all-zero rows pair with nothing.
        parts: (N, m, 5, 32) from ``part_hashes`` of the same pictures; may be memory-mapped.
        max_bits: 0 to ``SEARCHED_BITS``.

    Returns:
        Sorted (i, j), i < j.
    """
    turns = (False, True)
    wholes = [_Index.of(hashes, turned=turned) for turned in turns]
    shares = range(parts.shape[1])
    with ThreadPoolExecutor(usable_cores()) as pool:  # NumPy works outside the interpreter's lock
        found = pool.map(
            lambda task: _pairs_of(wholes[task[1]], hashes, parts[:, task[0]], max_bits),
            itertools.product(shares, turns),
        )
        return sorted(set().union(*found))


def _pairs_of(
    wholes: _Index, hashes: NDArray[np.uint8], parts: NDArray[np.uint8], max_bits: int
) -> set[tuple[int, int]]:
    """The pairs (i, j), i < j, that parts (N, 5, 32) of one size show, turned as ``wholes`` is."""
    shifted = _Index.of(np.concatenate([hashes, parts[:, 0]]), turned=wholes.turned)
    pairs: set[tuple[int, int]] = set()
    for place in range(parts.shape[1]):
        index = shifted if place else wholes
        asked, rows = _shaped(np.asarray(parts[:, place]))
        a, b = _within(asked, index, max_bits)
        i, j = rows[a], index.rows[b] % len(hashes)
        pairs.update(_sorted_pairs(i[i != j], j[i != j]))
    return pairs


def _sorted_pairs(a: Rows, b: Rows) -> Iterator[tuple[int, int]]:
    """Pairs (a, b) as (smaller, larger)."""
    return zip(np.minimum(a, b).tolist(), np.maximum(a, b).tolist(), strict=True)


def _shaped(hashes: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Rows]:
    """The hashes (n, 32) of pictures that are not flat, and their rows (n,)."""
    rows = np.flatnonzero(hashes.any(axis=1))
    return hashes[rows], rows


@dataclass(frozen=True)
class _Index:
    """Hashes by the content of each of their bands, whichever way the pictures are mirrored.

    Attributes:
        turned: Whether they are those of the transposed pictures.
        signs: Of n pictures that are not flat.
        rows: (n,) which they are.
        order: (16, n) in which the least content of each band rises.
        starts: (16, 65,537) where in that order each content begins.
        met: (16, 65,536) which contents there are: small enough to be asked first.
    """

    turned: bool
    signs: _Signs
    rows: Rows
    order: Places
    starts: Places
    met: NDArray[np.bool_]

    @classmethod
    def of(cls, hashes: NDArray[np.uint8], *, turned: bool) -> _Index:
        """Of hashes (N, 32); flat ones are left out."""
        shaped, rows = _shaped(hashes)
        signs = _Signs.of(transposed(shaped) if turned else shaped, turned=turned)
        order = np.empty(signs.keys.shape, np.int32)
        starts = np.zeros((_BANDS, (1 << _BAND_BITS) + 1), np.int32)
        for band, keys in enumerate(signs.keys):
            least = _least(keys, band, turned=turned)
            order[band] = np.argsort(least, kind="stable")
            np.cumsum(np.bincount(least, minlength=1 << _BAND_BITS), out=starts[band, 1:])
        return cls(turned, signs, rows, order, starts, starts[:, 1:] > starts[:, :-1])


@dataclass(frozen=True)
class _Signs:
    """The hashes of n pictures, taken apart.

    Attributes:
        words: (n, 4).
        classes: (4, n), a word for each class of frequencies, even or odd down and across. In a
            mirrored picture all signs of a class are the opposite ones or none, and never those
            of the first, which are even both ways.
        keys: (16, n), the content of each band.
    """

    words: Words
    classes: Words
    keys: Keys

    @classmethod
    def of(cls, hashes: NDArray[np.uint8], *, turned: bool) -> _Signs:
        """Of hashes (n, 32), in bands as they are or in transposed ones."""
        lines = np.ascontiguousarray(hashes).view(np.uint16)  # a row of frequencies each
        columns = np.ascontiguousarray(lines.T)
        keys = np.zeros_like(columns)
        for column, mask in zip(columns, _masks(turned), strict=True):
            keys |= column & mask[:, None]
        classes = []
        for start in (1, 0):  # index 0 is frequency 1, which is odd
            a, b = np.ascontiguousarray(lines[:, start::2]).view(np.uint64).T
            classes += [(a & _EVEN) | ((b & _EVEN) << 1), ((a & ~_EVEN) >> 1) | (b & ~_EVEN)]
        return cls(lines.view(np.uint64), np.stack(classes), keys)


# The bits of the even frequencies of a row: columns come from the highest bit of each byte on.
_EVEN = np.uint64(0x5555555555555555)


@cache
def _masks(turned: bool) -> Keys:
    """Which bit of each row of a hash each band takes: (16 rows, 16 bands), each another."""
    band_of = _BAND_OF.T if turned else _BAND_OF
    taken = np.arange(_BANDS)[:, None, None] == band_of
    return np.ascontiguousarray(np.packbits(taken, axis=2).view(np.uint16)[..., 0].T)


@cache
def _mirrored(turned: bool) -> _Signs:
    """What a hash differs in when the picture is mirrored, four times, nothing first."""
    return _Signs.of(mirrorings(), turned=turned)


def _least(keys: Keys, band: int, *, turned: bool) -> Keys:
    """The smallest content of a band, of any shape, that the mirrored versions of a picture have.

    So all four are one look-up.
    """
    flips = _mirrored(turned).keys[band]
    return np.asarray(np.minimum.reduce([keys ^ flip for flip in flips]))


def _within(
    asked: NDArray[np.uint8],
    index: _Index,
    max_bits: int,
    wrong: Keys = _WRONG[:1],
    wanted: np.ufunc | None = None,
) -> tuple[Rows, Rows]:
    """Rows (a, b) of a list of hashes and of an index within ``max_bits``, if ``wanted(a, b)``.

    Only pairs are seen of which a band differs by no more than one of ``wrong``.
    """
    signs = _Signs.of(asked, turned=index.turned)
    found = np.zeros(0, np.int64)
    for band, column in enumerate(signs.keys):
        keys = _least(column[:, None] ^ wrong, band, turned=index.turned).reshape(-1)
        some = np.flatnonzero(index.met[band].take(keys))
        for asking, slots in _expand(some, keys[some], index.starts[band]):
            a, b = asking // len(wrong), index.order[band].take(slots)
            if wanted is not None:
                kept = wanted(a, b)
                a, b = a[kept], b[kept]
            a, b = _perhaps_close(signs, index.signs, a, b, max_bits)
            # As one number, for a pair that is close is met several times.
            if len(a):
                found = np.union1d(found, a * len(index.rows) + b)
    a, b = np.divmod(found, max(1, len(index.rows)))
    close = _are_close(signs, index, a, b, max_bits, len(wrong) > 1)
    return a[close], b[close]


def _expand(asking: Rows, keys: Keys, starts: Places) -> Iterator[tuple[Rows, Rows]]:
    """Each query (n,) with every slot of its bucket ``keys`` (n,), a bounded number at a time."""
    first = starts.take(keys)
    counts = starts[1:].take(keys) - first
    ends = np.cumsum(counts)
    begin = 0
    while begin < len(asking):
        done = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + _CANDIDATES, side="right")))
        part = slice(begin, end)
        shifts = first[part] - (ends[part] - counts[part] - done)
        repeated = np.repeat(asking[part], counts[part])
        yield repeated, np.repeat(shifts, counts[part]) + np.arange(len(repeated))
        begin = end


def _perhaps_close(
    left: _Signs, right: _Signs, a: Rows, b: Places, max_bits: int
) -> tuple[Rows, Places]:
    """The pairs (a, b) that may be within ``max_bits``, however one picture is mirrored."""
    bits = np.zeros(len(a), np.uint16)
    for place, (one, other) in enumerate(zip(left.classes, right.classes, strict=True)):
        differing = np.bitwise_count(one.take(a) ^ other.take(b))
        bits += np.minimum(differing, 64 - differing) if place else differing
        close = bits <= max_bits
        a, b, bits = a[close], b[close], bits[close]
    return a, b


def _are_close(
    left: _Signs, index: _Index, a: Rows, b: Rows, max_bits: int, wrong_bits: int
) -> NDArray[np.bool_]:
    """Whether one of each pair (a, b), mirrored, is within ``max_bits`` and alike in a band."""
    flips = _mirrored(index.turned)
    words, keys = left.words[a] ^ index.signs.words[b], left.keys[:, a] ^ index.signs.keys[:, b]
    found = np.zeros(len(a), np.bool_)
    for word, key in zip(flips.words, flips.keys.T, strict=True):
        near = np.bitwise_count(words ^ word).sum(axis=1) <= max_bits
        found |= near & (np.bitwise_count(keys ^ key[:, None]) <= wrong_bits).any(axis=0)
    return found
