"""What is refused before a pixel is decoded: too large, animated, or two kinds of file at once.

The kind of a file is told from its bytes; what a request calls it is not looked at.
"""

from __future__ import annotations

import re
import struct

from lentigo.image.cost import decoding_bytes
from lentigo.image.header import Header, HeaderError, read_header
from lentigo.web.refusals import Refusal, too_large
from lentigo.web.settings import MEGABYTE, Limits

# With what ends a name: by chance five bytes stand in one of two thousand files of 20 MB.
_MARKUP = re.compile(rb"<(?:(?:script|html)[\t\n\f\r />]|!doctype|\?php[\t\n\r ])", re.IGNORECASE)
_ZIP_END, _ZIP_END_BYTES = b"PK\x05\x06", 22
_ZIP_ENTRY = b"PK\x01\x02"
# Their readers look for these wherever they stand.
_ARCHIVES = {b"Rar!\x1a\x07": "a RAR archive", b"7z\xbc\xaf\x27\x1c": "a 7z archive"}
_COMMENT_BYTES = 0xFFFF


def screen(content: bytes, limits: Limits, *, enough_px: int | None = None) -> Header:
    """Let a photo through to the decoder.

    Args:
        content: The whole file.
        limits: Pixels, and memory while decoding.
        enough_px: How far large photos may be shrunk while they are decoded, as
            `lentigo.image.decode.decode_bgr` is given it.

    Returns:
        What its header says.

    Raises:
        Refusal: 415 no image, or a polyglot; 422 damaged or animated; 413 too large.
    """
    try:
        header = read_header(content)
    except HeaderError as error:
        known = _looks_like_image(content)
        raise Refusal(
            422 if known else 415,
            "problem.not_image",
            reason=_sentence(error),
            why=f"reason.{error.code}",
            values={"kind": error.kind},
        ) from None
    if other := _other_kind(content):
        reason = f"It is a {header.kind} and {other} at once, which no camera makes."
        raise Refusal(415, "problem.not_image", reason=reason, why="reason.two_kinds")
    if _animated(content, header.kind):
        reason = f"It is an animated {header.kind}; hand in a single picture."
        raise Refusal(422, "problem.not_image", reason=reason, why="reason.animated")
    pixels = header.width * header.height
    if pixels > limits.pixels:
        raise too_large(
            f"It has {header.width} x {header.height} pixels; "
            f"{limits.pixels // 1_000_000} megapixels are taken.",
            "reason.pixels",
            width=header.width,
            height=header.height,
            megapixels=limits.pixels // 1_000_000,
        )
    if decoding_bytes(content, header, enough_px) > limits.decoding_bytes:
        raise too_large(
            f"Decoding this {header.kind} of {header.width} x {header.height} pixels takes more "
            f"than {limits.decoding_bytes // MEGABYTE} MB of memory; "
            "as a plain JPEG it takes less.",
            "reason.memory",
        )
    return header


def _sentence(error: HeaderError) -> str:
    text = str(error)
    return f"{text[0].upper()}{text[1:]}."


def _looks_like_image(content: bytes) -> bool:
    from lentigo.image.header import SNIFF_BYTES, sniff  # noqa: PLC0415 - one refusal's detail

    try:
        sniff(content[:SNIFF_BYTES])
    except HeaderError:
        return False
    return True


def _other_kind(content: bytes) -> str:
    """What else a file is; some programs read it from its end, or look for their mark inside."""
    end = content.rfind(_ZIP_END, max(0, len(content) - _ZIP_END_BYTES - _COMMENT_BYTES))
    if end >= 0 and len(content) >= end + _ZIP_END_BYTES:
        size, _, comment = struct.unpack_from("<IIH", content, end + 12)
        # Readers forgive what follows an archive, as long as its directory stands before its end.
        listed = size <= end and content[end - size : end].startswith(_ZIP_ENTRY)
        if listed or end + _ZIP_END_BYTES + comment == len(content):
            return "a zip archive"
    for mark, kind in _ARCHIVES.items():
        if mark in content:
            return kind
    if b"%PDF-" in content[:1024]:
        return "a PDF"
    return "a web page" if _MARKUP.search(content) else ""


def _animated(content: bytes, kind: str) -> bool:
    if kind == "PNG":
        return 0 <= content.find(b"acTL") < content.find(b"IDAT")
    if kind == "WebP":
        return content[12:16] == b"VP8X" and bool(content[20] & 0x02)
    return kind == "GIF" and _gif_frames(content) > 1


def _gif_frames(content: bytes) -> int:
    """Frames of a GIF, counted until the second (GIF89a, 20 to 26)."""
    flags = content[10]
    position = 13 + (3 << ((flags & 7) + 1) if flags & 0x80 else 0)
    frames = 0
    try:
        while frames < 2 and (mark := content[position]) != 0x3B:
            if mark == 0x2C:
                frames += 1
                local = content[position + 9]
                position += 11 + (3 << ((local & 7) + 1) if local & 0x80 else 0)
            elif mark == 0x21:
                position += 2
            else:
                break
            while length := content[position]:
                position += length + 1
            position += 1
    except IndexError:
        pass
    return frames
