"""Whatever a user has becomes upright 8-bit RGB, or an error that names file and reason."""

from __future__ import annotations

import importlib
import io
import os
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lentigo.errors import ImageError
from lentigo.image import decode
from lentigo.image.decode import decode_bgr

PIL = pytest.importorskip("PIL.Image", reason="Pillow makes the inputs")
Exif = PIL.Exif

HEIGHT, WIDTH = 48, 64
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, 1),
}


@pytest.fixture
def rgb() -> NDArray[np.uint8]:
    """Smooth ramps, no symmetry, one corner marked."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    picture = np.stack([x * 3 + 20, y * 4 + 10, 200 - x - y], axis=-1).astype(np.uint8)
    picture[: HEIGHT // 2, : WIDTH // 2] = [200, 60, 40]
    return picture


@pytest.fixture
def alpha() -> NDArray[np.uint8]:
    plane = np.full((HEIGHT, WIDTH), 255, np.uint8)
    plane[:, :20] = 0
    plane[:, 20:40] = 128
    return plane


def saved(picture: NDArray, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image = PIL.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    image.save(stream, kind, **options)
    return stream.getvalue()


def over(rgb: NDArray, alpha: NDArray, background: tuple[int, int, int]) -> NDArray:
    share = alpha[..., None] / 255
    return rgb * share + np.array(background) * (1 - share)


def tiff(samples: NDArray, *, photometric: int, extra: int | None = None) -> bytes:
    """An uncompressed little-endian TIFF of one strip, (H, W, C) uint8 or uint16."""
    height, width, channels = samples.shape
    data = samples.astype(samples.dtype.newbyteorder("<")).tobytes()
    bits = samples.dtype.itemsize * 8
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, channels, 8),  # its value is put right below
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, 0),
        (277, 3, 1, channels),
        (278, 4, 1, height),
        (279, 4, 1, len(data)),
        (284, 3, 1, 1),
    ]
    entries += [] if extra is None else [(338, 3, 1, extra)]
    after = 8 + 2 + 12 * len(entries) + 4
    fix = {258: after if channels > 2 else bits | bits << 16, 273: after + 2 * channels}
    out = struct.pack("<2sHIH", b"II", 42, 8, len(entries))
    for tag, of_type, count, value in entries:
        out += struct.pack("<HHII", tag, of_type, count, fix.get(tag, value))
    return out + bytes(4) + struct.pack("<H", bits) * channels + data


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_every_exif_orientation_comes_out_upright(rgb, kind, orientation):
    exif = Exif()
    exif[274] = orientation
    options = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif}
    options |= {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": 0}
    got = decode(saved(rgb, kind, **options)).astype(int)
    expected = UPRIGHT[orientation](rgb)
    assert got.shape == expected.shape
    assert np.abs(got - expected).mean() < (2 if kind == "JPEG" else 0.001)


def test_orientation_and_transparency_are_both_applied(rgb, alpha):
    exif = Exif()
    exif[274] = 6
    got = decode(saved(np.dstack([rgb, alpha]), "PNG", exif=exif), background=(10, 200, 30))
    expected = UPRIGHT[6](over(rgb, alpha, (10, 200, 30)))
    np.testing.assert_allclose(got, expected, atol=0.51)


def test_a_nonsense_orientation_is_ignored(rgb):
    exif = Exif()
    exif[274] = 77
    np.testing.assert_array_equal(decode(saved(rgb, "PNG", exif=exif)), rgb)


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_alpha_is_laid_over_the_stated_colour(rgb, alpha, kind):
    file = saved(np.dstack([rgb, alpha]), kind, lossless=True, exact=True)
    np.testing.assert_allclose(decode(file), over(rgb, alpha, (255, 255, 255)), atol=0.51)
    np.testing.assert_allclose(
        decode(file, background=(1, 2, 3)), over(rgb, alpha, (1, 2, 3)), atol=0.51
    )


def test_grey_with_alpha_is_laid_over_the_stated_colour(rgb, alpha):
    grey = rgb[..., 0]
    file = saved(PIL.fromarray(np.dstack([grey, alpha]), "LA"), "PNG")
    expected = over(np.repeat(grey[..., None], 3, axis=2), alpha, (250, 0, 9))
    np.testing.assert_allclose(decode(file, background=(250, 0, 9)), expected, atol=0.51)


def test_a_transparent_palette_entry_shows_the_background(rgb):
    palette = PIL.fromarray(rgb).quantize(64)
    file = saved(palette, "PNG", transparency=palette.getpixel((0, 0)))
    expected = np.asarray(palette.convert("RGB")).copy()
    expected[np.asarray(palette) == palette.getpixel((0, 0))] = [0, 255, 0]
    np.testing.assert_array_equal(decode(file, background=(0, 255, 0)), expected)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_transparent_colour_of_a_png_shows_the_background(rgb, mode):
    image = PIL.fromarray(rgb).convert(mode)
    key = image.getpixel((0, 0))
    got = decode(saved(image, "PNG", transparency=key), background=(0, 255, 0))
    expected = np.asarray(image.convert("RGB")).copy()
    hit = np.asarray(image) == key
    expected[hit.all(axis=-1) if hit.ndim == 3 else hit] = [0, 255, 0]
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [".png", ".tiff"])
def test_sixteen_bits_are_divided_by_257_and_rounded(channels, kind):
    values = np.random.default_rng(3).integers(0, 65536, (40, 30, channels), dtype=np.uint16)
    values[..., 3:] = 65535
    if kind == ".tiff" and channels == 4:
        file = tiff(values[..., [2, 1, 0, 3]], photometric=2, extra=2)
    else:
        file = cv2.imencode(kind, values)[1].tobytes()
    expected = np.rint(values[..., :3] / 257).astype(np.uint8)[..., ::-1]
    np.testing.assert_array_equal(decode(file), np.broadcast_to(expected, (40, 30, 3)))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("extra", "meaning"), [(1, "associated"), (2, "straight"), (0, "none")])
def test_tiff_alpha_is_read_as_its_tag_says(rgb, alpha, dtype, extra, meaning):
    share = (alpha / 255)[..., None]
    stored = np.rint(rgb * share) if meaning == "associated" else rgb
    scale = 257 if dtype is np.uint16 else 1
    samples = (np.dstack([stored, alpha]).astype(np.int64) * scale).astype(dtype)
    got = decode(tiff(samples, photometric=2, extra=extra), background=(0, 0, 255))
    expected = rgb if meaning == "none" else over(rgb, alpha, (0, 0, 255))
    np.testing.assert_allclose(got, expected, atol=2)


def test_one_bit_and_palette_images_are_expanded(rgb):
    for image in (PIL.fromarray(rgb).convert("1"), PIL.fromarray(rgb).quantize(16)):
        for kind in ("PNG", "TIFF", "BMP"):
            got = decode(saved(image, kind))
            np.testing.assert_array_equal(got, np.asarray(image.convert("RGB")), err_msg=kind)


@pytest.mark.parametrize("transform", [0, 2], ids=["cmyk", "ycck"])
@pytest.mark.parametrize("adobe", [True, False])
def test_cmyk_jpegs_agree_with_a_second_decoder(rgb, transform, adobe):
    file = saved(PIL.fromarray(rgb).convert("CMYK"), "JPEG", quality=95)
    marker = file.index(b"\xff\xee")
    if adobe:
        file = file[: marker + 15] + bytes([transform]) + file[marker + 16 :]
    else:
        file = file[:marker] + file[marker + 16 :]
    other = np.asarray(PIL.open(io.BytesIO(file)).convert("RGB")).astype(int)
    assert np.abs(decode(file) - other).mean() < 2
    if transform == 0:
        assert np.abs(decode(file).astype(int) - rgb).mean() < 3


@pytest.mark.parametrize("options", [{"progressive": True}, {"quality": 95}, {"optimize": True}])
def test_jpegs_agree_with_a_second_decoder(rgb, options):
    file = saved(rgb, "JPEG", **options)
    other = np.asarray(PIL.open(io.BytesIO(file))).astype(int)
    assert np.abs(decode(file) - other).mean() < 1


def test_grey_jpegs_have_three_equal_channels(rgb):
    got = decode(saved(PIL.fromarray(rgb).convert("L"), "JPEG"))
    assert got.shape == (HEIGHT, WIDTH, 3)
    assert (got == got[..., :1]).all()


@pytest.mark.parametrize("tail", [b"\0" * 500, b"\xff\xd8\xff\xe0 a second picture", b"\xff"])
def test_bytes_after_the_end_are_accepted(rgb, tail):
    for kind in ("JPEG", "PNG"):
        file = saved(rgb, kind)
        np.testing.assert_array_equal(decode(file + tail), decode(file))


@pytest.mark.parametrize("lost", [1, 2, 3, 20, 300])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("PNG", {}),
        ("WEBP", {}),
        ("BMP", {}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_truncated_images_are_refused_by_name(tmp_path, rgb, kind, options, lost, capfd):
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = tmp_path / "broken image.bin"
    path.write_bytes(saved(rgb, kind, **options)[:-lost])
    with pytest.raises(ImageError, match=r"broken image\.bin: .*truncated"):
        decode(path)
    assert capfd.readouterr().err == ""


def test_every_prefix_of_an_image_raises_nothing_but_image_error(rgb):
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF"):
        file = saved(rgb[:9, :9], kind)
        for length in range(0, len(file) - 1, 7):
            with pytest.raises(ImageError):
                decode(file[:length])


def test_flipped_header_bytes_raise_nothing_but_image_error(rgb):
    rng = np.random.default_rng(5)
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "TIFF"):
        file = saved(rgb[:16, :16], kind)
        for _ in range(60):
            damaged = bytearray(file)
            damaged[rng.integers(0, min(len(file), 120))] ^= int(rng.integers(1, 256))
            try:
                got = decode(bytes(damaged), max_pixels=1_000_000)
            except ImageError:
                continue
            assert got.dtype == np.uint8
            assert got.ndim == 3


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\0" * 4000, "only zero bytes"),
        (b"image_id,dx\nISIC_1,mel\n", "not an image"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 60, "HEIC"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\xff\xd8\xff", "truncated"),
        (b"\xff\xd8\xff\xd9", "size of 0 x 0"),
    ],
)
def test_what_is_not_an_image_is_refused_with_its_reason(tmp_path, content, reason):
    path = tmp_path / "thing.jpg"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=rf"thing\.jpg: .*{reason}") as caught:
        decode(path)
    assert caught.value.todo


def test_missing_files_and_folders_are_refused_by_name(tmp_path):
    with pytest.raises(ImageError, match=r"absent\.jpg: there is no such file"):
        decode(tmp_path / "absent.jpg")
    with pytest.raises(ImageError, match="it is a folder"):
        decode(tmp_path)


def test_what_would_be_waited_for_for_ever_is_refused(tmp_path):
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    # Somebody writes, so that the test fails and does not wait.
    writer = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    os.write(writer, bytes(100))
    try:
        for path in (pipe, Path(os.devnull)):
            with pytest.raises(ImageError, match=f"{path.name}: it is not a file"):
                decode(path)
    finally:
        os.close(writer)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_the_pixel_limit_is_read_from_the_header(rgb, kind):
    file = saved(rgb, kind)
    assert decode(file, max_pixels=HEIGHT * WIDTH).shape == rgb.shape
    with pytest.raises(ImageError, match="64 x 48 pixels"):
        decode(file, max_pixels=HEIGHT * WIDTH - 1)


def test_a_gigantic_size_is_refused_before_decoding(rgb):
    file = bytearray(saved(rgb, "PNG"))
    file[16:24] = struct.pack(">II", 2_000_000, 2_000_000)
    with pytest.raises(ImageError, match="2000000 x 2000000"):
        decode(bytes(file))


def test_float_pixels_are_refused(rgb):
    with pytest.raises(ImageError, match="float32"):
        decode(saved(PIL.fromarray(rgb[..., 0].astype(np.float32)), "TIFF"))


def test_a_path_and_its_bytes_decode_alike(tmp_path, rgb):
    path = tmp_path / "ünïcode name.png"
    path.write_bytes(saved(rgb, "PNG"))
    got = decode(path)
    np.testing.assert_array_equal(got, decode(path.read_bytes()))
    np.testing.assert_array_equal(got, rgb)
    assert got.flags.c_contiguous


def test_a_reduced_jpeg_keeps_the_pixels_that_are_needed():
    file = saved(np.full((800, 1000, 3), 120, np.uint8), "JPEG")
    shapes = {n: decode_bgr(file, enough_px=n).shape[:2] for n in (100, 101, 200, 400, 401)}
    assert shapes == {
        100: (100, 125),
        101: (200, 250),
        200: (200, 250),
        400: (400, 500),
        401: (800, 1000),
    }


@pytest.mark.real_data
def test_real_images_agree_with_a_second_decoder(shared_data: Path):
    files = sorted((shared_data / "ham10000" / "images").iterdir())[::1000]
    for file in [*files, *sorted((shared_data / "not_skin").iterdir())]:
        other = np.asarray(PIL.open(file).convert("RGB")).astype(int)
        assert np.abs(decode(file) - other).mean() < 1, file.name


@pytest.mark.parametrize("channels", ["RGB", "RGBA"])
@pytest.mark.parametrize("lossless", [False, True])
def test_a_large_webp_has_the_same_pixels_without_the_second_copy(
    channels: str, lossless: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The package's own name for it is that of the function.
    module = importlib.import_module("lentigo.image.decode")
    noise = np.random.default_rng(0).integers(0, 256, (61, 47, len(channels)), dtype=np.uint8)
    stream = io.BytesIO()
    PIL.fromarray(noise).save(stream, "WEBP", lossless=lossless, exact=True)
    content = stream.getvalue()
    damaged = content[:60] + bytes(len(content) - 60)
    plain, spoilt = (pixels_or_none(each) for each in (content, damaged))
    assert plain is not None
    monkeypatch.setattr(module, "LARGE_PX", 0)
    assert np.array_equal(decode_bgr(content), plain)
    # Some damage is only garbage in the picture; then it is the same garbage.
    assert np.array_equal(pixels_or_none(damaged), spoilt)
    monkeypatch.delattr("os.memfd_create")
    assert np.array_equal(decode_bgr(content), plain)


def pixels_or_none(content: bytes) -> NDArray[np.uint8] | None:
    try:
        return decode_bgr(content)
    except ImageError:
        return None


def test_a_small_webp_that_claims_to_be_large_is_called_damaged() -> None:
    stream = io.BytesIO()
    PIL.new("RGB", (96, 96), (150, 90, 70)).save(stream, "WEBP")
    content = bytearray(stream.getvalue())
    # The mark that a frame begins with, and then the size (RFC 6386, 9.1).
    assert content[23:26] == b"\x9d\x01\x2a"
    content[23:30] = b"\x9d\x2b\x53" + struct.pack("<HH", 7061, 2790)
    with pytest.raises(ImageError, match="the WebP cannot be decoded"):
        decode(bytes(content))
