"""The work on pixels, one chunk of images at a time, in a process of its own.

Imports nothing heavy: every worker process pays for it. A row is written straight into its
place in the file, so memory does not grow with the number of images. It is written alone: where
Linux takes a write of several megabytes into pages as large as that, it costs the system six
times as much as one of 0.1 to 1 MB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.data.contents import Contents
from lentigo.data.fingerprint import PART_SHAPE, central_square, fingerprint
from lentigo.errors import ImageError
from lentigo.image.decode import REDUCTIONS, decode_bgr
from lentigo.image.header import read_header
from lentigo.image.spec import PreprocessSpec, preprocess_bgr
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
        checksum: Of its pixels as written, and of the hashes of their parts.
        sha256: Of each file's bytes; empty where the image was set aside.
        hashes: Perceptual hash of each image, 64 hexadecimal digits; empty where set aside.
        reasons: Why an image was set aside; empty where it was not.
    """

    number: int
    checksum: int
    sha256: tuple[str, ...]
    hashes: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowFile:
    """Where rows go: a ``.npy`` file whose first row lies ``offset`` bytes in."""

    path: Path
    offset: int
    row_bytes: int

    @contextmanager
    def writing(self, start: int) -> Iterator[IO[bytes]]:
        """The file, to write rows from ``start`` on."""
        with self.path.open("r+b") as stream:
            stream.seek(self.offset + start * self.row_bytes)
            yield stream

    def checksum(self, start: int, n: int) -> int:
        """Checksum of ``n`` rows as they lie in the file."""
        with self.path.open("rb") as stream:
            stream.seek(self.offset + start * self.row_bytes)
            return checksum(np.frombuffer(stream.read(n * self.row_bytes), np.uint8))


@dataclass(frozen=True, slots=True)
class Targets:
    """Where what is made of the images goes.

    Attributes:
        pixels: Rows (S, S, 3).
        parts: Hashes of the pictures' parts, rows of ``PART_SHAPE``: too many for the journal.
    """

    pixels: RowFile
    parts: RowFile

    def checksum(self, start: int, n: int) -> int:
        """Checksum of ``n`` images as they lie in both files."""
        return self.pixels.checksum(start, n) + self.parts.checksum(start, n)


def checksum(rows: NDArray[np.uint8]) -> int:
    """The sum of all bytes, which tells of lost pages: they read as zeros.

    A cyclic checksum of the pixels would take a tenth as long as decoding them.
    """
    return int(cv2.norm(rows, cv2.NORM_L1)) if rows.size else 0


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
    parts = np.zeros((len(chunk.paths), *PART_SHAPE), np.uint8)
    results, total = [], 0
    with Contents() as contents, targets.pixels.writing(chunk.start) as stream:
        for path, part in zip(chunk.paths, parts, strict=True):
            pixels, result = _prepare_one(contents, path, spec, part)
            stream.write(pixels.data)
            total += checksum(pixels)
            results.append(result)
    with targets.parts.writing(chunk.start) as stream:
        stream.write(parts.data)
    sha256, hashes, reasons = zip(*results, strict=True)
    return Finished(chunk.number, total + checksum(parts), sha256, hashes, reasons)


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
    enough_px = spec.enough_px
    bgr = decode_bgr(content, background=spec.background, enough_px=enough_px)
    for_hash = bgr
    if enough_px != HASH_PX and _may_differ(content, enough_px):
        for_hash = decode_bgr(content, background=spec.background, enough_px=HASH_PX)
    return preprocess_bgr(bgr, spec), *fingerprint(for_hash, cv2.COLOR_BGR2GRAY)


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
    parts: NDArray[np.uint8],
) -> tuple[NDArray[np.uint8], tuple[str, str, str]]:
    """Pixels of one image, and its digest, hash and reason; those of its parts go to ``parts``."""
    try:
        content = contents.read(path)
        pixels, whole, parts[:] = pixels_of(content, spec)
    except ImageError as error:
        reason = error.problem.removeprefix("The image (bytes): ")
    except OSError as error:
        reason = f"it cannot be read: {error.strerror}."
    else:
        return pixels, (hashlib.sha256(content).hexdigest(), whole.tobytes().hex(), "")
    return np.zeros((spec.size, spec.size, 3), np.uint8), ("", "", reason)
