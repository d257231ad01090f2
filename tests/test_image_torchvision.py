"""Ranges of torchvision mean what its transforms do, which are written out here on Pillow.

torchvision itself hands images to Pillow; the formulas between are those of its 0.20
(``transforms/functional.py``: ``_get_inverse_affine_matrix``, ``affine``;
``transforms/_functional_pil.py``; ``transforms/transforms.py``: ``RandomAffine.get_params``,
``ColorJitter.forward``).
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from pydantic import ValidationError

from lentigo.image.torchvision import TorchvisionDraws, TorchvisionRanges, draw_torchvision
from lentigo.model import Augment, draw_parameters
from lentigo.papers.paper import read_paper
from lentigo.recipe import Augmentation, GeneratorRanges, parse_recipe, to_toml

SIZE = 64
CASES = {
    "rotation": {"degrees": 40.0},
    "shift": {"translate": (0.2, 0.1)},
    "magnification": {"scale": (0.7, 1.4)},
    "shear": {"shear": 25.0},
    "flips": {"horizontal_flip": 0.5, "vertical_flip": 0.5},
    "brightness": {"brightness": 0.6},
    "contrast": {"contrast": 0.8},
    "saturation": {"saturation": (0.2, 1.9)},
    "all colours": {"brightness": 0.6, "contrast": 0.8, "saturation": 0.9},
    "everything": {
        "degrees": 30.0,
        "translate": (0.1, 0.1),
        "scale": (0.9, 1.3),
        "shear": 10.0,
        "horizontal_flip": 0.5,
        "vertical_flip": 0.5,
        "brightness": 0.4,
        "contrast": 0.4,
        "saturation": 0.4,
    },
}


def known_images(count: int) -> np.ndarray[Any, Any]:
    """Smooth images without any symmetry, whole grey levels in [5, 250]."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] / SIZE
    waves = [np.sin(2 * np.pi * (x * a + y * b * b)) for a, b in ((1, 0.7), (0.4, 1.2), (0.9, 1))]
    picture = 127.5 + 122 * np.stack(waves, axis=-1)
    return np.rint(np.stack([np.roll(picture, 5 * i, axis=1) for i in range(count)]))


def inverse_affine_matrix(
    center: float, angle: float, translate: tuple[float, float], scale: float, shear: float
) -> list[float]:
    """``_get_inverse_affine_matrix`` with a shear along x only."""
    rot, sx, sy = math.radians(angle), math.radians(shear), 0.0
    a = math.cos(rot - sy) / math.cos(sy)
    b = -math.cos(rot - sy) * math.tan(sx) / math.cos(sy) - math.sin(rot)
    c = math.sin(rot - sy) / math.cos(sy)
    d = -math.sin(rot - sy) * math.tan(sx) / math.cos(sy) + math.cos(rot)
    matrix = [each / scale for each in (d, -b, 0.0, -c, a, 0.0)]
    matrix[2] += matrix[0] * (-center - translate[0]) + matrix[1] * (-center - translate[1])
    matrix[5] += matrix[3] * (-center - translate[0]) + matrix[4] * (-center - translate[1])
    matrix[2] += center
    matrix[5] += center
    return matrix


def by_the_library(image: np.ndarray[Any, Any], draws: TorchvisionDraws, place: int) -> Any:
    """Flips, ``RandomAffine``, ``ColorJitter`` of one image; and what is not at its old border."""
    picture = Image.fromarray(image.astype(np.uint8))
    inside = Image.new("L", picture.size, 255)
    matrix = inverse_affine_matrix(
        SIZE * 0.5,
        draws.angle[place],
        (draws.translate_x[place], draws.translate_y[place]),
        draws.scale[place],
        draws.shear_x[place],
    )
    if draws.mirror_x[place]:
        picture = ImageOps.mirror(picture)
    if draws.mirror_y[place]:
        picture = ImageOps.flip(picture)
    moved = Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    picture = picture.transform(picture.size, *moved)
    inside = ImageOps.expand(inside.transform(picture.size, *moved), 2)
    inside = ImageOps.crop(inside.filter(ImageFilter.MinFilter(5)), 2)
    changes = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)
    for number in draws.order[place]:
        picture = changes[number](picture).enhance(draws.factor[place, number])
    return np.asarray(picture, np.float32), np.asarray(inside) == 255


@pytest.mark.parametrize("case", CASES)
def test_each_range_means_what_the_transforms_do(case: str) -> None:
    count, key = 12, (3, 1)
    ranges = TorchvisionRanges.model_validate(CASES[case])
    augmentation = Augmentation(fill="constant", torchvision=ranges)
    images = known_images(count)
    draws = draw_torchvision(ranges, SIZE, count, np.random.default_rng(key))
    parameters = draw_parameters(augmentation, SIZE, count, key)
    ours = keras.ops.convert_to_numpy(Augment(augmentation)(images.astype(np.float32), parameters))
    for place in range(count):
        theirs, inside = by_the_library(images[place], draws, place)
        apart = np.abs(ours[place] - theirs)[inside]
        # Pillow cuts off what is no whole grey level after each step, and the next enlarges it.
        assert apart.max() < (6.5 if ranges.colours else 1.1)
        assert apart.mean() < 2.5
        assert inside.mean() > 0.3
    assert np.abs(ours - images).max() > 20


def test_colours_that_leave_the_range_are_cut_in_the_order_that_was_drawn() -> None:
    bright = np.full((1, 8, 8, 3), (250.0, 200.0, 40.0), np.float32)
    bright[:, 4:] = (10.0, 30.0, 90.0)
    augmentation = Augmentation(
        torchvision=TorchvisionRanges(brightness=(2, 2), contrast=(0.5, 0.5))
    )
    found = {}
    for seed in range(20):
        parameters = draw_parameters(augmentation, 8, 1, (seed,))
        draws = draw_torchvision(augmentation.torchvision, 8, 1, np.random.default_rng((seed,)))
        ours = keras.ops.convert_to_numpy(Augment(augmentation)(bright, parameters))[0, 0, 0]
        first = next(each for each in draws.order[0] if each != 2)
        found.setdefault(int(first), []).append(tuple(ours.tolist()))
    assert set(found) == {0, 1}
    assert all(len(set(each)) == 1 for each in found.values())
    assert found[0][0] != found[1][0]


def test_draws_stay_in_the_stated_ranges_and_reach_their_ends() -> None:
    ranges = TorchvisionRanges.model_validate(CASES["everything"] | {"brightness": 1.5})
    draws = draw_torchvision(ranges, 100, 4000, np.random.default_rng(0))
    for values, low, high in (
        (draws.angle, -30, 30),
        (draws.translate_x, -10, 10),
        (draws.scale, 0.9, 1.3),
        (draws.shear_x, -10, 10),
        (draws.factor[:, 0], 0, 2.5),
        (draws.factor[:, 1], 0.6, 1.4),
        (draws.mirror_x.mean(keepdims=True), 0.48, 0.52),
    ):
        assert ((values >= low) & (values <= high)).all()
        if len(values) > 1:
            assert np.ptp(values) > 0.99 * (high - low)
    assert (draws.translate_x == np.rint(draws.translate_x)).all()
    assert (np.sort(draws.order) == np.arange(3)).all()
    assert len(np.unique(draws.order, axis=0)) == 6


def test_no_range_changes_nothing() -> None:
    augmentation = Augmentation(torchvision=TorchvisionRanges())
    images = known_images(3).astype(np.float32)
    same = Augment(augmentation)(images, draw_parameters(augmentation, SIZE, 3, (0,)))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(same), images)


def test_one_language_at_a_time() -> None:
    with pytest.raises(ValidationError, match="torchvision stands in place of brightness"):
        Augmentation(brightness=0.1, torchvision=TorchvisionRanges())
    with pytest.raises(ValidationError, match="in place of torchvision"):
        Augmentation(image_data_generator=GeneratorRanges(), torchvision=TorchvisionRanges())
    with pytest.raises(ValidationError, match="contrast must rise"):
        TorchvisionRanges(contrast=(1.2, 0.8))


def test_the_paper_that_used_pytorch_is_trained_in_its_terms_and_reads_back() -> None:
    stated = Augmentation.model_validate(read_paper("agarwal2025").recipe["augmentation"])
    assert stated.torchvision is not None
    assert stated.torchvision.moves
    assert stated.torchvision.colours
    recipe = parse_recipe(
        'name = "a"\ntitle = "b"\n[augmentation.torchvision]\nbrightness = 0.1\n'
        "contrast = [0.9, 1.1]\ndegrees = 15\n[[stages]]\nepochs = 1\n",
        "here",
    )
    assert parse_recipe(to_toml(recipe), "again") == recipe


def test_a_recipe_without_it_keeps_the_digest_that_it_had() -> None:
    plain = parse_recipe('name = "a"\ntitle = "b"\n[[stages]]\nepochs = 1\n', "here")
    assert plain.digest == "b73ece5fd6bc8adb0955be12a5eee7ae131a755fb10b71d30d11656a9acb7964"
