"""Augmentation: one affine resampling and one colour map, repeatable from its key."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from lentigo.model import BOX, PARAMETERS, SHARE, SHARPNESS, Augment, augment, draw_parameters, mix
from lentigo.model.augmentation import AFFINE, FRAME
from lentigo.recipe import Augmentation

FULL = Augmentation(
    rotation_deg=180,
    shift=0.1,
    shear=0.1,
    zoom=(0.8, 1.2),
    flip_horizontal=True,
    flip_vertical=True,
    brightness=0.1,
    contrast=(0.7, 1.3),
    saturation=(0.5, 1.5),
    hue=0.1,
    channel_shift=0.05,
)


@pytest.fixture
def images() -> NDArray[np.uint8]:
    smooth = np.add.outer(np.arange(48), np.arange(48))[None, :, :, None]
    offsets = np.array([20, 60, 100])
    return np.clip(smooth + offsets, 0, 255).astype(np.uint8).repeat(6, axis=0)


def test_no_augmentation_changes_nothing(images: NDArray[np.uint8]) -> None:
    assert Augmentation().changes_nothing
    assert not FULL.changes_nothing
    np.testing.assert_array_equal(augment(images, Augmentation(), (0, 0)), images)


def test_the_same_key_repeats_and_another_differs(images: NDArray[np.uint8]) -> None:
    first = augment(images, FULL, (1, 2))
    np.testing.assert_array_equal(first, augment(images, FULL, (1, 2)))
    assert (first != augment(images, FULL, (1, 3))).mean() > 0.5


def test_images_of_one_batch_are_changed_differently(images: NDArray[np.uint8]) -> None:
    changed = augment(images, FULL, (0, 0))
    assert (changed[0] != changed[1]).mean() > 0.5


def test_a_flip_alone_is_exact(images: NDArray[np.uint8]) -> None:
    changed = augment(images, Augmentation(flip_horizontal=True), (0, 5))
    same = (changed == images).all(axis=(1, 2, 3))
    mirrored = (changed == images[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert same.any()
    assert mirrored.any()


@pytest.mark.parametrize("fill", ["constant", "nearest", "reflect"])
def test_fill_decides_what_lies_outside(fill: str) -> None:
    white = np.full((8, 32, 32, 3), 255, np.uint8)
    changed = augment(white, Augmentation(shift=0.5, fill=fill, fill_value=7), (0, 0))
    assert (changed == 7).any() == (fill == "constant")


def test_brightness_adds_the_same_to_every_pixel(images: NDArray[np.uint8]) -> None:
    changed = augment(images, Augmentation(brightness=0.05), (0, 0)).astype(int)
    for difference in changed - images:
        assert np.ptp(difference[images[0] < 230]) <= 1
        assert abs(difference[0, 0, 0]) <= 13


def test_contrast_keeps_the_mean_of_each_channel(images: NDArray[np.uint8]) -> None:
    changed = augment(images, Augmentation(contrast=(0.5, 0.9)), (0, 0))
    before, after = images.mean(axis=(1, 2)), changed.mean(axis=(1, 2))
    np.testing.assert_allclose(after, before, atol=0.6)
    assert (changed.std(axis=(1, 2)) < images.std(axis=(1, 2))).all()


def test_saturation_0_gives_luma_and_keeps_grey(images: NDArray[np.uint8]) -> None:
    changed = augment(images, Augmentation(saturation=(0, 0)), (0, 0)).astype(int)
    assert np.ptp(changed, axis=-1).max() <= 1
    luma = images @ np.array([0.299, 0.587, 0.114])
    assert np.abs(changed[..., 0] - luma).max() <= 1.5
    grey = np.full((2, 8, 8, 3), 90, np.uint8)
    turned = augment(grey, Augmentation(hue=0.5, saturation=(0.2, 2)), (0, 0))
    assert np.abs(turned.astype(int) - 90).max() <= 1


def test_parameters_have_one_row_an_image_and_are_float32() -> None:
    parameters = draw_parameters(FULL, 32, 5, (0, 0))
    assert parameters.shape == (5, PARAMETERS)
    assert parameters.dtype == np.float32


def test_mixup_lays_every_image_over_the_one_before_it_and_their_labels_likewise() -> None:
    mixing = Augmentation(mixup=0.4)
    parameters = draw_parameters(mixing, 8, 5, (3, 1))
    share = parameters[:, SHARE]
    assert ((share >= 0.5) & (share <= 1)).all()
    assert len(set(share.tolist())) == 5
    images = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3)).astype(np.float32)
    mixed = np.asarray(Augment(mixing)(images, parameters))
    for i in range(5):
        wanted = share[i] * images[i] + (1 - share[i]) * images[i - 1]
        np.testing.assert_allclose(mixed[i], wanted, rtol=1e-5, atol=1e-3)
    labels = mix(np.eye(5, dtype=np.float32), share)
    np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.diag(labels), share)
    np.testing.assert_array_equal(mix(share, np.ones(5, np.float32)), share)


def test_cutmix_pastes_a_box_of_the_image_before_and_labels_follow_the_areas() -> None:
    cutting = Augmentation(cutmix=1.0)
    parameters = draw_parameters(cutting, 16, 40, (3, 1))
    images = np.arange(40, dtype=np.float32)[:, None, None, None] + np.zeros((1, 16, 16, 3), "f4")
    cut = np.asarray(Augment(cutting)(images, parameters))
    own = cut == images
    assert (own | (cut == np.roll(images, 1, axis=0))).all()
    np.testing.assert_allclose(own.mean(axis=(1, 2, 3)), parameters[:, SHARE], atol=1e-6)
    assert len(set(parameters[:, SHARE].tolist())) > 20
    for foreign in ~own[..., 0]:
        rows, columns = foreign.any(axis=1), foreign.any(axis=0)
        np.testing.assert_array_equal(foreign, rows[:, None] & columns)
        for line in (rows, columns):
            assert np.abs(np.diff(line.astype(int))).sum() <= 2
    whole = parameters.copy()
    whole[:, BOX:] = 0
    np.testing.assert_array_equal(np.asarray(Augment(cutting)(images, whole)), images)


def test_options_that_came_later_leave_the_other_draws_as_they_were() -> None:
    plain = draw_parameters(FULL, 8, 4, (0, 0))
    cut = draw_parameters(FULL.model_copy(update={"cutmix": 1.0}), 8, 4, (0, 0))
    np.testing.assert_array_equal(cut[:, :SHARE], plain[:, :SHARE])
    np.testing.assert_array_equal(cut[:, SHARE + 1 : BOX], plain[:, SHARE + 1 : BOX])
    assert (plain[:, BOX:] == 0).all()


def test_without_mixup_a_share_of_one_leaves_the_other_draws_as_they_were() -> None:
    plain, mixing = draw_parameters(FULL, 8, 4, (0, 0)), FULL.model_copy(update={"mixup": 0.2})
    assert (plain[:, SHARE] == 1).all()
    np.testing.assert_array_equal(
        draw_parameters(mixing, 8, 4, (0, 0))[:, :SHARE], plain[:, :SHARE]
    )


def test_sharpness_blurs_below_1_and_sharpens_above(images: NDArray[np.uint8]) -> None:
    spot = np.full((2, 16, 16, 3), 100, np.uint8)
    spot[:, 8, 8] = 200
    blurred = augment(spot, Augmentation(sharpness=(0, 0)), (0, 0)).astype(int)
    # The binomial of 5 x 5 keeps 36/256 of a point in place and 24/256 beside it.
    assert (blurred[:, 8, 8] == 114).all()
    assert (blurred[:, 8, 9] == 109).all()
    sharper = augment(spot, Augmentation(sharpness=(1.5, 1.5)), (0, 0)).astype(int)
    assert (sharper[:, 8, 8] == 243).all()
    flat = augment(np.full((1, 16, 16, 3), 9, np.uint8), Augmentation(sharpness=(0, 3)), (0, 0))
    assert (flat == 9).all()


def test_a_range_of_sharpness_draws_one_for_each_image_and_moves_no_other_draw() -> None:
    ranged = FULL.model_copy(update={"sharpness": (0.2, 1.8)})
    drawn, plain = draw_parameters(ranged, 8, 6, (0, 0)), draw_parameters(FULL, 8, 6, (0, 0))
    assert len(set(drawn[:, SHARPNESS].tolist())) == 6
    assert ((drawn[:, SHARPNESS] >= 0.2) & (drawn[:, SHARPNESS] <= 1.8)).all()
    np.testing.assert_array_equal(drawn[:, :SHARPNESS], plain[:, :SHARPNESS])


def test_white_balance_multiplies_each_channel_by_a_factor_of_its_own() -> None:
    grey = np.full((4, 8, 8, 3), 100, np.uint8)
    tinted = augment(grey, Augmentation(white_balance=0.2), (0, 0)).astype(float)
    assert (tinted == tinted[:, :1, :1]).all()
    factors = np.log(tinted[:, 0, 0] / 100)
    assert (np.abs(factors) <= 0.21).all()
    assert (np.ptp(factors, axis=1) > 0).all()


def test_a_frame_blackens_the_corners_and_leaves_the_middle() -> None:
    bright = np.full((40, 32, 32, 3), 200, np.uint8)
    framed = augment(bright, Augmentation(frame=1.0), (0, 0))
    assert (framed[:, 0, 0] == 0).all()
    assert (framed[:, 15:17, 15:17] == 200).all()
    some = augment(bright, Augmentation(frame=0.3), (0, 0))
    assert 0 < (some[:, 0, 0, 0] == 0).sum() < 40
    untouched = some[some[:, 0, 0, 0] != 0]
    assert (untouched == 200).all()


def test_frame_and_white_balance_move_no_other_draw() -> None:
    more = FULL.model_copy(update={"frame": 0.5, "white_balance": 0.3})
    drawn, plain = draw_parameters(more, 8, 6, (0, 0)), draw_parameters(FULL, 8, 6, (0, 0))
    np.testing.assert_array_equal(drawn[:, :AFFINE], plain[:, :AFFINE])
    np.testing.assert_array_equal(drawn[:, AFFINE + 9 : FRAME], plain[:, AFFINE + 9 : FRAME])
