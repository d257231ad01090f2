"""A large PNG in strips: the same pixels as whole, in a fraction of the memory."""

from __future__ import annotations

import contextlib
import itertools
import struct
import subprocess
import sys
import zlib
from importlib.resources import files

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lentigo.errors import ImageError
from lentigo.image import strips
from lentigo.image.decode import decode_bgr
from lentigo.image.header import read_header

FORMS = [(0, 1), (0, 2), (0, 4), (0, 8), (0, 16), (2, 8), (2, 16), (3, 1), (3, 2), (3, 4), (3, 8)]
FORMS += [(4, 8), (4, 16), (6, 8), (6, 16)]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda each: abs(guess - each))


def filtered(rows: NDArray[np.uint8], kinds: NDArray[np.uint8], reach: int) -> bytes:
    """Rows as PNG stores them (PNG, W3C, 9.2), each with the filter named."""
    out = bytearray()
    above = np.zeros(rows.shape[1], int)
    for row, kind in zip(rows.astype(int), kinds, strict=True):
        left = np.concatenate([np.zeros(reach, int), row[:-reach]])[: len(row)]
        corner = np.concatenate([np.zeros(reach, int), above[:-reach]])[: len(row)]
        mean = (left + above) // 2
        guessed = [paeth(*each) for each in zip(left, above, corner, strict=True)]
        guess = [0 * row, left, above, mean, np.array(guessed)][kind]
        out += bytes([kind]) + ((row - guess) % 256).astype(np.uint8).tobytes()
        above = row
    return bytes(out)


def png(
    width: int, height: int, colour: int, depth: int, seed: int, *, transparent: bool = False
) -> bytes:
    """A PNG of random bytes under random filters, in chunks of odd sizes."""
    rng = np.random.default_rng(seed)
    row_bytes = (width * CHANNELS[colour] * depth + 7) // 8
    rows = rng.integers(0, 256, (height, row_bytes)).astype(np.uint8)
    kinds = rng.integers(0, 5, height).astype(np.uint8)
    reach = max(1, CHANNELS[colour] * depth // 8)
    packed = zlib.compress(filtered(rows, kinds, reach))
    parts = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))]
    if colour == 3:
        parts.append(chunk(b"PLTE", rng.integers(0, 256, 768).astype(np.uint8).tobytes()))
    if transparent:
        body = {0: b"\0\1", 2: b"\0\1\0\2\0\3", 3: bytes(range(0, 250, 5))}[colour]
        parts.append(chunk(b"tRNS", body))
    cuts = [0, *sorted(rng.integers(0, len(packed), 3).tolist()), len(packed)]
    parts += [chunk(b"IDAT", packed[a:b]) for a, b in itertools.pairwise(cuts)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def both(
    content: bytes, monkeypatch: pytest.MonkeyPatch, enough_px: int | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Decoded whole, and in strips of a few rows."""
    whole = decode_bgr(content)
    with monkeypatch.context() as small:
        small.setattr(strips, "LARGE_PX", 0)
        small.setattr(strips, "STRIP_BYTES", 2_000)
        assert strips.is_striped(content, read_header(content))
        return whole, decode_bgr(content, enough_px=enough_px)


@pytest.mark.parametrize(
    ("colour", "depth", "transparent"),
    # Those above 3 have an alpha channel, and no transparent colour.
    [(*form, flag) for form in FORMS for flag in (False, True) if not flag or form[0] < 4],
)
def test_strips_have_the_pixels_of_the_whole(
    colour: int, depth: int, transparent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = png(53, 61, colour, depth, seed=colour + depth, transparent=transparent)
    whole, striped = both(content, monkeypatch)
    assert np.array_equal(whole, striped)


@pytest.mark.parametrize("divisor", [2, 4, 8])
def test_blocks_are_averaged(divisor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    content = png(331, 203, 2, 8, seed=1)
    whole, striped = both(content, monkeypatch, enough_px=203 // divisor)
    assert striped.shape[:2] == (-(-203 // divisor), -(-331 // divisor))
    inside = whole[: 203 // divisor * divisor, : 331 // divisor * divisor].astype(float)
    height, width = inside.shape[0] // divisor, inside.shape[1] // divisor
    blocks = inside.reshape(height, divisor, width, divisor, 3).mean((1, 3))
    assert np.abs(striped[:height, :width] - blocks).max() <= 0.5


def test_the_browser_shrinks_pngs_from_the_same_size_on() -> None:
    script = files("lentigo") / "web" / "static" / "offline" / "preprocess.js"
    assert f"const LARGE_PX = {strips.LARGE_PX:_};" in script.read_text("utf-8")


def test_an_interlaced_png_is_decoded_whole() -> None:
    content = bytearray(png(50, 50, 2, 8, seed=2))
    content[28] = 1
    header = read_header(bytes(content))
    assert not strips.is_striped(bytes(content), header)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_damage_is_nothing_worse_than_an_image_error(data: st.DataObject) -> None:
    content = bytearray(png(40, 40, 2, 8, seed=3))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(29, len(content) - 13))] ^= data.draw(st.integers(1, 255))
    with pytest.MonkeyPatch.context() as small:
        small.setattr(strips, "LARGE_PX", 0)
        small.setattr(strips, "STRIP_BYTES", 1_000)
        with contextlib.suppress(ImageError):
            decode_bgr(bytes(content))


def test_rows_that_are_missing_are_an_image_error(monkeypatch: pytest.MonkeyPatch) -> None:
    content = png(40, 40, 2, 8, seed=4)
    taller = content[:20] + struct.pack(">I", 4000) + content[24:]
    taller = taller[:29] + struct.pack(">I", zlib.crc32(taller[12:29])) + taller[33:]
    monkeypatch.setattr(strips, "LARGE_PX", 0)
    with pytest.raises(ImageError, match="damaged"):
        decode_bgr(taller)


GROWTH = """
import sys
from lentigo.image.decode import decode_bgr
def mb(key):
    lines = open("/proc/self/status").read().splitlines()
    return int(next(each for each in lines if each.startswith(key)).split()[1]) / 1024
content = open(sys.argv[1], "rb").read()
before = mb("VmRSS")
shape = decode_bgr(content, enough_px=448).shape
assert shape == (625, 1000, 3), shape
print(mb("VmHWM") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_png_of_40_megapixels_takes_less_than_50_megabytes(tmp_path: object) -> None:
    path = f"{tmp_path}/large.png"
    assert cv2.imwrite(path, np.full((5000, 8000, 3), 130, np.uint8))
    command = [sys.executable, "-c", GROWTH, path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) < 50
