"""What an image file says about itself, read before a single pixel is decoded.

OpenCV decodes well but tells little: a missing end, a rotated camera and a gigantic frame
all look the same from outside. The few header fields that matter are read here instead:
size (a limit must hold before memory is taken), EXIF orientation (OpenCV applies it or not,
depending on flag, format and version), what a fourth channel means, and whether the file
reaches its own end.

Sources: JPEG ITU-T T.81 annex B; PNG (W3C) chunks; TIFF 6.0; WebP RFC 9649; EXIF 2.32.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

SNIFF_BYTES = 32
"""How many first bytes decide what kind of file it is."""

ENDINGS = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
    # Not read, but photographs too: they are named and refused instead of passed over.
    | {".avif", ".heic", ".heif", ".jp2", ".pbm", ".pgm", ".ppm"}
)
"""What counts as an image in a folder; a file that is named itself may end as it likes."""

TRUNCATED = "it is truncated"

MAX_SCANS = 100
"""Of a JPEG. Each, however short, costs its decoder a pass over all blocks; most files have one
or ten, and Skia, with which Chromium and Android decode, goes no further either."""


class Alpha(Enum):
    """What a fourth channel means."""

    IGNORED = "ignored"
    STRAIGHT = "straight"
    PREMULTIPLIED = "premultiplied"


@dataclass(frozen=True)
class Header:
    """What an image file states about itself.

    Attributes:
        kind: One of ``KINDS``.
        width: Pixels a row as stored, before orientation.
        height: Rows as stored, before orientation.
        orientation: EXIF orientation that is still to be applied, 1 (none) to 8.
        alpha: What a fourth channel means, if there is one.
        transparent_grey: The grey level of an 8- or 16-bit grey PNG that stands for
            "transparent", or None; OpenCV drops it.
        end: Where the end marker of a JPEG begins, in bytes; 0 for other kinds.
    """

    kind: str
    width: int
    height: int
    orientation: int = 1
    alpha: Alpha = Alpha.STRAIGHT
    transparent_grey: int | None = None
    end: int = 0


class HeaderError(Exception):
    """The reason why a file is not a readable image, as the end of the sentence "FILE: ...".

    Args:
        reason: In English.
        code: The same for a page, which says it in the visitor's language: ``reason.CODE`` of
            its catalogue.
        kind: What the file is, where that is all that is wrong with it.
    """

    def __init__(self, reason: str, code: str = "damaged", *, kind: str = "") -> None:
        super().__init__(reason)
        self.code, self.kind = code, kind


def sniff(start: bytes) -> str:
    """The kind of image that the first ``SNIFF_BYTES`` bytes announce.

    Raises:
        HeaderError: It is none that lentigo reads; known foreign formats are named.
    """
    for kind, matches in _SIGNATURES.items():
        if matches(start):
            if kind in _READERS:
                return kind
            reason = f"it is {_article(kind)} {kind} file, which is not read here"
            raise HeaderError(reason, "foreign", kind=kind)
    if not start:
        raise HeaderError("the file is empty", "empty")
    if not start.strip(b"\0"):
        raise HeaderError("it holds only zero bytes, as an interrupted copy leaves them", "zeros")
    raise HeaderError("it is not an image", "no_image")


def _article(kind: str) -> str:
    return "an" if kind.startswith("A") else "a"


def read_header(data: bytes) -> Header:
    """Read the header of an image and check that the file reaches its own end.

    Args:
        data: The whole file.

    Raises:
        HeaderError: Not an image, truncated, or a header that contradicts itself.
    """
    kind = sniff(data[:SNIFF_BYTES])
    try:
        header = _READERS[kind](data)
    except (struct.error, IndexError):
        raise HeaderError(TRUNCATED, "truncated") from None
    if header.width < 1 or header.height < 1:
        raise HeaderError(f"its header states a size of {header.width} x {header.height} pixels")
    return header


def _jpeg(data: bytes) -> Header:
    """Walk the markers to the end-of-image marker; what follows it is not looked at.

    Phones append motion pictures and depth maps after the end, and a thumbnail inside the
    EXIF segment has an end marker of its own: searching from the back would be wrong twice.
    """
    position, size, orientation = 2, (0, 0), 1
    open_parts: set[tuple[int, int]] = set()
    scans = 0
    while (marker := _next_marker(data, position)) is not None:
        code, position = marker
        if code == 0xD9:
            if open_parts:
                raise HeaderError(f"{TRUNCATED}: the JPEG ends before all its scans are there")
            return Header("JPEG", size[0], size[1], orientation, end=position - 2)
        if code in {0x01, 0xD8}:  # these stand alone, without a length
            continue
        length = struct.unpack_from(">H", data, position)[0]
        segment = data[position + 2 : position + length]
        if 0xC0 <= code <= 0xCF and code not in {0xC4, 0xC8, 0xCC}:
            if scans or open_parts:
                raise HeaderError("the JPEG has more than one frame")
            height, width = struct.unpack_from(">HH", segment, 1)
            size = (width, height)
            open_parts = _parts_of_frame(code, segment)
        elif code == 0xDA:
            open_parts = _left_by_scan(open_parts, segment)
            scans += 1
            if scans > MAX_SCANS:
                raise HeaderError(f"the JPEG has more than {MAX_SCANS} scans")
        elif code == 0xE1 and segment.startswith(b"Exif\0\0"):
            orientation = _orientation(segment[6:])
        position += max(length, 2)
    raise HeaderError(f"{TRUNCATED}: the JPEG has no end marker", "truncated")


def _parts_of_frame(code: int, segment: bytes) -> set[tuple[int, int]]:
    """(component, coefficient) of all that the scans of a frame have to bring, T.81 B.2.2.

    Of a frame that is not progressive one scan brings a component whole, whatever it states.
    """
    last = 63 if code in {0xC2, 0xCA} else 0
    return {(segment[6 + 3 * i], at) for i in range(segment[5]) for at in range(last + 1)}


def _left_by_scan(parts: set[tuple[int, int]], segment: bytes) -> set[tuple[int, int]]:
    """What of ``parts`` a scan does not bring to the last bit, T.81 B.2.3 and G.1.1.1."""
    components = segment[1 : 1 + 2 * segment[0] : 2]
    first, last, shift = struct.unpack_from("3B", segment, 1 + 2 * segment[0])
    if shift & 15:
        return parts  # further scans refine it
    # A lossless frame names its predictor where others name the first coefficient.
    brought = range(first if last else 0, last + 1)
    return {(each, at) for each, at in parts if each not in components or at not in brought}


def _next_marker(data: bytes, position: int) -> tuple[int, int] | None:
    """The next JPEG marker and the position after it; entropy-coded bytes are passed over."""
    while (position := data.find(b"\xff", position)) >= 0 and position + 1 < len(data):
        code = data[position + 1]
        # 00 is a stuffed byte and D0 to D7 are restarts, both inside a scan; FF is padding.
        if code not in {0x00, 0xFF} and not 0xD0 <= code <= 0xD7:
            return code, position + 2
        position += 1 if code == 0xFF else 2
    return None


def _png(data: bytes) -> Header:
    position, orientation, transparent = 8, 1, None
    width, height, depth, colour = struct.unpack_from(">IIBB", data, 16)
    while position + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        body = position + 8
        if body + length + 4 > len(data):
            break
        if name == b"IEND":
            return Header("PNG", width, height, orientation, transparent_grey=transparent)
        if name == b"eXIf":
            orientation = _orientation(data[body : body + length])
        elif name == b"tRNS" and colour == 0:
            # OpenCV stretches 1, 2 and 4 bits to 0 to 255.
            level = struct.unpack_from(">H", data, body)[0]
            transparent = level if depth >= 8 else level * 255 // ((1 << depth) - 1)
        position = body + length + 4
    raise HeaderError(f"{TRUNCATED}: the PNG has no end chunk", "truncated")


def _webp(data: bytes) -> Header:
    declared = struct.unpack_from("<I", data, 4)[0] + 8
    if len(data) < declared:
        raise HeaderError(f"{TRUNCATED}: {len(data)} of {declared} bytes are here", "truncated")
    position, size, orientation = 12, None, 1
    while position + 8 <= declared:
        name, length = struct.unpack_from("<4sI", data, position)
        body = position + 8
        if size is None:
            size = _webp_size(name, data, body)
        if name == b"EXIF":
            exif = data[body : body + length]
            orientation = _orientation(exif.removeprefix(b"Exif\0\0"))
        position = body + length + length % 2
    width, height = size or (0, 0)
    return Header("WebP", width, height, orientation)


def _webp_size(name: bytes, data: bytes, body: int) -> tuple[int, int] | None:
    if name == b"VP8X":
        return (
            int.from_bytes(data[body + 4 : body + 7], "little") + 1,
            int.from_bytes(data[body + 7 : body + 10], "little") + 1,
        )
    if name == b"VP8L":
        bits = struct.unpack_from("<I", data, body + 1)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if name == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, body + 6)
        return width & 0x3FFF, height & 0x3FFF
    return None


def _tiff(data: bytes) -> Header:
    """The first page. OpenCV (libtiff) turns it upright itself, whatever the flags."""
    tags = _ifd(data)
    if 256 not in tags or 257 not in tags:
        raise HeaderError(f"{TRUNCATED}: the TIFF states no size", "truncated")
    deep = tags.get(258, 1) > 8
    if deep and tags.get(262) not in {1, 2}:
        raise HeaderError("it is a 16-bit TIFF in neither grey nor RGB")
    extra = tags.get(338, 0)
    if extra not in {1, 2}:
        # An unspecified extra channel is not transparency, and CMYK arrives as opaque RGBA.
        alpha = Alpha.IGNORED
    elif deep and extra == 2:
        alpha = Alpha.STRAIGHT
    else:
        # libtiff multiplies 8-bit colours by a straight alpha while it reads them.
        alpha = Alpha.PREMULTIPLIED
    return Header("TIFF", tags[256], tags[257], alpha=alpha)


def _bmp(data: bytes) -> Header:
    # The file size that it states is not checked: writers get it wrong, OpenCV counts rows.
    if struct.unpack_from("<I", data, 14)[0] == 12:  # the OS/2 header
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return Header("BMP", width, abs(height), alpha=Alpha.IGNORED)


def _gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("GIF", width, height)


def _orientation(exif: bytes) -> int:
    """EXIF orientation of a TIFF block; 1 where there is none or it is nonsense."""
    try:
        value = _ifd(exif).get(274, 1)
    except (struct.error, HeaderError):
        return 1
    return value if 1 <= value <= 8 else 1


def _ifd(data: bytes) -> dict[int, int]:
    """The first value of every integer tag of the first TIFF directory."""
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        raise HeaderError("its TIFF header is damaged")
    magic, offset = struct.unpack_from(f"{order}HI", data, 2)
    if magic != 42:
        raise HeaderError("it is a BigTIFF file, which is not read here", "foreign", kind="BigTIFF")
    tags = {}
    for i in range(struct.unpack_from(f"{order}H", data, offset)[0]):
        entry = offset + 2 + 12 * i
        tag, of_type, count = struct.unpack_from(f"{order}HHI", data, entry)
        code, width = {1: ("B", 1), 3: ("H", 2), 4: ("I", 4)}.get(of_type, ("", 0))
        if not width or not count:
            continue
        at = entry + 8
        if count * width > 4:
            at = struct.unpack_from(f"{order}I", data, at)[0]
        tags[tag] = struct.unpack_from(f"{order}{code}", data, at)[0]
    return tags


_READERS: dict[str, Callable[[bytes], Header]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "TIFF": _tiff,
    "WebP": _webp,
    "BMP": _bmp,
    "GIF": _gif,
}

_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"mif1", b"msf1")

_SIGNATURES: dict[str, Callable[[bytes], bool]] = {
    "JPEG": lambda start: start.startswith(b"\xff\xd8"),
    "PNG": lambda start: start.startswith(b"\x89PNG\r\n\x1a\n"),
    "TIFF": lambda start: start.startswith((b"II*\0", b"MM\0*")),
    "WebP": lambda start: start[:4] == b"RIFF" and start[8:12] == b"WEBP",
    "BMP": lambda start: start.startswith(b"BM") and start[6:10] == bytes(4),
    "GIF": lambda start: start.startswith((b"GIF87a", b"GIF89a")),
    "HEIC": lambda start: start[4:8] == b"ftyp" and start[8:12] in _HEIC_BRANDS,
    "AVIF": lambda start: start[4:8] == b"ftyp" and start[8:12] in {b"avif", b"avis"},
    "JPEG 2000": lambda start: start.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")),
    "PDF": lambda start: start.startswith(b"%PDF"),
    "ZIP": lambda start: start.startswith(b"PK\x03\x04"),
}
