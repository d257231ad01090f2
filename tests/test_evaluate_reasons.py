"""Why did it say that: nearest training images, attention over the image, lesion outlines."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fake_evaluation import FakePredictor, FakePrepared
from lentigo.errors import InputError
from lentigo.evaluate import evaluate
from lentigo.evaluate.lesions import lesion_share
from lentigo.evaluate.reasons import Memory, overlay, reasons_for
from lentigo.image.spec import PreprocessSpec

SPEC = PreprocessSpec(size=32)


@dataclass
class Watched(FakePredictor):
    """Looks at the upper left quarter only, whatever it is shown."""

    cells: int = 4

    def attention(self, images: np.ndarray) -> np.ndarray:
        maps = np.full((len(images), self.cells, self.cells, 7), -1.0, np.float32)
        maps[:, : self.cells // 2, : self.cells // 2] = 2
        return maps

    def features(self, images: np.ndarray) -> np.ndarray:
        return images[:, 0, 0].astype(np.float32)


@pytest.fixture
def prepared(tmp_path: Path) -> FakePrepared:
    """Frames of 48 x 32 pixels, as files too, so that outlines can be held against them."""
    data = FakePrepared(tmp_path / "set")
    (tmp_path / "frames").mkdir()
    frame = tmp_path / "frames" / "frame.png"
    cv2.imwrite(str(frame), np.zeros((32, 48, 3), np.uint8))
    data.manifest["path"] = str(frame)
    data.manifest["label"] = [data.taxonomy.codes[label] for label in data.labels]
    data.spec = SPEC  # type: ignore[assignment]
    return data


def outlines(prepared: FakePrepared, folder: Path, mask: np.ndarray, ending: str = "") -> Path:
    folder.mkdir()
    for image_id in prepared.manifest["image_id"]:
        cv2.imwrite(str(folder / f"{image_id}{ending}.png"), mask)
    return folder


def run(prepared: FakePrepared, out: Path, **options: Any) -> Any:
    predictor = Watched(spec=SPEC)  # type: ignore[arg-type]
    return evaluate(predictor, prepared, out, replicates=40, **options)  # type: ignore[arg-type]


def quarter() -> np.ndarray:
    """The upper left quarter of the central square of a frame, and all beside the square."""
    mask = np.zeros((32, 48), np.uint8)
    mask[:16, 8:24] = 255
    mask[:, :8] = 255
    return mask


def test_attention_on_the_lesion_is_set_beside_the_lesions_area(prepared, tmp_path) -> None:
    masks = outlines(prepared, tmp_path / "masks", quarter(), "_segmentation")
    found = run(prepared, tmp_path / "out", masks=masks).lesions
    assert found.estimates["attention_in_lesion"].value == pytest.approx(1)
    assert found.estimates["lesion_area"].value == pytest.approx(0.25)
    assert found.estimates["attention_above_chance"].value == pytest.approx(0.75)
    assert found.estimates["lesion_area"].n_groups == 80
    written = json.loads((tmp_path / "out" / "attention.json").read_text())
    assert written == found.to_dict()
    with (tmp_path / "out" / "attention.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == written["images"] == 120
    assert float(rows[0]["area"]) == 0.25
    assert "Does it look at the lesion?" in (tmp_path / "out" / "report.html").read_text()


def test_attention_without_aim_scores_the_lesions_area(prepared, tmp_path) -> None:
    stripes = np.zeros((32, 48), np.uint8)
    stripes[::2] = 255
    found = run(prepared, tmp_path / "out", masks=outlines(prepared, tmp_path / "m", stripes))
    assert found.lesions.estimates["attention_above_chance"].value == pytest.approx(0, abs=1e-9)


def test_images_without_an_outline_or_with_an_empty_one_are_counted(prepared, tmp_path) -> None:
    masks = outlines(prepared, tmp_path / "masks", quarter())
    tested = prepared.manifest["image_id"].to_numpy()[prepared.rows("test")]
    (masks / f"{tested[0]}.png").unlink()
    cv2.imwrite(str(masks / f"{tested[1]}.png"), np.zeros((32, 48), np.uint8))
    found = run(prepared, tmp_path / "out", masks=masks).lesions
    assert (found.without_mask, found.without_attention) == (1, 1)
    assert len(found.image_ids) == 118


def test_masks_of_another_frame_are_refused_by_name_before_the_look_is_counted(
    prepared, tmp_path
) -> None:
    masks = outlines(prepared, tmp_path / "masks", np.ones((32, 32), np.uint8))
    with pytest.raises(InputError, match="the image is 48 x 32, its mask 32 x 32") as caught:
        run(prepared, tmp_path / "out", masks=masks)
    assert "100 more" in str(caught.value)
    assert "Crop the masks as the images were cropped" in str(caught.value)
    assert not (tmp_path / "test_access.jsonl").exists()


def test_masks_of_whole_frames_are_cropped_as_the_images_were(prepared, tmp_path) -> None:
    crop = tmp_path / "frames" / "crop.png"
    cv2.imwrite(str(crop), np.zeros((32, 32, 3), np.uint8))
    prepared.manifest["path"] = str(crop)
    masks = outlines(prepared, tmp_path / "masks", quarter())
    with pytest.raises(InputError, match="the image is 32 x 32, its mask 48 x 32") as caught:
        run(prepared, tmp_path / "out", masks=masks)
    assert "--mask-crop center-square" in str(caught.value)
    found = run(prepared, tmp_path / "out", masks=masks, mask_crop="center-square")
    assert found.lesions.estimates["lesion_area"].value == pytest.approx(0.25)
    assert found.lesions.estimates["attention_in_lesion"].value == pytest.approx(1)
    told = "--masks masks --mask-crop center-square"
    assert told in (tmp_path / "out" / "report.html").read_text()
    # What is not square was cropped in another way.
    prepared.manifest["path"] = str(tmp_path / "frames" / "frame.png")
    with pytest.raises(InputError, match="of which the central square was to be taken"):
        run(prepared, tmp_path / "out", masks=masks, mask_crop="center-square")


def test_a_folder_without_masks_is_refused(prepared, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no mask of these 120 images"):
        run(prepared, tmp_path / "out", masks=tmp_path / "empty")
    with pytest.raises(InputError, match="is not a folder"):
        run(prepared, tmp_path / "out", masks=tmp_path / "none")


def test_an_evaluation_without_masks_keeps_nothing_of_one_that_had_them(prepared, tmp_path) -> None:
    run(prepared, tmp_path / "out", masks=outlines(prepared, tmp_path / "masks", quarter()))
    assert run(prepared, tmp_path / "out").lesions is None
    assert not (tmp_path / "out" / "attention.json").exists()
    assert not (tmp_path / "out" / "attention.csv").exists()


def test_a_mask_is_cropped_as_its_image(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), quarter())
    square = lesion_share(tmp_path / "m.png", SPEC, (2, 2))
    np.testing.assert_allclose(square, [[1, 0], [0, 0]])
    whole = lesion_share(tmp_path / "m.png", PreprocessSpec(size=32, crop="none"), (1, 1))
    np.testing.assert_allclose(whole, quarter().mean() / 255)


def test_the_nearest_are_found_by_angle_and_never_the_image_itself(prepared) -> None:
    rows = prepared.rows("train")
    features = np.random.default_rng(0).normal(0, 1, (len(rows), 5))
    memory = Memory(features, rows, prepared)
    ids = prepared.manifest["image_id"].to_numpy()[rows]
    asked = 3 * features[7:8]
    (itself,) = memory.nearest(asked, ["another"])
    assert itself[0].image_id == ids[7]
    assert itself[0].distance == pytest.approx(0, abs=1e-6)
    assert [each.distance for each in itself] == sorted(each.distance for each in itself)
    (others,) = memory.nearest(asked, [ids[7]])
    assert len(others) == 3
    assert ids[7] not in [each.image_id for each in others]


def test_a_predictor_that_shows_nothing_is_given_no_reasons(prepared) -> None:
    images = prepared.images[:2]
    reasons = reasons_for(FakePredictor(), None, images, [0, 1], ["a", "b"])
    assert [(each.heat, each.neighbours) for each in reasons] == [(None, ()), (None, ())]


def test_the_overlay_leaves_what_was_not_looked_at_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    np.testing.assert_array_equal(overlay(image, np.zeros((4, 4), np.float32)), image)
    heat = np.zeros((4, 4), np.float32)
    heat[0, 0] = 1
    drawn = overlay(image, heat)
    np.testing.assert_array_equal(drawn[20:, 20:], image[20:, 20:])
    assert (drawn[:4, :4] != image[:4, :4]).any()
