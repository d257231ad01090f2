"""The one preprocessing of training and serving is deterministic and does what it states."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lentigo.errors import ImageError
from lentigo.image import (
    ColourConstancy,
    HairRemoval,
    PreprocessSpec,
    decode,
    preprocess,
    remove_hair,
    to_greyscale,
)
from lentigo.image.area import shrink


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def smooth(height: int, width: int) -> np.ndarray:
    """Detail of a few dozen pixels, as a photograph of skin has it."""
    small = noise(height // 40 + 2, width // 40 + 2, seed=4)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def test_the_right_size_is_not_resampled():
    rgb = noise(224, 224)
    got = PreprocessSpec().apply(rgb)
    np.testing.assert_array_equal(got, rgb)
    assert not np.shares_memory(got, rgb)


def test_the_centre_square_is_cropped_without_resampling():
    rgb = noise(64, 101)
    np.testing.assert_array_equal(PreprocessSpec(size=64).apply(rgb), rgb[:, 18:82])
    np.testing.assert_array_equal(
        PreprocessSpec(size=64).apply(rgb.swapaxes(0, 1)), rgb[:, 18:82].swapaxes(0, 1)
    )


def test_shrinking_by_a_whole_factor_is_the_mean_of_each_block():
    rgb = noise(128, 128)
    got = PreprocessSpec(size=32).apply(rgb)
    mean = rgb.reshape(32, 4, 32, 4, 3).mean(axis=(1, 3))
    assert np.abs(got - mean).max() <= 0.51


@settings(max_examples=100, deadline=None)
@given(
    high=st.integers(1, 600),
    wide=st.integers(1, 600),
    down=st.floats(0.01, 1),
    across=st.floats(0.01, 1),
    seed=st.integers(0, 9),
)
def test_shrinking_gives_opencvs_bytes(high, wide, down, across, seed):
    rgb = noise(high, wide + 2, seed)[:, 1:-1]
    to = max(1, round(wide * across)), max(1, round(high * down))
    expected = cv2.resize(rgb, to, interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(shrink(rgb, *to), expected)


@pytest.mark.parametrize(("wide", "high"), [(600, 450), (300, 225), (224, 224), (448, 900)])
@pytest.mark.parametrize("size", [75, 112, 128, 150, 160, 224, 225])
def test_shrinking_photographs_gives_opencvs_bytes(wide, high, size):
    rgb, to = smooth(high, wide), (min(size, wide), min(size, high))
    expected = cv2.resize(rgb, to, interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(shrink(rgb, *to), expected)


def test_enlarging_is_linear():
    ramp = np.repeat(np.arange(0, 160, 10, dtype=np.uint8)[None, :, None], 16, axis=0)
    got = PreprocessSpec(size=32).apply(np.repeat(ramp, 3, axis=2))
    # Between the outer pixel centres a linear ramp stays one: half the step at twice the size.
    np.testing.assert_allclose(got[5, 1:31, 0], np.arange(30) * 5 + 2.5, atol=0.51)


def test_the_whole_frame_is_squeezed_when_nothing_is_cropped():
    rgb = np.zeros((60, 120, 3), np.uint8)
    rgb[:, 60:] = 200
    got = PreprocessSpec(size=60, crop="none").apply(rgb)
    assert (got[:, :30] == 0).all()
    assert (got[:, 30:] == 200).all()


def test_an_axis_that_grows_while_the_other_shrinks_stays_in_range():
    got = PreprocessSpec(size=64, crop="none").apply(noise(20, 300))
    assert got.shape == (64, 64, 3)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    level=st.integers(0, 255),
    crop=st.sampled_from(["center-square", "none"]),
    hair=st.booleans(),
)
def test_a_constant_image_stays_constant(height, width, level, crop, hair):
    spec = PreprocessSpec(size=32, crop=crop, hair_removal=HairRemoval() if hair else None)
    got = spec.apply(np.full((height, width, 3), level, np.uint8))
    assert got.shape == (32, 32, 3)
    assert (got == level).all()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"crop": "none"},
        {"hair_removal": HairRemoval()},
        {"colour_constancy": ColourConstancy()},
        {"greyscale": True},
        {"first_size": 48, "hair_removal": HairRemoval()},
    ],
)
def test_preprocessing_a_file_equals_decoding_and_applying(tmp_path, options):
    spec = PreprocessSpec(size=32, **options)
    path = tmp_path / "large.jpg"
    cv2.imwrite(str(path), smooth(500, 640))
    got = preprocess(path, spec)
    np.testing.assert_array_equal(got, spec.apply(spec.decode(path)))
    np.testing.assert_array_equal(got, preprocess(path.read_bytes(), spec))
    whole = spec.model_copy(update={"reduce": False})
    np.testing.assert_array_equal(preprocess(path, whole), spec.apply(decode(path)))


def test_only_jpegs_much_larger_than_needed_are_reduced():
    spec = PreprocessSpec(size=32)
    large = cv2.imencode(".jpg", smooth(520, 520))[1].tobytes()
    assert spec.decode(large).shape == (65, 65, 3)
    by_way = spec.model_copy(update={"first_size": 64})
    assert by_way.decode(large).shape == (130, 130, 3)
    assert spec.decode(cv2.imencode(".jpg", smooth(127, 127))[1].tobytes()).shape[0] == 127
    assert spec.decode(cv2.imencode(".png", smooth(520, 520))[1].tobytes()).shape[0] == 520
    assert spec.model_copy(update={"reduce": False}).decode(large).shape[0] == 520


@pytest.mark.parametrize("side", [900, 1300, 1800])
def test_reduced_decoding_changes_pixels_by_less_than_a_level_on_average(side):
    file = cv2.imencode(".jpg", smooth(side, side), [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
    full = preprocess(file, PreprocessSpec(reduce=False)).astype(int)
    difference = np.abs(preprocess(file, PreprocessSpec()) - full)
    assert difference.mean() < 0.6
    assert np.percentile(difference, 99) <= 4


def test_hair_then_colour_then_greyscale():
    spec = PreprocessSpec(size=64, hair_removal=HairRemoval(), colour_constancy=ColourConstancy())
    rgb = smooth(64, 64)
    grey = spec.model_copy(update={"greyscale": True}).apply(rgb)
    np.testing.assert_array_equal(grey, to_greyscale(spec.apply(rgb)))


def test_by_way_of_a_first_square_hair_and_colour_are_worked_on_there() -> None:
    rgb = smooth(500, 640)
    cv2.line(rgb, (40, 10), (600, 480), (20, 15, 10), 7)
    first = cv2.resize(rgb, (256, 256), interpolation=cv2.INTER_AREA)
    hairless = to_greyscale(remove_hair(first, HairRemoval()))
    wanted = cv2.resize(hairless, (224, 224), interpolation=cv2.INTER_AREA)
    spec = PreprocessSpec(first_size=256, crop="none", hair_removal=HairRemoval(), greyscale=True)
    np.testing.assert_array_equal(spec.apply(rgb), wanted)
    at_once = spec.model_copy(update={"first_size": None})
    assert (at_once.apply(rgb) != wanted).any()


def test_a_spec_without_a_first_square_is_written_as_before_there_was_one() -> None:
    assert PreprocessSpec().digest == (
        "124be71205c1b19115f408927459458cb0777794a268b085a59dc5a7e25fadcc"
    )


def test_transparency_takes_the_background_of_the_spec():
    rgba = np.zeros((32, 32, 4), np.uint8)
    file = cv2.imencode(".png", rgba)[1].tobytes()
    got = preprocess(file, PreprocessSpec(size=32, background=(1, 2, 3)))
    assert (got == [1, 2, 3]).all()


def test_the_digest_depends_on_every_field_and_survives_json():
    specs = [
        PreprocessSpec(),
        PreprocessSpec(size=128),
        PreprocessSpec(first_size=256),
        PreprocessSpec(crop="none"),
        PreprocessSpec(hair_removal=HairRemoval()),
        PreprocessSpec(hair_removal=HairRemoval(kernel_px=9)),
        PreprocessSpec(colour_constancy=ColourConstancy()),
        PreprocessSpec(greyscale=True),
        PreprocessSpec(background=(0, 0, 0)),
        PreprocessSpec(reduce=False),
    ]
    assert len({spec.digest for spec in specs}) == len(specs)
    for spec in specs:
        again = PreprocessSpec.model_validate_json(spec.model_dump_json())
        assert again == spec
        assert again.digest == spec.digest


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 8},
        {"first_size": 8},
        {"crop": "left"},
        {"background": (0, 0, 256)},
        {"version": 2},
        {"sise": 224},
    ],
)
def test_a_spec_out_of_range_is_refused(fields):
    with pytest.raises(ValidationError):
        PreprocessSpec(**fields)


def test_a_spec_cannot_be_changed():
    with pytest.raises(ValidationError):
        PreprocessSpec().size = 10


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)])
def test_an_array_of_another_form_is_refused(wrong):
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8"):
        PreprocessSpec().apply(wrong)


def test_an_unreadable_file_is_refused_by_name(tmp_path):
    with pytest.raises(ImageError, match=r"no\.jpg"):
        preprocess(tmp_path / "no.jpg", PreprocessSpec())


@pytest.mark.real_data
def test_real_crops_pass_through_untouched(shared_data: Path):
    file = min((shared_data / "ham10000_224" / "images").iterdir())
    np.testing.assert_array_equal(preprocess(file, PreprocessSpec()), decode(file))
