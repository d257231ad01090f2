"""Hand-crafted features: those of the libraries they are defined by, on every image."""

from __future__ import annotations

from pathlib import Path

import cv2
import mahotas
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from pydantic import ValidationError

from lentigo.data.descriptors import describe_images
from lentigo.data.phantom import generate
from lentigo.image import decode
from lentigo.image.handcrafted import HARALICK, Descriptors, describe_image, haralick

ALL = Descriptors()


def agrees(grey: NDArray[np.uint8]) -> None:
    theirs = mahotas.features.haralick(grey, return_mean=True)
    ours = haralick(grey)
    scale = np.maximum(1, np.abs(theirs))
    # The last one is the root of a difference, which magnifies rounding where it is near 0.
    assert np.allclose(ours[:12] / scale[:12], theirs[:12] / scale[:12], rtol=0, atol=1e-9)
    assert np.isclose(ours[12] ** 2, theirs[12] ** 2, rtol=0, atol=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(2, 40), st.integers(2, 40)).flatmap(
        lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 255))
    )
)
def test_haralick_features_are_those_of_mahotas(grey: NDArray[np.uint8]) -> None:
    agrees(grey)


@pytest.mark.parametrize("level", [0, 1, 255])
def test_an_even_image_has_the_features_of_mahotas(level: int) -> None:
    agrees(np.full((20, 30), level, np.uint8))


def test_phantoms_have_the_features_of_mahotas(tmp_path: Path) -> None:
    generate(tmp_path, lesions=21, size=96, seed=0)
    files = sorted((tmp_path / "images").iterdir())[:20]
    for file in files:
        agrees(cv2.cvtColor(decode(file.read_bytes()), cv2.COLOR_RGB2GRAY))


@pytest.mark.real_data
def test_real_images_have_the_features_of_mahotas(shared_data: Path) -> None:
    files = sorted((shared_data / "ham10000" / "images").iterdir())[::200]
    assert len(files) > 20
    for file in files:
        agrees(cv2.cvtColor(decode(file.read_bytes()), cv2.COLOR_RGB2GRAY))


def images(count: int, size: int = 40) -> NDArray[np.uint8]:
    random = np.random.default_rng(count)
    blocks = random.integers(0, 256, (count, 5, 5, 3), np.uint8)
    return np.stack([cv2.resize(each, (size, size)) for each in blocks])


def test_names_stand_in_the_order_of_the_vector() -> None:
    image = images(1)[0]
    vector = dict(zip(ALL.names, describe_image(image, ALL), strict=True))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    moments = cv2.HuMoments(cv2.moments(grey)).ravel()
    assert [vector[f"hu.{i}"] for i in range(1, 8)] == moments.tolist()
    assert [vector[f"haralick.{name}"] for name in HARALICK] == haralick(grey).tolist()
    assert len(vector) == 7 + 13 + 8**3


def test_the_histogram_counts_every_pixel_in_its_cell_of_hue_saturation_and_value() -> None:
    image = np.zeros((4, 10, 3), np.uint8)
    image[:, :4] = (255, 0, 0)  # red: hue 0, full saturation and value
    image[:, 4:7] = (0, 0, 255)  # blue: hue 120 of 180
    which = Descriptors(hu=False, haralick=False)
    vector = dict(zip(which.names, describe_image(image, which), strict=True))
    held = {name: share for name, share in vector.items() if share}
    wanted = {"histogram.0.7.7": 0.4, "histogram.5.7.7": 0.3, "histogram.0.0.0": 0.3}
    assert held == pytest.approx(wanted)


def test_fewer_grey_levels_are_another_feature_and_only_of_texture() -> None:
    image = images(1)[0]
    coarse = Descriptors(grey_levels=32)
    fine, rough = describe_image(image, ALL), describe_image(image, coarse)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    assert np.array_equal(rough[7:20], haralick(grey // 8))
    assert not np.allclose(fine[7:20], rough[7:20])
    assert np.array_equal(np.delete(fine, range(7, 20)), np.delete(rough, range(7, 20)))


@pytest.mark.parametrize("wrong", [{"grey_levels": 100}, {"histogram_bins": 17}, {"hue": True}])
def test_descriptors_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Descriptors.model_validate(wrong)


def test_processes_give_what_one_gives_in_the_order_of_the_rows() -> None:
    some, told = images(60, 20), []
    rows = np.random.default_rng(0).integers(0, 60, 1100)
    alone = describe_images(some, rows, ALL)
    many = describe_images(some, rows, ALL, workers=2, progress=lambda *d: told.append(d))
    assert np.array_equal(alone, many)
    assert np.array_equal(alone[3], describe_image(some[rows[3]], ALL))
    assert told[-1] == (1100, 1100)
