"""Any image a user has, as upright 8-bit RGB.

OpenCV does the decoding; what it leaves to chance is settled here and tested format by
format: EXIF orientation (its ``IMREAD_COLOR`` applies it and drops alpha, its
``IMREAD_UNCHANGED`` keeps alpha and ignores the orientation, TIFF is always turned), 16 bits
(``IMREAD_COLOR`` cuts the low byte off), transparency (dropped without asking) and files
that lack their end. ICC colour profiles are not applied.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.errors import ImageError
from lentigo.image.header import (
    SNIFF_BYTES,
    TRUNCATED,
    Alpha,
    Header,
    HeaderError,
    read_header,
    sniff,
)
from lentigo.image.strips import LARGE_PX, is_striped, read_strips

Rgb = tuple[int, int, int]

WHITE: Rgb = (255, 255, 255)
MAX_PIXELS = 120_000_000
REDUCTIONS = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
REDUCTIONS[8] = cv2.IMREAD_REDUCED_COLOR_8

_log = logging.getLogger(__name__)
# What a JPEG's decoder makes of blocks that are not there.
_ABSENT = 128
# Begins with the zero that a cut pair of bytes may want, and holds no marker.
_FILLER = bytes(range(254)) * 8
_TODO = (
    "Save it again as JPEG or PNG (8 or 16 bits, grey, RGB or with transparency) "
    "and hand in that file."
)


def decode(
    source: Path | str | bytes, *, background: Rgb = WHITE, max_pixels: int = MAX_PIXELS
) -> NDArray[np.uint8]:
    """Decode an image to upright RGB.

    Reads JPEG (baseline, progressive, grey, CMYK and YCCK the way Adobe writes them), PNG
    (palette, 1 to 16 bits, with and without alpha), TIFF (first page), WebP, BMP and, where
    the installed OpenCV does, GIF. EXIF orientation is applied; 16-bit values are divided by
    257 and rounded; transparent pixels are laid over ``background``; a 32-bit BMP counts as
    opaque. Bytes after the end of a JPEG or PNG are ignored, as phones append some.

    A JPEG that was cut short is refused, even where an end marker was put behind the cut; of a
    progressive one whose cut lies in its last scan, the pixels are all there and a little coarser,
    and nothing tells. One damaged in its middle decodes with garbage in it, as everywhere: the
    format has no checksum.

    Args:
        source: A file, or the content of one.
        background: RGB, each 0 to 255, behind transparent pixels.
        max_pixels: Larger images are refused from their header, before memory is taken.

    Returns:
        (H, W, 3) uint8 RGB, C-contiguous.

    Raises:
        ImageError: The file is missing, not an image, truncated, damaged or too large; the
            message names it and the reason.
    """
    bgr = decode_bgr(source, background=background, max_pixels=max_pixels)
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def decode_bgr(
    source: Path | str | bytes,
    *,
    background: Rgb = WHITE,
    max_pixels: int = MAX_PIXELS,
    enough_px: int | None = None,
) -> NDArray[np.uint8]:
    """``decode`` without its last step: OpenCV's channel order, possibly a strided view.

    Args:
        source: A file, or the content of one.
        background: RGB, each 0 to 255, behind transparent pixels.
        max_pixels: Larger images are refused.
        enough_px: If given, a JPEG, or a PNG of more than ``LARGE_PX`` pixels, may be decoded at
            1/2, 1/4 or 1/8 of its size, by the largest divisor that leaves its shorter side at
            least this many pixels. A JPEG's decoder then leaves out the high frequencies of
            each block, a PNG's blocks of pixels are averaged: less memory and time.

    Returns:
        (H, W, 3) uint8 BGR, upright.

    Raises:
        ImageError: As ``decode``.
    """
    name = "The image (bytes)" if isinstance(source, bytes) else str(source)
    try:
        data = source if isinstance(source, bytes) else _read(Path(source))
        header = _header(data, max_pixels)

        def convert(stored: NDArray[Any]) -> NDArray[np.uint8]:
            return _eight_bit_bgr(stored, header, background)

        if is_striped(data, header):
            with _quiet():
                bgr = read_strips(data, header, convert, divisor_of(header, enough_px))
        else:
            bgr = convert(_decode_stored(data, header, enough_px))
        return _upright(bgr, header.orientation)
    except HeaderError as error:
        raise ImageError(f"{name}: {error}.", todo=_TODO) from None
    except MemoryError:
        raise ImageError(f"{name}: there is not enough memory to decode it.") from None


def _read(path: Path) -> bytes:
    """The file's content; a file that is no image is refused after its first bytes."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ImageError(f"{path}: it is a folder, not an image.", todo="Name a file.")
        if not stat.S_ISREG(mode):
            # Opening a named pipe would wait for ever for somebody to write.
            raise ImageError(f"{path}: it is not a file.", todo="Name a file.")
        with path.open("rb") as stream:
            sniff(stream.read(SNIFF_BYTES))
            stream.seek(0)
            return stream.read()
    except FileNotFoundError:
        raise ImageError(f"{path}: there is no such file.", todo="Check the name.") from None
    except OSError as error:
        told = error.strerror or error
        raise ImageError(f"{path}: it cannot be read ({told}).") from None


def _header(data: bytes, max_pixels: int) -> Header:
    header = read_header(data)
    if header.width * header.height > max_pixels:
        raise HeaderError(
            f"it has {header.width} x {header.height} pixels, more than the {max_pixels:,} "
            "that are read"
        )
    return header


def _decode_stored(data: bytes, header: Header, enough_px: int | None) -> NDArray[Any]:
    """Pixels as stored: (H, W), (H, W, 3) BGR or (H, W, 4) BGRA, 8 or 16 bits."""
    flags = cv2.IMREAD_UNCHANGED
    if header.kind == "JPEG":
        # COLOR converts CMYK and YCCK; a JPEG has neither alpha nor 16 bits to lose.
        divisor = divisor_of(header, enough_px)
        flags = REDUCTIONS.get(divisor, cv2.IMREAD_COLOR) | cv2.IMREAD_IGNORE_ORIENTATION
    large = header.kind == "WebP" and header.width * header.height > LARGE_PX
    try:
        with _quiet():
            image = _decode_once(data, flags) if large else None
            if image is None:
                image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
            if (
                header.kind == "JPEG"
                and image is not None
                and _lacks_blocks(image, data, header, flags)
            ):
                raise HeaderError(f"{TRUNCATED}: the JPEG ends before all its blocks are there")
    except cv2.error as error:
        _log.debug("OpenCV: %s", error)
        image = None
    if image is None:
        raise HeaderError(
            f"the {header.kind} cannot be decoded: it is damaged, truncated, or of a rare kind "
            f"that OpenCV {cv2.__version__} does not read"
        )
    if image.dtype not in {np.dtype(np.uint8), np.dtype(np.uint16)}:
        raise HeaderError(f"its pixels are {image.dtype}, not 8 or 16 bits")
    return np.asarray(image)


def _lacks_blocks(image: NDArray[Any], data: bytes, header: Header, flags: int) -> bool:
    """Whether a JPEG's data end before its pixels do, which its decoder tells no caller.

    The rest is filled with one grey then, so few images are looked at further: what is put
    in front of the end marker changes pixels only where blocks are wanting.
    """
    if (image[-1, -1] != _ABSENT).any():
        return False
    longer = data[: header.end] + _FILLER + data[header.end :]
    changed = cv2.imdecode(np.frombuffer(longer, np.uint8), flags)
    return changed is None or not np.array_equal(image, changed)


def _decode_once(data: bytes, flags: int) -> NDArray[Any] | None:
    """As ``cv2.imdecode``, without the second copy of all pixels that it makes for Python.

    ``cv2.imread`` writes into an array of Python's, but wants a file: one that lies in memory.
    None where the system has no such files, or the file is damaged.
    """
    if not hasattr(os, "memfd_create"):
        return None
    descriptor = os.memfd_create("photo")
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(data)
        place = f"/proc/self/fd/{descriptor}"
        image = cv2.imread(place, np.empty(0, np.uint8), flags)
        # Of what it cannot decode it hands the empty array back.
        return image if image is not None and image.size else None
    finally:
        os.close(descriptor)


def divisor_of(header: Header, enough_px: int | None) -> int:
    """By what a JPEG, or a PNG that is read in strips, is shrunk while it is decoded: 1 to 8."""
    if enough_px is None:
        return 1
    shorter_px = min(header.width, header.height)
    return max((d for d in (1, *REDUCTIONS) if shorter_px // d >= enough_px), default=1)


@contextmanager
def _quiet() -> Iterator[None]:
    """OpenCV's own messages off: every refusal reaches the user as an ``ImageError``."""
    # OpenCV 4 has the switch at the top, 4.11 and later (also) in utils.logging.
    switch = getattr(cv2, "setLogLevel", None) or cv2.utils.logging.setLogLevel
    before = switch(0)
    try:
        yield
    finally:
        switch(before)


def _eight_bit_bgr(image: NDArray[Any], header: Header, background: Rgb) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR from grey, 16 bits and transparency."""
    if image.dtype == np.uint8 and image.shape[2:] == (3,):
        return np.asarray(image)
    see_through = None
    if header.transparent_grey is not None and image.ndim == 2:
        see_through = image == header.transparent_grey
    if image.dtype == np.uint16:
        # 65535 / 255 = 257 exactly; an odd divisor has no ties, so the rounding is exact too.
        image = cv2.convertScaleAbs(image, alpha=1 / 257)
    if image.ndim == 2:
        image = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR)
    if see_through is not None:
        image[see_through] = background[::-1]
    if image.shape[2] == 4:
        image = _over(image, background, header.alpha)
    return np.asarray(image, dtype=np.uint8)


def _over(bgra: NDArray[np.uint8], background: Rgb, alpha: Alpha) -> NDArray[np.uint8]:
    """Lay BGRA over a colour, band by band: float copies of a large frame would not fit a Pi."""
    if alpha is Alpha.IGNORED:
        return np.ascontiguousarray(bgra[..., :3])
    behind = np.array(background[::-1], np.float32)
    out = np.empty((*bgra.shape[:2], 3), np.uint8)
    for row in range(0, len(bgra), 64):
        band = bgra[row : row + 64].astype(np.float32)
        share = band[..., 3:] / np.float32(255)
        front = band[..., :3] * share if alpha is Alpha.STRAIGHT else band[..., :3]
        out[row : row + 64] = np.clip(np.rint(front + behind * (1 - share)), 0, 255)
    return out


def _upright(image: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Apply EXIF orientation 1 to 8 as a view; 5 to 8 swap rows and columns."""
    if orientation >= 5:
        image = image.swapaxes(0, 1)
    # Where the stored first row and column end up, EXIF 2.32 tag 274.
    if orientation in {3, 4, 7, 8}:
        image = image[::-1]
    if orientation in {2, 3, 6, 7}:
        image = image[:, ::-1]
    return image
