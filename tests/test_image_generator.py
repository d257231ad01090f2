"""Published ranges mean what the named library meant: held against ImageDataGenerator itself."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import keras
import numpy as np
import pytest
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from pydantic import ValidationError

from lentigo.image.generator import draw_generator, generated
from lentigo.model import Augment, draw_parameters
from lentigo.recipe import Augmentation, GeneratorRanges, parse_recipe, to_toml

SIZE = 48
GUNTARA = {
    "rotation_range": 25.0,
    "width_shift_range": 0.1,
    "height_shift_range": 0.1,
    "shear_range": 0.2,
    "zoom_range": 0.2,
    "brightness_range": (0.5, 1.5),
    "channel_shift_range": 0.05,
}
CASES = {
    "rotation": {"rotation_range": 40.0},
    "width shift": {"width_shift_range": 0.2},
    "height shift": {"height_shift_range": 0.2},
    "shear in degrees": {"shear_range": 30.0},
    "zoom": {"zoom_range": 0.3},
    "flips": {"horizontal_flip": True, "vertical_flip": True},
    "brightness factor": {"brightness_range": (0.5, 1.5)},
    "channel shift in pixel values": {"channel_shift_range": 60.0},
    "guntara2024": GUNTARA,
    "everything": GUNTARA
    | {"shear_range": 20.0, "channel_shift_range": 40.0, "horizontal_flip": True},
}


def known_images(count: int) -> np.ndarray[Any, Any]:
    """Smooth images without any symmetry, inside [20, 230]."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    waves = [np.sin(2 * np.pi * (x * a + y * b * b)) for a, b in ((1, 0.7), (0.4, 1.2), (0.9, 1))]
    picture = 125 + 105 * np.stack(waves, axis=-1)
    return np.stack([np.roll(picture, 3 * i, axis=1) for i in range(count)])


def by_the_library(images, ranges, draws):
    generator = ImageDataGenerator(fill_mode="nearest", data_format="channels_last")
    made = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its namespace of scipy is old
        for place, image in enumerate(images):
            chosen = {k: v[place] for k, v in dataclasses.asdict(draws).items()}
            if ranges.brightness_range is None:
                chosen["brightness"] = None
            if not ranges.channel_shift_range:
                chosen["channel_shift_intensity"] = None
            made.append(generator.apply_transform(image.astype(np.float32), chosen))
    return np.stack(made)


@pytest.mark.parametrize("case", CASES)
def test_each_range_means_what_the_library_meant(case: str) -> None:
    count, key = 12, (3, 1)
    ranges = GeneratorRanges.model_validate(CASES[case])
    augmentation = Augmentation(fill="nearest", image_data_generator=ranges)
    images = known_images(count)
    draws = draw_generator(ranges, SIZE, count, np.random.default_rng(key))
    theirs = by_the_library(images, ranges, draws)
    parameters = draw_parameters(augmentation, SIZE, count, key)
    layer = Augment(augmentation)
    ours = keras.ops.convert_to_numpy(layer(images.astype(np.float32), parameters))
    # The library goes through whole grey levels where it changes brightness.
    tolerance = 2.6 if ranges.brightness_range else 0.1
    assert np.abs(ours - theirs).max() < tolerance
    assert np.abs(ours - images).max() > 5


@pytest.mark.parametrize("case", CASES)
def test_an_image_drawn_offline_is_the_one_the_library_draws(case: str) -> None:
    ranges = GeneratorRanges.model_validate(CASES[case])
    images = np.rint(known_images(6)).astype(np.uint8)
    for place, image in enumerate(images):
        draws = draw_generator(ranges, SIZE, 1, np.random.default_rng((place, 7)))
        theirs = by_the_library(image[None], ranges, draws)[0]
        ours = generated(image, ranges, "nearest", (place, 7)).astype(float)
        # OpenCV places pixels to 1/32; the library cuts off what is no whole grey level.
        assert np.abs(ours - theirs).max() < 4
        assert np.abs(ours - theirs).mean() < 1.5


def test_the_published_shear_and_channel_shift_are_next_to_nothing() -> None:
    ranges = GeneratorRanges(shear_range=0.2, channel_shift_range=0.05)
    augmentation = Augmentation(fill="nearest", image_data_generator=ranges)
    images = known_images(4)
    parameters = draw_parameters(augmentation, SIZE, 4, (0,))
    ours = keras.ops.convert_to_numpy(Augment(augmentation)(images.astype(np.float32), parameters))
    assert np.abs(ours - images).mean() < 1


def test_draws_stay_in_the_stated_ranges_and_reach_their_ends() -> None:
    ranges = GeneratorRanges.model_validate(GUNTARA)
    draws = draw_generator(ranges, 100, 4000, np.random.default_rng(0))
    for values, low, high in (
        (draws.theta, -25, 25),
        (draws.tx, -10, 10),
        (draws.shear, -0.2, 0.2),
        (draws.zx, 0.8, 1.2),
        (draws.brightness, 0.5, 1.5),
        (draws.channel_shift_intensity, -0.05, 0.05),
    ):
        assert values.min() == pytest.approx(low, abs=0.01 * (high - low))
        assert values.max() == pytest.approx(high, abs=0.01 * (high - low))
        assert ((values >= low) & (values <= high)).all()
    assert np.corrcoef(draws.zx, draws.zy)[0, 1] < 0.1


def test_the_two_languages_are_not_mixed() -> None:
    with pytest.raises(ValidationError, match="in place of rotation_deg"):
        Augmentation(rotation_deg=5, image_data_generator=GeneratorRanges())


def test_a_recipe_with_library_ranges_reads_back_from_toml() -> None:
    recipe = parse_recipe(
        'name = "a"\ntitle = "b"\n[augmentation]\nfill = "nearest"\n'
        "[augmentation.image_data_generator]\nshear_range = 0.2\nbrightness_range = [0.5, 1.5]\n"
        '[[stages]]\nname = "s"\nepochs = 1\n',
        "here",
    )
    assert parse_recipe(to_toml(recipe), "again") == recipe
