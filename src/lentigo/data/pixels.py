"""The work on pixels, one chunk of images at a time, in a process of its own.

Imports nothing heavy: every worker process pays for it. A chunk's rows are written straight
into their place in the file, so memory does not grow with the number of images.
"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.data.contents import Contents
from lentigo.data.fingerprint import PART_SHAPE, central_square, fingerprint
from lentigo.errors import ImageError
from lentigo.image.decode import REDUCTIONS, decode_bgr
from lentigo.image.header import read_header
from lentigo.image.spec import SPARE, PreprocessSpec
from lentigo.image.strips import is_striped

HASH_PX = 448
"""Pixels a side that a reduced JPEG keeps for its hash, whatever the size asked for.

What preparing at the default size decodes anyway, and seven times the side of the hash's
thumbnail.
"""

_CHUNK_BYTES = 8 << 20
_CHUNK_IMAGES = 64


@dataclass(frozen=True, slots=True)
class Chunk:
    """A run of images that one worker prepares.

    Attributes:
        number: Position among the chunks.
        start: Row of the first image.
        paths: The images.
    """

    number: int
    start: int
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finished:
    """What is known of a chunk once its pixels are written.

    Attributes:
        number: Position among the chunks.
        crc32: Of its pixels as written, and of the hashes of their parts.
        sha256: Of each file's bytes; empty where the image was set aside.
        hashes: Perceptual hash of each image, 64 hexadecimal digits; empty where set aside.
        reasons: Why an image was set aside; empty where it was not.
    """

    number: int
    crc32: int
    sha256: tuple[str, ...]
    hashes: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowFile:
    """Where rows go: a ``.npy`` file whose first row lies ``offset`` bytes in."""

    path: Path
    offset: int
    row_bytes: int

    def write(self, start: int, rows: NDArray[np.uint8]) -> None:
        """Write rows (n, ...) uint8 to their place."""
        with self.path.open("r+b") as stream:
            stream.seek(self.offset + start * self.row_bytes)
            stream.write(np.ascontiguousarray(rows).data)

    def crc32(self, start: int, n: int, before: int = 0) -> int:
        """Checksum of ``n`` rows as they lie in the file, after what came before."""
        with self.path.open("rb") as stream:
            stream.seek(self.offset + start * self.row_bytes)
            return zlib.crc32(stream.read(n * self.row_bytes), before)


@dataclass(frozen=True, slots=True)
class Targets:
    """Where what is made of the images goes.

    Attributes:
        pixels: Rows (S, S, 3).
        parts: Hashes of the pictures' parts, rows of ``PART_SHAPE``: too many for the journal.
    """

    pixels: RowFile
    parts: RowFile

    def crc32(self, start: int, n: int) -> int:
        """Checksum of ``n`` images as they lie in both files."""
        return self.parts.crc32(start, n, self.pixels.crc32(start, n))


def chunks_of(paths: list[str], size: int) -> list[Chunk]:
    """Cut a list of images into chunks of a few megabytes.

    Args:
        paths: The images in row order.
        size: Side of a prepared image, pixels.
    """
    step = max(1, min(_CHUNK_IMAGES, _CHUNK_BYTES // (size * size * 3)))
    starts = range(0, len(paths), step)
    return [
        Chunk(number, start, tuple(paths[start : start + step]))
        for number, start in enumerate(starts)
    ]


def prepare_chunk(chunk: Chunk, spec: PreprocessSpec, targets: Targets) -> Finished:
    """Decode, preprocess and hash a chunk, and write its rows.

    Every file is read once: its digest, its pixels and its perceptual hashes come from the same
    bytes. The hashes are taken before preprocessing and from a decoding of its own measure, so
    that which images belong together (and with that the test list) does not depend on size,
    hair removal or colour.

    Args:
        chunk: The images.
        spec: What is done to each.
        targets: Where the rows go; an image that cannot be read leaves a black row.
    """
    rows = np.zeros((len(chunk.paths), spec.size, spec.size, 3), np.uint8)
    parts = np.zeros((len(chunk.paths), *PART_SHAPE), np.uint8)
    with Contents() as contents:
        results = [
            _prepare_one(contents, path, spec, rows[i], parts[i])
            for i, path in enumerate(chunk.paths)
        ]
    targets.pixels.write(chunk.start, rows)
    targets.parts.write(chunk.start, parts)
    sha256, hashes, reasons = zip(*results, strict=True)
    crc32 = zlib.crc32(parts.data, zlib.crc32(rows.data))
    return Finished(chunk.number, crc32, sha256, hashes, reasons)


def picture_of(contents: Contents, path: str, spec: PreprocessSpec) -> NDArray[np.uint8]:
    """The central square (S, S, 3) of an image, as its hashes see it.

    Raises:
        ImageError: It cannot be decoded.
        OSError: It is not there, or cannot be read.
    """
    bgr = decode_bgr(contents.read(path), background=spec.background, enough_px=HASH_PX)
    return np.asarray(cv2.cvtColor(central_square(bgr), cv2.COLOR_BGR2RGB), np.uint8)


def pixels_of(
    content: bytes, spec: PreprocessSpec
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """The prepared pixels of one image, its perceptual hash and those of its parts.

    Decoded twice only where the two may ask for different reductions of a JPEG: never at
    ``HASH_PX / SPARE`` pixels, nor where the image is too small to be reduced.

    Args:
        content: The file's bytes.
        spec: What is done to it.

    Returns:
        (S, S, 3) uint8 RGB, to the byte what ``lentigo.image.preprocess`` gives; and what
        ``fingerprint`` gives.

    Raises:
        ImageError: It cannot be read.
    """
    enough_px = SPARE * spec.size if spec.reduce else None
    bgr = decode_bgr(content, background=spec.background, enough_px=enough_px)
    rgb = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    for_hash = rgb
    if enough_px != HASH_PX and _may_differ(content, enough_px):
        bgr = decode_bgr(content, background=spec.background, enough_px=HASH_PX)
        for_hash = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    return spec.apply(rgb), *fingerprint(for_hash)


def _may_differ(content: bytes, enough_px: int | None) -> bool:
    """Whether a decoder that leaves ``enough_px`` might not leave what the hash takes."""
    header = read_header(content)
    if header.kind != "JPEG" and not is_striped(content, header):
        return False
    least = HASH_PX if enough_px is None else min(enough_px, HASH_PX)
    return min(header.width, header.height) // min(REDUCTIONS) >= least


def _prepare_one(
    contents: Contents,
    path: str,
    spec: PreprocessSpec,
    row: NDArray[np.uint8],
    parts: NDArray[np.uint8],
) -> tuple[str, str, str]:
    """Digest, hash and reason of one image; its pixels go into ``row``, the others to ``parts``."""
    try:
        content = contents.read(path)
        row[:], whole, parts[:] = pixels_of(content, spec)
    except ImageError as error:
        return "", "", error.problem.removeprefix("The image (bytes): ")
    except OSError as error:
        return "", "", f"it cannot be read: {error.strerror}."
    return hashlib.sha256(content).hexdigest(), whole.tobytes().hex(), ""
