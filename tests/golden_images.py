"""Photographs that browsers and Python are likely to read differently, generated."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import cv2
import numpy as np
from PIL import Image


def photograph(width: int, height: int, seed: int = 0) -> Image.Image:
    """Something with edges, colour and grain at every scale, on a skin-like ground."""
    random = np.random.default_rng(seed)
    out = np.zeros((height, width, 3), np.float32)
    for cells, strength in ((4, 50), (16, 25), (64, 15), (200, 8)):
        coarse = random.normal(0, strength, (cells, cells, 3)).astype(np.float32)
        out += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    out += random.normal(0, 3, (height, width, 1)).astype(np.float32)
    spot = (width // 2, height // 2), max(1, min(width, height) // 4)
    cv2.circle(out, *spot, (-80.0, -70.0, -60.0), -1)
    return Image.fromarray(np.clip(out + np.array([190, 140, 120]), 0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[274] = orientation
    return exif


def see_through() -> Image.Image:
    image = photograph(400, 300, seed=3)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    return image


def sixteen_bits() -> bytes:
    levels = np.asarray(photograph(300, 260, seed=4)).astype(np.uint16) * 257
    shifted = levels + np.uint16(77) * (levels < 60000).astype(np.uint16)
    return cv2.imencode(".png", shifted)[1].tobytes()


def _plain(kind: str, width: int, height: int, seed: int = 0, **options: Any) -> bytes:
    return encoded(photograph(width, height, seed), kind, **options)


def _golden() -> dict[str, Callable[[], bytes]]:
    made: dict[str, Callable[[], bytes]] = {}
    for k in range(1, 9):
        made[f"jpeg turned {k}"] = partial(_plain, "JPEG", 641, 480, k, quality=92, exif=turned(k))
    for name, code in (("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)):
        options = {"quality": 90, "subsampling": code}
        made[f"jpeg large, colour {name}"] = partial(_plain, "JPEG", 2016, 1512, 9, **options)
        made[f"jpeg halved, colour {name}"] = partial(_plain, "JPEG", 1001, 780, 10, **options)
    exif = turned(6)
    made["jpeg of a phone, turned"] = partial(_plain, "JPEG", 4032, 3024, 11, quality=88, exif=exif)
    made["jpeg progressive"] = partial(_plain, "JPEG", 900, 700, 12, progressive=True)
    made["jpeg grey"] = lambda: encoded(photograph(640, 480).convert("L"), "JPEG")
    made["jpeg CMYK"] = lambda: encoded(photograph(640, 480).convert("CMYK"), "JPEG", quality=95)
    # Larger than what is decoded whole, and of odd sides.
    made["png large"] = partial(_plain, "PNG", 3601, 2403, 13, compress_level=1, exif=exif)
    made["png turned 6"] = partial(_plain, "PNG", 301, 480, 14, exif=exif)
    made["png see-through"] = lambda: encoded(see_through(), "PNG")
    made["png grey see-through"] = lambda: encoded(see_through().convert("LA"), "PNG")
    made["png palette"] = lambda: encoded(photograph(320, 240).quantize(64), "PNG")
    made["png 16 bits"] = sixteen_bits
    made["webp see-through"] = lambda: encoded(see_through(), "WEBP", lossless=True, exact=True)
    made["webp turned 8"] = partial(_plain, "WEBP", 640, 481, quality=90, exif=turned(8))
    made["bmp"] = partial(_plain, "BMP", 300, 200)
    for width, height in ((1, 1), (2, 3), (20, 13), (160, 160), (161, 159), (30, 900), (1200, 41)):
        made[f"png {width} x {height}"] = partial(_plain, "PNG", width, height, 15)
    return made


GOLDEN = _golden()
"""Name to what makes the encoded image."""


@cache
def golden(name: str) -> bytes:
    """The encoded image of that name."""
    return GOLDEN[name]()
