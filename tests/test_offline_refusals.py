"""The offline app refuses what Python and the server refuse, for the same reason."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from browsing import BYTES, PREPROCESS, in_base64, in_browser
from golden_images import encoded, golden, photograph
from lentigo.errors import ImageError
from lentigo.image.spec import PreprocessSpec, preprocess
from lentigo.web.refusals import Refusal
from lentigo.web.screening import screen
from lentigo.web.settings import Limits

# Of a JPEG: a scan without data, and the frame of a grey one.
SCAN = b"\xff\xda\0\x08\x01\x01\0\x01\x05\0"
FRAME = golden("jpeg grey")[(at := golden("jpeg grey").index(b"\xff\xc0")) : at + 13]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a picture at all",
        bytes(64),
        b"%PDF-1.7 ...",
        golden("jpeg grey")[:-400],
        golden("png palette")[:-30],
        golden("webp turned 8")[:-9],
        golden("jpeg progressive")[:-2] + SCAN * 100 + b"\xff\xd9",
        golden("jpeg grey").replace(FRAME, FRAME + FRAME),
    ],
    ids=["empty", "text", "zeros", "pdf", "cut jpeg", "cut png", "cut webp", "scans", "frames"],
)
def test_what_is_no_photo_is_refused_for_the_same_reason(content: bytes, page: Any) -> None:
    spec = PreprocessSpec()
    with pytest.raises(ImageError) as refused:
        preprocess(content, spec)
    answer = page.evaluate(PREPROCESS, [in_base64(content), spec.model_dump(mode="json")])
    assert f"The image (bytes): {answer['error']}." == refused.value.problem


def with_zip(content: bytes, comment: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x.txt", "hidden")
        archive.comment = comment
    return content + stream.getvalue()


def with_text(text: str) -> bytes:
    """A PNG with a remark in it."""
    remark = PngInfo()
    remark.add_text("Comment", text)
    return encoded(photograph(60, 60), "PNG", pnginfo=remark)


def moving(kind: str, pictures: int = 2) -> bytes:
    first, *more = (photograph(60, 60, seed) for seed in range(pictures))
    return encoded(first, kind, save_all=bool(more), append_images=more)


JPEG = encoded(photograph(60, 60), "JPEG")
ASK_SCREEN = f"""async (b64) => {{
  const {{ readHeader }} = await import("/header.js");
  const {{ screen }} = await import("/screening.js");
  {BYTES}
  try {{
    screen(bytes, readHeader(bytes));
    return null;
  }} catch (error) {{
    return [error.key, error.message];
  }}
}}"""


@pytest.mark.parametrize(
    "content",
    [
        with_zip(JPEG),
        with_zip(JPEG) + b"what readers of archives forgive",
        with_zip(JPEG, comment=b"c" * 0xFFFF),
        JPEG + b"PK\x05\x06" + bytes(18),
        with_zip(moving("PNG", 1)),
        JPEG + b"Rar!\x1a\x07\x01\x00",
        with_text("7z\xbc\xaf\x27\x1c"),
        with_text("%PDF-1.7"),
        with_text("<!DocType"),
        JPEG + b"<ScRiPt>alert(1)</script>",
        JPEG + b"<?php\n",
        JPEG + b"<HTML lang",
        moving("GIF"),
        moving("PNG"),
        moving("WEBP"),
        with_zip(moving("GIF")),
        encoded(Image.new("1", (7000, 6000)), "PNG"),
    ],
    ids=[
        *("zip", "zip and more", "zip with a comment", "empty zip", "PNG and zip", "RAR"),
        *("7z inside", "PDF inside", "HTML inside", "script", "PHP", "HTML"),
        *("moving GIF", "moving PNG", "moving WebP", "moving GIF and zip", "large"),
    ],
)
def test_what_the_server_does_not_decode_the_app_refuses_for_the_same_reason(
    content: bytes, page: Any
) -> None:
    with pytest.raises(Refusal) as refused:
        screen(content, Limits())
    why, reason = page.evaluate(ASK_SCREEN, in_base64(content))
    assert why == refused.value.why
    assert f"{reason[0].upper()}{reason[1:]}." == refused.value.reason


@pytest.mark.parametrize(
    "content",
    [
        JPEG,
        *(moving(kind, 1) for kind in ("GIF", "PNG", "WEBP")),
        JPEG + b"PK\x05\x06" + b"no archive, whatever it begins like",
        JPEG + b"PK\x05\x06",
        with_zip(JPEG) + bytes(0x1_0100),
        JPEG.ljust(1024) + b"%PDF-1.7",
        with_text("Rar! <htm <scrip 7z"),
        JPEG + b"<hTmL\x93 <?php\0 <html\xa0 <script",
    ],
    ids=[
        "JPEG",
        "GIF",
        "PNG",
        "WebP",
        "no zip",
        "half a mark",
        "far zip",
        "far PDF",
        "text",
        "chance",
    ],
)
def test_a_photo_that_the_server_decodes_passes_the_app_as_well(content: bytes, page: Any) -> None:
    assert screen(content, Limits()).width == 60
    assert page.evaluate(ASK_SCREEN, in_base64(content)) is None


NOISE = np.random.default_rng(0).integers(0, 256, (160, 208, 3)).astype(np.uint8)


@pytest.mark.parametrize("share", [0.35, 0.5, 0.9])
@pytest.mark.parametrize(
    "options",
    [{}, {"subsampling": 0}, {"restart_marker_rows": 1}, {"progressive": True}],
    ids=str,
)
def test_a_jpeg_that_was_cut_and_closed_is_refused_for_the_same_reason(
    options: dict[str, Any], share: float, page: Any
) -> None:
    if options.get("progressive") and share == 0.9:
        pytest.skip("cut in its last scan, a progressive JPEG is whole but for a bit of depth")
    whole = encoded(Image.fromarray(NOISE), "JPEG", quality=90, **options)
    spec = PreprocessSpec()
    assert in_browser(page, whole, spec).any()
    cut = whole[: int(len(whole) * share)] + b"\xff\xd9"
    with pytest.raises(ImageError) as refused:
        preprocess(cut, spec)
    answer = page.evaluate(PREPROCESS, [in_base64(cut), spec.model_dump(mode="json")])
    assert f"The image (bytes): {answer['error']}." == refused.value.problem


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_whole_jpeg_that_is_grey_in_its_corner_is_answered(
    mode: str, progressive: bool, page: Any
) -> None:
    picture = NOISE.copy()
    picture[100:] = 128
    image = Image.fromarray(picture).convert(mode)
    content = encoded(image, "JPEG", progressive=progressive, subsampling=0) + b"a film behind it"
    spec = PreprocessSpec(size=160)
    difference = preprocess(content, spec).astype(int) - in_browser(page, content, spec)
    assert np.median(np.abs(difference)) <= 1
