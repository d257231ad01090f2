"""What decoding takes of memory is foreseen from the header, and not too low."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lentigo.image.cost import decoding_bytes
from lentigo.image.header import read_header

ENOUGH_PX = 720
WIDTH, HEIGHT = 3600, 2400

MEASURE = f"""
import sys
from lentigo.image.decode import decode_bgr
def bytes_of(key):
    lines = open("/proc/self/status").read().splitlines()
    return int(next(each for each in lines if each.startswith(key)).split()[1]) * 1024
content, tiny = (open(path, "rb").read() for path in sys.argv[1:])
decode_bgr(tiny)
before = bytes_of("VmRSS")
decode_bgr(content, enough_px={ENOUGH_PX})
print(bytes_of("VmHWM") - before)
"""

KINDS: dict[str, dict[str, Any]] = {
    "jpeg": {"format": "JPEG"},
    "jpeg, progressive, colours halved": {"format": "JPEG", "progressive": True},
    "jpeg, progressive": {"format": "JPEG", "progressive": True, "subsampling": 0},
    "png": {"format": "PNG", "compress_level": 1},
    "webp": {"format": "WEBP", "method": 0},
    "webp, lossless": {"format": "WEBP", "lossless": True, "method": 0, "quality": 0},
    "bmp": {"format": "BMP"},
    "tiff": {"format": "TIFF"},
}


def encoded(width: int, height: int, channels: str, **options: Any) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (24, 32, 3)).astype(np.uint8)
    picture = Image.fromarray(noise).resize((width, height), Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    picture.convert(channels).save(stream, **options)
    return stream.getvalue()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("channels", ["RGB", "RGBA"])
@pytest.mark.parametrize("kind", KINDS)
def test_no_more_memory_is_taken_than_was_foreseen(
    kind: str, channels: str, tmp_path: Path
) -> None:
    options = KINDS[kind]
    if options["format"] in {"JPEG", "BMP"}:
        channels = "L" if channels == "RGBA" else channels
    content = encoded(WIDTH, HEIGHT, channels, **options)
    (tmp_path / "large").write_bytes(content)
    (tmp_path / "tiny").write_bytes(encoded(40, 30, channels, **options))
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "large"), str(tmp_path / "tiny")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    foreseen = decoding_bytes(content, read_header(content), ENOUGH_PX)
    assert int(done.stdout) <= foreseen + 3_000_000


def test_what_cannot_be_shrunk_while_it_is_decoded_counts_whole() -> None:
    line = encoded(40_000, 100, "RGB", format="JPEG")
    square = encoded(2_000, 2_000, "RGB", format="JPEG")
    whole = decoding_bytes(line, read_header(line), ENOUGH_PX)
    assert whole > 2 * decoding_bytes(square, read_header(square), ENOUGH_PX)
