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

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lentigo.data.fingerprint import HASH_BYTES, SIDE, mirrorings
from lentigo.machine import usable_cores

NEAR_BITS = 28
SEARCHED_BITS = 31
_CANDIDATES = 1 << 20
_BAND_BITS = 16
_WORDS = HASH_BYTES // 8

_ROW, _COLUMN = np.mgrid[:SIDE, :SIDE]
# Every band takes one bit of each row and column of frequencies: the low ones, which many
# lesions share, are spread over all bands, and no bucket grows large.
_BAND_ORDER = np.lexsort((_ROW.ravel(), ((_ROW + 5 * _COLUMN) % SIDE).ravel()))
_TRANSPOSED = np.arange(SIDE * SIDE).reshape(SIDE, SIDE).T.ravel()

# In what a band of 16 bits may differ: not at all, or in one bit.
_SAME = np.zeros(1, np.uint16)
_ONE_WRONG = np.concatenate([[0], 1 << np.arange(_BAND_BITS)]).astype(np.uint16)

Bands = NDArray[np.uint16]


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
    pairs = {
        (int(shaped[first[kind]]), int(position))
        for position, kind in zip(shaped, kind_of.reshape(-1), strict=True)
        if shaped[first[kind]] != position
    }
    for a, b in _near_kinds(kinds, max_bits):
        i, j = sorted((int(shaped[first[a]]), int(shaped[first[b]])))
        pairs.add((i, j))
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
    wholes = _Index.of(hashes)
    shares = range(parts.shape[1])
    with ThreadPoolExecutor(usable_cores()) as pool:  # NumPy works outside the interpreter's lock
        found = pool.map(lambda n: _pairs_of(wholes, hashes, parts[:, n], max_bits), shares)
        return sorted(set().union(*found))


def _pairs_of(
    wholes: _Index, hashes: NDArray[np.uint8], parts: NDArray[np.uint8], max_bits: int
) -> set[tuple[int, int]]:
    """The pairs (i, j), i < j, that parts (N, 5, 32) of one size show."""
    shifted = _Index.of(np.concatenate([hashes, parts[:, 0]]))
    pairs: set[tuple[int, int]] = set()
    for place in range(parts.shape[1]):
        index = shifted if place else wholes
        asked, rows = _shaped(np.asarray(parts[:, place]))
        for a, b in _within(asked, index, max_bits, None, _SAME):
            i, j = sorted((int(rows[a]), int(index.rows[b]) % len(hashes)))
            if i != j:
                pairs.add((i, j))
    return pairs


def _near_kinds(kinds: NDArray[np.uint8], max_bits: int) -> set[tuple[int, int]]:
    """Pairs (a, b), a < b, of different hashes within ``max_bits`` in any orientation."""
    # The pair is met from the other side in the inverse orientation.
    return _within(kinds, _Index.of(kinds), max_bits, np.less, _ONE_WRONG)


def _shaped(hashes: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The hashes (n, 32) of pictures that are not flat, and their rows (n,)."""
    rows = np.flatnonzero(hashes.any(axis=1))
    return hashes[rows], rows


@dataclass(frozen=True)
class _Index:
    """Hashes by the content of each of their bands.

    Attributes:
        bands: (n, 16), of pictures that are not flat.
        rows: (n,) which they are.
        order: (16, n) in which each band rises.
        starts: (16, 65,537) where in that order each content begins.
        met: (16, 65,536) which contents there are: small enough to be asked first.
    """

    bands: Bands
    rows: NDArray[np.int64]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    met: NDArray[np.bool_]

    @classmethod
    def of(cls, hashes: NDArray[np.uint8]) -> _Index:
        """Of hashes (N, 32); flat ones are left out."""
        shaped, rows = _shaped(hashes)
        bands = _bands(shaped, transposed=False)
        columns = np.ascontiguousarray(bands.T)
        order = np.argsort(columns, axis=1, kind="stable")
        starts = np.zeros((len(columns), (1 << _BAND_BITS) + 1), np.int64)
        for band, column in enumerate(columns):
            np.cumsum(np.bincount(column, minlength=1 << _BAND_BITS), out=starts[band, 1:])
        return cls(bands, rows, order, starts, np.diff(starts, axis=1) > 0)


def _within(
    asked: NDArray[np.uint8],
    index: _Index,
    max_bits: int,
    wanted: np.ufunc | None,
    masks: NDArray[np.uint16],
) -> set[tuple[int, int]]:
    """Rows (a, b) of a list of hashes and of an index within ``max_bits``, if ``wanted(a, b)``.

    Only pairs are seen of which a band differs by no more than one of ``masks``.
    """
    found: set[tuple[int, int]] = set()
    for transposed in (False, True):
        turned = _bands(asked, transposed=transposed)
        for flip in _flips():
            queries = turned ^ flip
            for band, column in enumerate(np.ascontiguousarray(queries.T)):
                keys = (column[:, None] ^ masks).reshape(-1)
                some = np.flatnonzero(index.met[band][keys])
                for asking, slots in _expand(some, keys[some], index.starts[band]):
                    a, b = asking // len(masks), index.order[band][slots]
                    kept = slice(None) if wanted is None else wanted(a, b)
                    _keep_close(queries, index.bands, a[kept], b[kept], max_bits, found)
    return found


@cache
def _flips() -> Bands:
    """What the bands of a picture differ in when it is mirrored: (4, 16), nothing first."""
    return _slow_bands(mirrorings(), _BAND_ORDER)


def _bands(hashes: NDArray[np.uint8], *, transposed: bool) -> Bands:
    """The bits of each hash (N, 32), or of its transposed picture's, as 16 bands of 16, (N, 16).

    Looked up byte by byte: five times as fast as unpacking, ordering and packing the bits.
    """
    bands = np.zeros((len(hashes), _WORDS), np.uint64)
    for table, column in zip(_tables(transposed), np.ascontiguousarray(hashes.T), strict=True):
        bands |= table[column]
    return bands.view(np.uint16)


@cache
def _tables(transposed: bool) -> NDArray[np.uint64]:
    """What each value of each byte of a hash sets in its bands: (32, 256, 4)."""
    alone = np.zeros((HASH_BYTES, 256, HASH_BYTES), np.uint8)
    byte = np.arange(HASH_BYTES)
    alone[byte, :, byte] = np.arange(256)
    order = _TRANSPOSED[_BAND_ORDER] if transposed else _BAND_ORDER
    bands = _slow_bands(alone.reshape(-1, HASH_BYTES), order)
    return bands.view(np.uint64).reshape(HASH_BYTES, 256, _WORDS)


def _slow_bands(hashes: NDArray[np.uint8], order: NDArray[np.int64]) -> Bands:
    """The bits of hashes (N, 32) in another order, as (N, 16)."""
    bits = np.unpackbits(hashes, axis=1)[:, order]
    return np.ascontiguousarray(np.packbits(bits, axis=1)).view(np.uint16)


def _expand(
    asking: NDArray[np.int64], keys: NDArray[np.uint16], starts: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Each query (n,) with every slot of its bucket ``keys`` (n,), a bounded number at a time."""
    first = starts[keys]
    counts = starts[1:][keys] - first
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


def _keep_close(
    queries: Bands,
    base: Bands,
    a: NDArray[np.int64],
    b: NDArray[np.int64],
    max_bits: int,
    found: set[tuple[int, int]],
) -> None:
    """Add the pairs (a, b) that are within ``max_bits`` to ``found``."""
    left, right = queries.view(np.uint64), base.view(np.uint64)
    bits = np.zeros(len(a), np.int64)
    for word in range(left.shape[1]):
        bits += np.bitwise_count(left[a, word] ^ right[b, word])
        close = bits <= max_bits
        a, b, bits = a[close], b[close], bits[close]
    found.update(zip(a.tolist(), b.tolist(), strict=True))
