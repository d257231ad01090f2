"""What a picture is recognised by: a 256-bit perceptual hash, and those of its parts.

The hash is the sign of the 16 x 16 lowest mixed frequencies of the picture's central square.
Mirroring flips the signs of odd frequencies and transposing swaps the axes, so all eight
orientations of a picture follow from the one hash, without its pixels. DCT hash: Zauner 2010.

The hash does not survive cropping, so squares that lack up to an eighth have hashes of their own
(``PARTS``). A part's frequencies are a linear map of the whole's, one matrix from each side: no
part is ever cut out or resized, and its twenty hashes cost less than reading the picture.

Imports nothing heavy: every worker of ``prepare`` pays for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

HASH_BYTES = 32
PARTS = (0.03, 0.06, 0.09, 0.12)
"""Shares by which a part is smaller; the hash bears about 1.5% more or less."""

SIDE = 16
"""Frequencies of the hash along each axis."""

_THUMBNAIL_PX = 64
# Frequencies of the whole that those of a part are made of; what lies above hardly reaches them.
_KNOWN = 32
# Where a part begins, as a share of what it lacks; and which pairs (down, across) are its places.
_STARTS = (0.5, 1.0, 0.0)
_PLACES = ((0, 0), (0, 1), (0, 2), (1, 0), (2, 0))
PART_SHAPE = (len(PARTS), len(_PLACES), HASH_BYTES)
"""Of the hashes of one picture's parts."""

# A picture with less than this (root mean square, grey levels) in the frequencies of the hash
# is flat: its signs are rounding noise, and it is compared by its bytes only.
_FLAT_LEVELS = 0.25

Floats = NDArray[np.float32]


def perceptual_hash(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hash of what a picture shows, stable under recompression, resizing and brightness.

    Args:
        rgb: (H, W, 3) uint8; the central square counts.

    Returns:
        (32,) uint8: 256 signs of frequencies 1..16 by 1..16; all zero for a flat picture,
        which has no near copies.
    """
    return _signs(_waves(rgb)[1 : SIDE + 1, 1 : SIDE + 1])


def part_hashes(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hashes (len(PARTS), 5, 32) of parts of the central square of a picture (H, W, 3).

    Squares that are smaller by each share: the middle, then those that lack only the left, the
    right, the top, the bottom, and half as much on either side across.
    """
    return fingerprint(rgb)[1]


def fingerprint(
    rgb: NDArray[np.uint8], to_grey: int = cv2.COLOR_RGB2GRAY
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """``perceptual_hash`` (32,) and ``part_hashes`` (len(PARTS), 5, 32) of one look.

    Args:
        rgb: (H, W, 3) uint8.
        to_grey: OpenCV's code, where the channels come in another order.
    """
    waves = _waves(rgb, to_grey)
    maps, across = _part_maps()
    # (shares, starts * 16, known), then both axes at once: nine places, of which five count.
    shares, starts = len(PARTS), len(_STARTS)
    down = (maps @ waves[:_KNOWN, :_KNOWN]).reshape(shares, starts * SIDE, _KNOWN)
    both = (down @ across).reshape(shares, starts, SIDE, starts, SIDE)
    squares = np.empty((1 + shares * len(_PLACES), SIDE, SIDE), np.float32)
    squares[0] = waves[1 : SIDE + 1, 1 : SIDE + 1]
    parts = squares[1:].reshape(shares, len(_PLACES), SIDE, SIDE)
    for place, (y, x) in enumerate(_PLACES):
        parts[:, place] = both[:, y, :, x]
    signs = _signs(squares)
    return signs[0], signs[1:].reshape(PART_SHAPE)


def fingerprints(
    pictures: Iterable[NDArray[np.uint8]], n: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """``fingerprint`` of n pictures, one in memory at a time: (n, 32) and (n, m, 5, 32)."""
    hashes, parts = np.zeros((n, HASH_BYTES), np.uint8), np.zeros((n, *PART_SHAPE), np.uint8)
    for row, rgb in enumerate(pictures):
        hashes[row], parts[row] = fingerprint(rgb)
    return hashes, parts


def orientations(hashes: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The hashes of the eight mirrored and turned versions of each picture.

    Args:
        hashes: (N, 32) uint8.

    Yields:
        (N, 32) uint8, eight times, the pictures as they are first.
    """
    for turned in (hashes, transposed(hashes)):
        for flip in mirrorings():
            yield turned ^ flip


def transposed(hashes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The hashes (N, 32) of pictures whose rows and columns are exchanged."""
    bits = np.unpackbits(hashes, axis=1).reshape(-1, SIDE, SIDE)
    return np.packbits(bits.transpose(0, 2, 1).reshape(-1, SIDE * SIDE), axis=1)


@cache
def mirrorings() -> NDArray[np.uint8]:
    """What the hash of a picture differs in when it is mirrored: (4, 32), nothing first."""
    # Index 0 is frequency 1, which is odd.
    odd = (np.arange(SIDE) % 2 == 0).astype(np.uint8)
    flips = [(y * odd)[:, None] ^ (x * odd)[None, :] for y in (0, 1) for x in (0, 1)]
    return np.packbits(np.reshape(flips, (4, SIDE * SIDE)), axis=1)


def _waves(rgb: NDArray[np.uint8], to_grey: int = cv2.COLOR_RGB2GRAY) -> Floats:
    """Frequencies (64, 64) of the central square."""
    grey = cv2.cvtColor(central_square(rgb), to_grey)
    small = cv2.resize(grey, (_THUMBNAIL_PX, _THUMBNAIL_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.dct(small.astype(np.float32)), np.float32)


def central_square(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle (S, S, ...) of a picture (H, W, ...); a view."""
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def _signs(waves: Floats) -> NDArray[np.uint8]:
    """Hashes (..., 32) of frequencies (..., 16, 16); zero for flat ones."""
    flat = waves.reshape(*waves.shape[:-2], SIDE * SIDE)
    packed = np.packbits(flat > 0, axis=-1)
    power = np.einsum("...i,...i->...", flat, flat)
    packed[power < (_FLAT_LEVELS * _THUMBNAIL_PX) ** 2] = 0
    return packed


@cache
def _part_maps() -> tuple[Floats, Floats]:
    """Matrices (len(PARTS) * 3 * 16, 32): frequencies 1..16 of a part from those of the whole.

    What a cosine of the whole holds of a cosine of the part, integrated over the part: the part
    begins at each of ``_STARTS``. Once more as (len(PARTS), 32, 3 * 16), to multiply by from the
    right.
    """
    fine = (np.arange(1024) + 0.5) / 1024
    part_waves = np.cos(np.pi * np.arange(1, SIDE + 1)[:, None] * fine)
    size = np.full(_KNOWN, np.sqrt(2.0))
    size[0] = 1.0
    maps = []
    for share in PARTS:
        for start in _STARTS:
            place = start * share + (1 - share) * fine
            whole = np.cos(np.pi * np.arange(_KNOWN)[:, None] * place) * size[:, None]
            # As large as an orthonormal transform of a part's own thumbnail would be.
            # Not a matrix product: one of this size wakes threads that wait by spinning.
            maps.append(np.einsum("gx,fx->gf", part_waves, whole) * np.sqrt(2.0) / len(fine))
    found = np.concatenate(maps).astype(np.float32)
    right = found.reshape(len(PARTS), len(_STARTS) * SIDE, _KNOWN).transpose(0, 2, 1)
    return found, np.ascontiguousarray(right)
