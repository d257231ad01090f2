"""JPEGs that no camera wrote so: of too many scans or frames, cut, or cut and closed."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from golden_images import encoded, photograph
from lentigo.errors import ImageError
from lentigo.image.decode import decode, decode_bgr
from lentigo.image.header import MAX_SCANS, read_header

END = b"\xff\xd9"
# Of one component its coefficients 1 to 5, and no data: ten bytes that cost a pass over all.
SCAN = b"\xff\xda\0\x08\x01\x01\0\x01\x05\0"


def test_scans_without_end_are_refused() -> None:
    whole = encoded(photograph(60, 60), "JPEG", progressive=True).removesuffix(END)
    further = MAX_SCANS - whole.count(SCAN[:2])
    assert read_header(whole + SCAN * further + END).width == 60
    with pytest.raises(ImageError, match="more than 100 scans"):
        decode(whole + SCAN * (further + 1) + END)


def test_a_second_frame_is_refused() -> None:
    whole = encoded(photograph(60, 60), "JPEG")
    start = whole.index(b"\xff\xc0")
    frame = whole[start : start + 19]
    with pytest.raises(ImageError, match="more than one frame"):
        decode(whole.replace(frame, frame + frame))


def noisy(height: int = 160, width: int = 208) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("enough_px", [None, 16])
@pytest.mark.parametrize("share", [0.35, 0.5, 0.9])
@pytest.mark.parametrize(
    "options",
    [{}, {"subsampling": 0}, {"restart_marker_rows": 1}, {"progressive": True}],
    ids=str,
)
def test_a_jpeg_that_was_cut_and_closed_is_refused(
    options: dict[str, Any], share: float, enough_px: int | None
) -> None:
    if options.get("progressive") and share == 0.9:
        pytest.skip("cut in its last scan, a progressive JPEG is whole but for a bit of depth")
    content = encoded(Image.fromarray(noisy()), "JPEG", quality=90, **options)
    assert decode_bgr(content, enough_px=enough_px).shape[2] == 3
    cut = content[: int(len(content) * share)]
    with pytest.raises(ImageError, match="truncated: the JPEG ends before all its"):
        decode_bgr(cut + b"\xff\xd9", enough_px=enough_px)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_whole_jpeg_that_is_grey_in_its_corner_is_none_that_was_cut(
    mode: str, progressive: bool
) -> None:
    picture = noisy()
    picture[100:] = 128
    image = Image.fromarray(picture).convert(mode)
    content = encoded(image, "JPEG", progressive=progressive, subsampling=0)
    assert (decode(content)[-1, -1] == 128).all()
    assert decode(content + b"a film behind it").shape == picture.shape


def test_a_thumbnail_that_ends_does_not_hide_a_truncated_jpeg() -> None:
    thumbnail = encoded(photograph(8, 8), "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 8) + b"Exif\0\0" + thumbnail
    file = encoded(photograph(64, 48), "JPEG")
    whole = file[:2] + segment + file[2:]
    np.testing.assert_array_equal(decode(whole), decode(file))
    with pytest.raises(ImageError, match="no end marker"):
        decode(whole[:-2])
