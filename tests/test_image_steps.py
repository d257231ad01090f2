"""Hair, colour and quality: measured on drawn skin and, where it is here, on real images."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from lentigo.image import (
    ColourConstancy,
    HairRemoval,
    assess,
    decode,
    hair_mask,
    judge,
    remove_hair,
    shades_of_grey,
    to_greyscale,
)
from lentigo.image.quality import SHARPNESS_PX, Quality, seen_square, small_copy
from lentigo.image.regions import shrunk, steepness
from lentigo.image.spec import PreprocessSpec, centre_square

SKIN = (205, 160, 140)


@pytest.fixture
def skin() -> np.ndarray:
    """A brown, soft-edged lesion on skin with a little noise, 224 pixels."""
    y, x = np.mgrid[:224, :224]
    inside = 1 / (1 + np.exp((np.hypot(x - 112, y - 112) - 55) / 6))[..., None]
    picture = np.array(SKIN) * (1 - inside) + np.array([110, 70, 55]) * inside
    grain = np.random.default_rng(1).normal(0, 2.5, (224, 224, 1))
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


@pytest.fixture
def hairy(skin) -> tuple[np.ndarray, np.ndarray]:
    """The same with dark lines, and where they are."""
    lines = np.zeros(skin.shape[:2], np.uint8)
    for start, end in [((5, 20), (215, 90)), ((30, 220), (120, 4)), ((200, 215), (150, 10))]:
        cv2.line(lines, start, end, 1, 2)
    picture = skin.copy()
    picture[lines > 0] = [35, 25, 20]
    return picture, lines > 0


def test_hair_disappears_and_the_rest_stays(skin, hairy):
    picture, lines = hairy
    cleaned = remove_hair(picture, HairRemoval())
    on_skin = lines & (np.abs(skin.astype(int) - SKIN).max(axis=-1) < 15)
    darkness = (skin.astype(int) - picture)[on_skin].mean()
    left = np.abs(skin.astype(int) - cleaned)[on_skin].mean()
    assert darkness > 100
    assert left < 0.05 * darkness
    untouched = ~hair_mask(picture, HairRemoval())
    np.testing.assert_array_equal(cleaned[untouched], picture[untouched])


def test_the_lesion_itself_is_not_taken_for_hair(skin):
    assert hair_mask(skin, HairRemoval()).mean() < 0.01


def test_a_wider_hair_than_the_kernel_is_left_alone():
    picture = np.full((100, 100, 3), 200, np.uint8)
    picture[:, 40:56] = 20
    assert not hair_mask(picture, HairRemoval(kernel_px=9)).any()
    assert hair_mask(picture, HairRemoval(kernel_px=21)).sum() == 1600


def test_hair_options_out_of_range_are_refused():
    for fields in ({"kernel_px": 8}, {"threshold": 255}, {"inpaint_radius_px": 0}):
        with pytest.raises(ValidationError):
            HairRemoval(**fields)


def test_power_one_is_grey_world(skin):
    got = shades_of_grey(skin, ColourConstancy(power=1))
    means = skin.reshape(-1, 3).mean(axis=0)
    gain = np.linalg.norm(means) / (np.sqrt(3) * means)
    np.testing.assert_allclose(got, np.clip(np.rint(skin * gain), 0, 255), atol=1e-9)
    assert np.ptp(got.reshape(-1, 3).mean(axis=0)) < 1


@pytest.mark.parametrize("power", [1, 6, 100])
def test_a_neutral_image_keeps_its_colours(power):
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    np.testing.assert_array_equal(shades_of_grey(grey, ColourConstancy(power=power)), grey)


def test_a_coloured_light_is_taken_out(skin):
    lit = np.clip(skin * np.array([1.0, 0.7, 0.5]), 0, 255).astype(np.uint8)
    how = ColourConstancy()
    before = np.abs(skin.astype(int) - lit).mean()
    apart = shades_of_grey(skin, how).astype(int) - shades_of_grey(lit, how)
    ratio = shades_of_grey(lit, how).mean() / shades_of_grey(skin, how).mean()
    assert np.abs(shades_of_grey(skin, how) * ratio - shades_of_grey(lit, how)).mean() < 2
    assert np.abs(apart).mean() < before


def test_black_images_and_dead_channels_stay_as_they_are():
    black = np.zeros((8, 8, 3), np.uint8)
    np.testing.assert_array_equal(shades_of_grey(black, ColourConstancy()), black)
    red = black.copy()
    red[..., 0] = 90
    assert (shades_of_grey(red, ColourConstancy())[..., 1:] == 0).all()


def test_greyscale_is_luma_in_every_channel():
    got = to_greyscale(np.array([[[200, 100, 50]]], np.uint8))
    assert (got == round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)).all()


def test_drawn_skin_passes_without_a_warning(skin):
    verdict = judge(assess(skin))
    assert verdict.skin_like
    assert verdict.warnings == ()
    assert verdict.good


def test_each_fault_has_its_warning(skin):
    framed = np.zeros_like(skin)
    y, x = np.mgrid[:224, :224]
    within = np.hypot(x - 112, y - 112) < 90
    framed[within] = skin[within]
    burnt = skin.copy()
    burnt[:60] = 255
    faults = {
        "too few pixels": cv2.resize(skin, (100, 75), interpolation=cv2.INTER_AREA),
        "blurred": cv2.GaussianBlur(skin, (0, 0), 4),
        "burnt out": burnt,
        "too dark": (skin * 0.3).astype(np.uint8),
        "black frame": framed,
        "does not look like": skin[..., ::-1].copy(),
    }
    for words, picture in faults.items():
        assert any(words in warning for warning in judge(assess(picture)).warnings), words


def assessed_in_one_step(rgb):
    """Every measure of its own copy, shrunk at once: what the quick way has to come out at."""
    whole, square = shrunk(rgb, 128), shrunk(centre_square(rgb), 128)
    seen = cv2.cvtColor(shrunk(centre_square(rgb), 224), cv2.COLOR_RGB2GRAY)
    grey, dark = cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY), whole.max(axis=2) <= 40
    _, component = cv2.connectedComponents(dark.astype(np.uint8))
    edges = [component[0], component[-1], component[:, 0], component[:, -1]]
    frame = dark & np.isin(component, np.concatenate(edges))
    calm, lit = cv2.cvtColor(square, cv2.COLOR_RGB2GRAY), square[square.max(axis=2) > 40]
    slope = np.hypot(cv2.Sobel(calm, cv2.CV_64F, 1, 0), cv2.Sobel(calm, cv2.CV_64F, 0, 1))
    lab = cv2.cvtColor(lit[None], cv2.COLOR_RGB2LAB)[0] if len(lit) else np.zeros((1, 3))
    return Quality(
        square_px=float(seen.shape[0]),
        sharpness=float(cv2.Laplacian(seen, cv2.CV_64F).var()),
        brightness=float(np.median(grey[~frame])) if (~frame).any() else 0.0,
        overexposed_share=float((whole.min(axis=2) >= 250).mean()),
        black_frame_share=float(frame.mean()),
        busyness=float(slope.mean() + 2 * np.hypot(*lab[:, 1:].std(axis=0))),
        redness=float((lit[:, 0].astype(int) - lit[:, 1]).mean()) if len(lit) else 0.0,
    )


def photographs(skin):
    """Photographs of every kind that is told apart, and some in between."""
    rng = np.random.default_rng(0)
    return {
        "plain": skin,
        "turned": skin[:, ::-1, ::-1].copy(),
        "dark": skin // 4,
        "black": skin // 40,
        "bright": np.minimum(skin.astype(int) + 110, 255).astype(np.uint8),
        "blurred": cv2.GaussianBlur(skin, (0, 0), 4),
        "noise": rng.integers(0, 256, skin.shape, np.uint8),
        "half noise": rng.integers(0, 256, skin.shape, np.uint8) // 4,
        "framed": cv2.copyMakeBorder(skin, 60, 60, 60, 60, cv2.BORDER_CONSTANT),
    }


def test_every_measure_is_what_it_is_said_to_be(skin):
    for kind, picture in photographs(skin).items():
        for rgb in (picture[:224, :224], picture[:200, 3:203], picture[50:150, :100]):
            assert astuple(assess(rgb)) == pytest.approx(
                astuple(assessed_in_one_step(rgb)), rel=1e-6
            ), kind


@pytest.mark.parametrize("side", [130, 225, 447, 449, 640, 901, 1350])
def test_the_quick_way_of_judging_gives_the_verdicts_of_the_plain_one(skin, side):
    for kind, picture in photographs(skin).items():
        large = cv2.resize(picture, (side * 4 // 3, side), interpolation=cv2.INTER_CUBIC)
        bgr = np.ascontiguousarray(large[..., ::-1])
        ours, plain = assess(small_copy(bgr), seen_square(large)), assessed_in_one_step(large)
        assert judge(ours).warnings == judge(plain).warnings, kind
        assert astuple(ours) == pytest.approx(astuple(plain), rel=0.15, abs=0.5), kind


def test_the_square_that_the_network_sees_may_be_handed_in(skin):
    large = cv2.resize(skin, (600, 450), interpolation=cv2.INTER_CUBIC)
    spec = PreprocessSpec(size=SHARPNESS_PX)
    assert assess(large, spec.apply(large)) == assess(large)


def test_steepness_does_not_depend_on_where_in_memory_a_picture_lies(skin):
    grey = cv2.cvtColor(skin, cv2.COLOR_RGB2GRAY)
    first, sizes = steepness(grey), np.random.default_rng(0).integers(1, 200_000, 200)
    moved = []
    for size in sizes:  # OpenCV's results come to lie elsewhere each time
        moved = [*moved[-20:], np.empty(size, np.uint8)]
        np.testing.assert_array_equal(steepness(grey), first)
    across, down = (cv2.Sobel(grey, cv2.CV_64F, *axis) for axis in ((1, 0), (0, 1)))
    np.testing.assert_array_equal(first, np.hypot(across, down).astype(np.float32))


def test_a_dark_lesion_in_the_middle_is_no_black_frame(skin):
    picture = skin.copy()
    picture[80:140, 80:140] = 15
    assert assess(picture).black_frame_share == 0


def test_tiny_and_black_pictures_are_assessed_without_error():
    for shape in ((1, 1, 3), (3, 500, 3), (40, 2, 3)):
        assert judge(assess(np.zeros(shape, np.uint8))).warnings


@pytest.mark.real_data
def test_everyday_photographs_do_not_look_like_skin(shared_data: Path):
    for file in sorted((shared_data / "not_skin").iterdir()):
        assert not judge(assess(decode(file))).skin_like, file.name


@pytest.mark.real_data
def test_nearly_all_real_dermoscopic_images_look_like_skin(shared_data: Path):
    files = sorted((shared_data / "ham10000" / "images").iterdir())[::33]
    verdicts = [judge(assess(decode(file))) for file in files]
    assert np.mean([v.skin_like for v in verdicts]) > 0.97
    assert np.mean([not v.good for v in verdicts]) < 0.12
