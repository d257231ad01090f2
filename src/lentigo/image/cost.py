"""What decoding an image takes of memory, told from its header before a pixel is decoded."""

from __future__ import annotations

import os
import struct

from lentigo.image.decode import divisor_of
from lentigo.image.header import Header
from lentigo.image.strips import is_striped

_STRIPS_BYTES = 40_000_000
"""For the strips of a PNG, packed and unpacked: measured 18 to 37 MB at 40 megapixels."""


def decoding_bytes(content: bytes, header: Header, enough_px: int | None) -> float:
    """Memory that the decoder and the steps after it take at most, beside the file itself.

    Measured as growth of the resident memory (`benchmarks/serve_page.py`), and rounded up.

    Args:
        content: The whole file.
        header: Of it.
        enough_px: As `decode_bgr` is given it.
    """
    pixels = header.width * header.height
    block = divisor_of(header, enough_px) ** 2
    if header.kind == "JPEG":
        # OpenCV hands Python a copy, so what is left after shrinking is there twice.
        return pixels * (6.5 / block + _coefficients(content))
    if is_striped(content, header):
        return pixels * 3 / block + _STRIPS_BYTES
    return pixels * _whole(content, header)


def _whole(content: bytes, header: Header) -> float:
    """Bytes a pixel where the picture is whole in memory at its full size."""
    if header.kind == "PNG":
        depth, colour = content[24], content[25]
        channels = {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}.get(colour, 4)
        plain = colour in {2, 3} and depth <= 8
        return channels * (2 if depth == 16 else 1) + (3.0 if plain else 7.0)
    if header.kind == "WebP" and hasattr(os, "memfd_create"):
        return _webp(content)
    return {"TIFF": 15.0}.get(header.kind, 9.0)


def _webp(content: bytes) -> float:
    """Lossless ones are decoded aside, see-through ones laid over a colour (RFC 9649)."""
    position, see_through = 12, False
    while position + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, position)
        if name == b"VP8X":
            see_through = bool(content[position + 8] & 0x10)
        elif name == b"VP8L":
            alone = position == 12
            return 10.5 if see_through or (alone and content[position + 12] & 0x10) else 8.7
        elif name == b"VP8 ":
            break
        position += 8 + length + length % 2
    return 9.0 if see_through else 3.2


def _coefficients(content: bytes) -> float:
    """Bytes a pixel that a progressive JPEG holds of coefficients until its last scan.

    Two for each of all channels, fewer where colours are stored coarser (ITU-T T.81, B.2.2).
    """
    position = 2
    while position + 4 <= len(content) and content[position] == 0xFF:
        code = content[position + 1]
        if code == 0xFF:
            position += 1
            continue
        (length,) = struct.unpack_from(">H", content, position + 2)
        if 0xC0 <= code <= 0xCF and code not in {0xC4, 0xC8, 0xCC}:
            if code in {0xC0, 0xC1}:
                return 0.0
            return 2.05 * _samples(content[position + 4 : position + 2 + length])
        position += 2 + length
    return 8.2


def _samples(frame: bytes) -> float:
    """Samples a pixel of all channels together, out of a frame header."""
    factors = [(each >> 4, each & 15) for each in frame[7::3][: frame[5] if len(frame) > 5 else 0]]
    if not factors or min(min(each) for each in factors) < 1:
        return 4.0
    most = max(across for across, _ in factors) * max(down for _, down in factors)
    return sum(across * down for across, down in factors) / most
