"""JPEGs that say of themselves what no camera writes: refused before they are decoded."""

from __future__ import annotations

import pytest

from golden_images import encoded, photograph
from lentigo.errors import ImageError
from lentigo.image.decode import decode
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
