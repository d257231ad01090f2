"""The skin around a lesion, and how light it is: on drawn skin and on real images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from lentigo.image.decode import decode
from lentigo.image.regions import lesion_and_skin, shrunk, usable
from lentigo.image.skin import BANDS, band_of, grey_edge_gains, typology_angle


def picture(light: float, *, lesion: bool = True, seed: int = 0) -> np.ndarray:
    """(96, 128, 3) skin of a lightness L* in 20 to 85, textured neutrally, with a dark disc."""
    rng = np.random.default_rng(seed)
    lab = np.zeros((96, 128, 3), np.float32)
    lab[...] = (light, 12, 18)
    lab[..., 0] += cv2.GaussianBlur(rng.normal(0, 12, (96, 128)), (0, 0), 1.5)
    if lesion:
        rows, columns = np.mgrid[:96, :128]
        lab[(rows - 48) ** 2 + (columns - 64) ** 2 < 22**2] *= (0.5, 1, 1)
    rgb = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    return np.asarray(np.clip(np.rint(rgb * 255), 0, 255), np.uint8)


def test_lighter_skin_has_the_larger_angle_and_bands_follow() -> None:
    angles = [typology_angle(picture(light)).angle_deg for light in (30, 45, 60, 75)]
    assert angles == sorted(angles)
    assert typology_angle(picture(80)).band in {"very light", "light"}
    assert typology_angle(picture(28)).band in {"brown", "dark"}


def test_bands_meet_at_their_limits() -> None:
    assert [band_of(above + 0.01) for _, above in BANDS] == [name for name, _ in BANDS]
    assert band_of(55.0) == "light"
    assert band_of(-90.0) == "dark"


def test_the_lesion_has_no_part_in_the_angle() -> None:
    with_it = typology_angle(picture(65)).angle_deg
    without = typology_angle(picture(65, lesion=False)).angle_deg
    lesion = typology_angle(picture(65 * 0.5, lesion=False)).angle_deg
    assert with_it == pytest.approx(without, abs=5)
    assert lesion < with_it - 40


def test_a_mask_of_the_skin_is_obeyed() -> None:
    halves = np.hstack([picture(75, lesion=False), picture(40, lesion=False)])
    left = np.zeros(halves.shape[:2], np.bool_)
    left[:, :120] = True
    light, dark = typology_angle(halves, left), typology_angle(halves, ~left)
    assert light.angle_deg > dark.angle_deg + 20


def test_grey_edge_undoes_a_tinted_light() -> None:
    plain = picture(65)
    tinted = np.clip(plain * [1.15, 1.0, 0.75], 0, 255).astype(np.uint8)
    where = usable(tinted)
    gains = grey_edge_gains(tinted, where) / grey_edge_gains(plain, usable(plain))
    assert gains * [1.15, 1.0, 0.75] / gains[1] == pytest.approx([1, 1, 1], abs=0.06)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_where_there_is_no_skin_there_is_no_angle_but_a_reason(level: int) -> None:
    tone = typology_angle(np.full((64, 64, 3), level, np.uint8))
    assert tone.angle_deg is None
    assert tone.band == ""
    assert tone.reason


def test_grey_pictures_have_no_angle() -> None:
    grey = np.repeat(picture(65)[..., :1], 3, axis=2)
    assert typology_angle(grey).angle_deg is None


@pytest.mark.real_data
def test_what_is_taken_for_skin_on_real_frames_is_hardly_lesion(shared_data: Path) -> None:
    """HAM10000's own outlines are the judge; the figures stand in docs/results.md."""
    folder = shared_data / "ham10000"
    files = sorted((folder / "masks").iterdir())[::100]
    wrong, found, gaps = [], [], []
    for mask_file in files:
        rgb = decode(folder / "images" / f"{mask_file.name[:12]}.jpg")
        mask = cv2.imread(str(mask_file), cv2.IMREAD_GRAYSCALE) > 0
        small = shrunk(rgb, 128)
        size = small.shape[1::-1]
        inside = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
        _, skin = lesion_and_skin(small, usable(small))
        found.append(skin.mean())
        wrong.append((skin & inside).sum() / max(skin.sum(), 1))
        far = cv2.dilate(mask.astype(np.uint8), np.ones((15, 15), np.uint8)) == 0
        pair = [typology_angle(rgb, far).angle_deg, typology_angle(rgb).angle_deg]
        if far.mean() > 0.1 and None not in pair:
            gaps.append(abs(pair[0] - pair[1]))
    assert len(files) >= 100
    assert np.median(found) > 0.5
    assert np.median(wrong) < 0.05
    assert np.median(gaps) < 3
