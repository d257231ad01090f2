"""The same picture twice: exact copies by digest, near copies by a 256-bit perceptual hash.

The hash is the sign of the 16 x 16 lowest mixed frequencies of the picture's central square.
Mirroring flips the signs of odd frequencies and transposing swaps the axes, so all eight
orientations of a picture follow from the one hash, without its pixels.

Why ``NEAR_BITS`` is 28: two HAM10000 images of different lesions lie 115 of 256 bits apart
in their closest orientation (standard deviation 6). Of their 50.1 million pairs two lie
within 31: one at 31 by accident (two small round lesions), and ISIC_0025226 with
ISIC_0030074, which are one photograph in two colour balances, filed as two lesions. So at 28
false pairs are rarer than 1 in 10 million. Of 300 copies each, all that were saved again as
JPEG of quality 90 or 50, resized, blurred, brightened, or given a gamma of 1.4 or noise lie
within 23, and 99% of those cropped by 1% a side within 24. Cropped by 2.5% a side only 5% of
500 lie within 28, by 5% a side none: the hash does not survive cropping. ``near_parts`` searches
for the hashes of smaller squares too (``PARTS``), from the middle and from each side; what it
finds stands in docs/results.md.

The search misses nothing up to ``SEARCHED_BITS``: 31 wrong bits in 16 bands of 16 leave a
band with at most one. DCT hash: Zauner 2010. Multi-index hashing: Norouzi 2012.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

NEAR_BITS = 28
SEARCHED_BITS = 31
HASH_BYTES = 32
# Shares by which a part is smaller; the hash bears about 1.5% more or less.
PARTS = (0.03, 0.06, 0.09, 0.12)
_SIDE = 16
_THUMBNAIL_PX = 64
# A picture with less than this (root mean square, grey levels) in the frequencies of the hash
# is flat: its signs are rounding noise, and it is compared by its bytes only.
_FLAT_LEVELS = 0.25
_CANDIDATES = 1 << 21

_ROW, _COLUMN = np.mgrid[:_SIDE, :_SIDE]
# Every band takes one bit of each row and column of frequencies: the low ones, which many
# lesions share, are spread over all bands, and no bucket grows large.
_BAND_ORDER = np.lexsort((_ROW.ravel(), ((_ROW + 5 * _COLUMN) % _SIDE).ravel()))

# In what a band of 16 bits may differ: not at all, or in one bit.
_SAME = np.zeros(1, np.uint16)
_ONE_WRONG = np.concatenate([[0], 1 << np.arange(_SIDE)]).astype(np.uint16)


def perceptual_hash(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hash of what a picture shows, stable under recompression, resizing and brightness.

    Args:
        rgb: (H, W, 3) uint8; the central square counts.

    Returns:
        (32,) uint8: 256 signs of frequencies 1..16 by 1..16; all zero for a flat picture,
        which has no near copies.
    """
    return _hash(cv2.cvtColor(_square(rgb), cv2.COLOR_RGB2GRAY))


def _square(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def _hash(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hash (32,) of a grey square (S, S)."""
    small = cv2.resize(grey, (_THUMBNAIL_PX, _THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    waves = cv2.dct(small.astype(np.float32))[1 : _SIDE + 1, 1 : _SIDE + 1]
    if float(np.sqrt(np.square(waves).sum())) < _FLAT_LEVELS * _THUMBNAIL_PX:
        return np.zeros(HASH_BYTES, np.uint8)
    return np.packbits(waves > 0)


def part_hashes(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hashes (len(PARTS), 5, 32) of parts of the central square of a picture (H, W, 3).

    Squares that are smaller by each share: the middle, then those that lack only the left, the
    right, the top, the bottom, and half as much on either side across.
    """
    grey = cv2.cvtColor(_square(rgb), cv2.COLOR_RGB2GRAY)
    found = []
    for share in PARTS:
        all_, half = round(len(grey) * share), round(len(grey) * share / 2)
        side = len(grey) - all_
        places = ((half, half), (half, all_), (half, 0), (all_, half), (0, half))
        found.append([_hash(grey[y : y + side, x : x + side]) for y, x in places])
    return np.array(found, np.uint8)


def orientations(hashes: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The hashes of the eight mirrored and turned versions of each picture.

    Args:
        hashes: (N, 32) uint8.

    Yields:
        (N, 32) uint8, eight times, the pictures as they are first.
    """
    bits = np.unpackbits(hashes, axis=1).reshape(-1, _SIDE, _SIDE)
    # Index 0 is frequency 1, which is odd.
    odd = (np.arange(_SIDE) % 2 == 0).astype(np.uint8)
    for turned in (bits, bits.transpose(0, 2, 1)):
        for upside_down in (0, 1):
            for mirrored in (0, 1):
                flips = (upside_down * odd)[:, None] ^ (mirrored * odd)[None, :]
                yield np.packbits((turned ^ flips).reshape(-1, _SIDE * _SIDE), axis=1)


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
        parts: (N, m, 5, 32) from ``part_hashes`` of the same pictures.
        max_bits: 0 to ``SEARCHED_BITS``.

    Returns:
        Sorted (i, j), i < j.
    """
    pairs: set[tuple[int, int]] = set()
    for share in range(parts.shape[1]):
        for place in range(parts.shape[2]):
            middles = [] if place == 0 else [parts[:, share, 0]]
            among = np.concatenate([hashes, *middles])
            known = np.flatnonzero(among.any(axis=1))
            asked = np.flatnonzero(parts[:, share, place].any(axis=1))
            found = _within(parts[asked, share, place], among[known], max_bits, None, _SAME)
            for a, b in found:
                i, j = sorted((int(asked[a]), int(known[b]) % len(hashes)))
                if i != j:
                    pairs.add((i, j))
    return sorted(pairs)


def _near_kinds(kinds: NDArray[np.uint8], max_bits: int) -> set[tuple[int, int]]:
    """Pairs (a, b), a < b, of different hashes within ``max_bits`` in any orientation."""
    # The pair is met from the other side in the inverse orientation.
    return _within(kinds, kinds, max_bits, np.less, _ONE_WRONG)


def _within(
    asked: NDArray[np.uint8],
    among: NDArray[np.uint8],
    max_bits: int,
    wanted: np.ufunc | None,
    masks: NDArray[np.uint16],
) -> set[tuple[int, int]]:
    """Rows (a, b) of two lists of hashes within ``max_bits``, if ``wanted(a, b)``.

    Only pairs are seen of which a band differs by no more than one of ``masks``.
    """
    base = _bands(among)
    turned = [_bands(each) for each in orientations(asked)]
    found: set[tuple[int, int]] = set()
    for band in range(_SIDE):
        order = np.argsort(base[:, band], kind="stable")
        filled = np.bincount(base[:, band], minlength=1 << _SIDE)
        starts = np.concatenate([[0], np.cumsum(filled)])
        for queries in turned:
            keys = (queries[:, band, None] ^ masks).reshape(-1)
            for asking, slots in _expand(starts[keys], filled[keys]):
                a, b = asking // len(masks), order[slots]
                kept = slice(None) if wanted is None else wanted(a, b)
                _keep_close(queries, base, a[kept], b[kept], max_bits, found)
    return found


def _bands(hashes: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """The bits of each hash as 16 bands of 16, (N, 16) uint16."""
    bits = np.unpackbits(hashes, axis=1)[:, _BAND_ORDER]
    return np.ascontiguousarray(np.packbits(bits, axis=1)).view(np.uint16)


def _expand(
    starts: NDArray[np.int64], counts: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Each query with every slot of its bucket, a bounded number at a time."""
    asking = np.flatnonzero(counts)
    ends = np.cumsum(counts[asking])
    begin = 0
    while begin < len(asking):
        done = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + _CANDIDATES, side="right")))
        part = asking[begin:end]
        repeated = np.repeat(part, counts[part])
        offsets = np.arange(len(repeated)) - np.repeat(
            np.cumsum(counts[part]) - counts[part], counts[part]
        )
        yield repeated, starts[repeated] + offsets
        begin = end


def _keep_close(
    queries: NDArray[np.uint16],
    base: NDArray[np.uint16],
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
