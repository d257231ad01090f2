"""A large PNG, strip by strip, so that it is never whole in memory at its full size.

The filtered rows are unpacked as they come and handed to OpenCV as small PNGs of their own, each
after the row above it, which its filters refer to. So the pixels are those of a whole decode.

Source: PNG (W3C) 7.2 scanlines, 9 filters, 11 chunks.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.image.header import Header, HeaderError

LARGE_PX = 8_000_000
"""PNGs of more pixels are read in strips; static/offline/preprocess.js knows the same number."""
STRIP_BYTES = 2_000_000
_PIECE_BYTES = 65_536
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# What holds the raw bytes of rows whose filters reach so many bytes back: colour type and depth.
_CARRIERS = {1: (0, 8), 2: (0, 16), 3: (2, 8), 4: (6, 8), 6: (2, 16), 8: (6, 16)}
_DAMAGED = "the PNG cannot be decoded: it is damaged or truncated"

Convert = Callable[[NDArray[Any]], NDArray[np.uint8]]


def is_striped(data: bytes, header: Header) -> bool:
    """Whether `read_strips` is to read a PNG; an interlaced one has no rows to begin with."""
    return header.kind == "PNG" and header.width * header.height > LARGE_PX and data[28] == 0


def read_strips(data: bytes, header: Header, convert: Convert, divisor: int) -> NDArray[np.uint8]:
    """Decode a PNG that is not interlaced, shrunk by averaging blocks of pixels.

    Args:
        data: The whole file.
        header: Of it.
        convert: From pixels as stored to (h, w, 3) uint8 BGR.
        divisor: 1, 2, 4 or 8: sides of a block; blocks cut off by the right or lower edge
            are filled up with its last pixels.

    Returns:
        (ceil(H / divisor), ceil(W / divisor), 3) uint8 BGR, as stored.

    Raises:
        HeaderError: It is damaged.
    """
    form = _Form.of(data)
    height, width = -(-header.height // divisor), -(-header.width // divisor)
    out = np.empty((height, width, 3), np.uint8)
    top = 0
    for strip in _strips(data, form, divisor):
        bgr = _averaged(convert(strip), divisor)
        out[top : top + len(bgr)] = bgr
        top += len(bgr)
    return out


@dataclass(frozen=True)
class _Form:
    """How rows are stored, and the chunks that say what their values mean."""

    width: int
    height: int
    depth: int
    colour: int
    meaning: bytes

    @classmethod
    def of(cls, data: bytes) -> _Form:
        width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
        if colour not in _CHANNELS or depth not in {1, 2, 4, 8, 16}:
            raise HeaderError(_DAMAGED)
        chunks = ((name, body) for name, body in _chunks(data) if name in {b"PLTE", b"tRNS"})
        meaning = b"".join(_chunk(name, bytes(body)) for name, body in chunks)
        return cls(width, height, depth, colour, meaning)

    @property
    def row_bytes(self) -> int:
        return (self.width * _CHANNELS[self.colour] * self.depth + 7) // 8

    @property
    def reach(self) -> int:
        """How many bytes back the filters refer."""
        return max(1, _CHANNELS[self.colour] * self.depth // 8)

    @property
    def carrier(self) -> _Form:
        """Rows of the same bytes whose pixels are these bytes."""
        colour, depth = _CARRIERS[self.reach]
        return _Form(self.row_bytes // self.reach, self.height, depth, colour, b"")


def _strips(data: bytes, form: _Form, divisor: int) -> Iterator[NDArray[Any]]:
    """Pixels as stored, some rows at a time (a multiple of ``divisor``), as OpenCV gives them."""
    step = form.row_bytes + 1
    rows = max(divisor, STRIP_BYTES // max(step, 3 * form.width) // 8 * 8)
    above, carrier = bytes(step), form.carrier
    unpacked, left = _unpacked(data), form.height
    kept = bytearray()
    while left:
        wanted = min(rows, left)
        while len(kept) < wanted * step:
            try:
                kept += next(unpacked)
            except StopIteration:
                raise HeaderError(_DAMAGED) from None
        filtered = above + bytes(memoryview(kept)[: wanted * step])
        del kept[: wanted * step]
        raw = _decoded(filtered, carrier)
        above = b"\0" + _row_bytes(raw[-1])
        yield (raw if carrier == form else _decoded(filtered, form))[1:]
        left -= wanted


def _unpacked(data: bytes) -> Iterator[bytes]:
    stream = zlib.decompressobj()
    try:
        for name, body in _chunks(data):
            if name != b"IDAT":
                continue
            for start in range(0, len(body), _PIECE_BYTES):
                # What is very regular unpacks to a thousand times its size.
                piece = stream.decompress(body[start : start + _PIECE_BYTES], STRIP_BYTES)
                yield piece
                while stream.unconsumed_tail:
                    yield stream.decompress(stream.unconsumed_tail, STRIP_BYTES)
    except zlib.error:
        raise HeaderError(_DAMAGED) from None


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    position, view = 8, memoryview(data)
    while position + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        body = view[position + 8 : position + 8 + length]
        (stated,) = struct.unpack_from(">I", data, position + 8 + length)
        if zlib.crc32(body, zlib.crc32(name)) != stated and name in {b"IDAT", b"PLTE"}:
            raise HeaderError(_DAMAGED)
        yield name, body
        if name == b"IEND":
            return
        position += length + 12


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _decoded(filtered: bytes, form: _Form) -> NDArray[Any]:
    """Rows and their filters as a PNG of their own, decoded."""
    rows = len(filtered) // (form.row_bytes + 1)
    start = struct.pack(">IIBBBBB", form.width, rows, form.depth, form.colour, 0, 0, 0)
    pixels = _chunk(b"IDAT", zlib.compress(filtered, 0))
    whole = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", start) + form.meaning + pixels
    whole += _chunk(b"IEND", b"")
    found = cv2.imdecode(np.frombuffer(whole, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or len(found) != rows:
        raise HeaderError(_DAMAGED)
    return np.asarray(found)


def _row_bytes(row: NDArray[Any]) -> bytes:
    """The bytes that a row of a carrier has in its file: red first, high bytes first."""
    if row.ndim == 2:
        row = row[:, [2, 1, 0, 3][: row.shape[1]]]
    return row.astype(row.dtype.newbyteorder(">")).tobytes()


def _averaged(bgr: NDArray[np.uint8], divisor: int) -> NDArray[np.uint8]:
    if divisor == 1:
        return bgr
    height, width = bgr.shape[:2]
    below, right = -height % divisor, -width % divisor
    if below or right:
        bgr = np.asarray(
            cv2.copyMakeBorder(bgr, 0, below, 0, right, cv2.BORDER_REPLICATE), dtype=np.uint8
        )
    to = ((width + right) // divisor, (height + below) // divisor)
    return np.asarray(cv2.resize(bgr, to, interpolation=cv2.INTER_AREA), dtype=np.uint8)
