"""A bundle at work on files and bytes: in order, a bounded number at once, bad ones named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lentigo.deploy import runtime
from lentigo.deploy.bundle import Bundle
from lentigo.deploy.prediction import Failure, Prediction
from lentigo.deploy.runtime import BundlePredictor, load_default
from lentigo.errors import BundleError, ImageError, InputError
from lentigo.image.spec import PreprocessSpec, preprocess
from lentigo.taxonomy import BINARY
from web_server import photo

SIZE = 224


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{i:02}.png" for i in range(20)]
    for number, path in enumerate(paths):
        path.write_bytes(photo(96 + number, ".png", seed=number))
    return paths


def enlarged(height: int, width: int) -> NDArray[np.uint8]:
    coarse = np.random.default_rng(0).integers(0, 256, (6, 6, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height)), dtype=np.uint8)


def test_many_files_are_answered_in_order_and_bad_ones_named(
    files: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut short")
    broken = tmp_path / "broken.jpg"
    paths = [*files[:7], broken, tmp_path / "none.jpg", tmp_path, *files[7:], broken]
    model = load_default(threads=2)
    answers = list(model.predict_files(paths))
    assert [each.image for each in answers] == [str(path) for path in paths]
    failures = [each for each in answers if isinstance(each, Failure)]
    assert [each.image for each in failures] == [str(path) for path in [*paths[7:10], broken]]
    assert all(failure.image in failure.reason for failure in failures)
    assert "Save it again as JPEG" in failures[0].told
    assert "Check the name" in failures[1].told
    assert list(model.predict_files(paths, quality=False)) == [
        replace(each, warnings=()) if isinstance(each, Prediction) else each for each in answers
    ]
    one_by_one = [model.predict_file(path) for path in files]
    together = [each for each in answers if isinstance(each, Prediction)]
    for left, right in zip(one_by_one, together, strict=True):
        assert np.allclose(left.probability, right.probability, atol=1e-6)


def test_files_are_taken_as_they_are_needed(files: list[Path]) -> None:
    taken: list[Path] = []

    def endless() -> Any:
        while True:
            taken.append(files[0])
            yield files[0]

    answers = load_default(threads=1).predict_files(endless())
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert len(taken) < 10


@pytest.mark.parametrize(("size", "first_size"), [(SIZE, None), (96, SIZE), (SIZE, 300)])
@pytest.mark.parametrize(("suffix", "height", "width"), [("jpg", 1100, 1400), ("png", 700, 650)])
def test_an_image_is_preprocessed_as_for_training(
    tmp_path: Path, suffix: str, height: int, width: int, size: int, first_size: int | None
) -> None:
    path = tmp_path / f"large.{suffix}"
    spec = PreprocessSpec(size=size, first_size=first_size)
    cv2.imwrite(str(path), enlarged(height, width))
    image, _ = runtime.look(path, spec)
    assert np.array_equal(image, preprocess(path, spec))


def test_a_photo_that_is_too_dark_or_no_skin_comes_with_a_warning(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "dark.png"), enlarged(300, 300) // 8)
    answer = load_default().predict_file(tmp_path / "dark.png")
    assert any("too dark" in warning for warning in answer.warnings)


def test_bytes_are_answered_as_their_file(files: list[Path]) -> None:
    model = load_default()
    from_bytes = model.predict_bytes(files[0].read_bytes(), name=str(files[0]))
    assert from_bytes == model.predict_file(files[0])
    with pytest.raises(ImageError):
        model.predict_bytes(b"not an image")


def test_images_of_another_shape_are_refused() -> None:
    model = load_default()
    assert model.predict(np.zeros((0, SIZE, SIZE, 3), np.uint8)).shape == (0, 7)
    for wrong in (np.zeros((1, 32, 32, 3), np.uint8), np.zeros((1, SIZE, SIZE, 3), np.float32)):
        with pytest.raises(InputError, match="takes uint8 images"):
            model.predict(wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least 1"):
        load_default(threads=0)


def test_a_graph_that_is_not_what_its_bundle_says_is_refused() -> None:
    shipped = load_default().bundle
    other = replace(shipped, info=shipped.info.model_copy(update={"taxonomy": BINARY}))
    with pytest.raises(BundleError, match="2 logits"):
        BundlePredictor(other).predict(np.zeros((1, SIZE, SIZE, 3), np.uint8))
    broken = Bundle(shipped.info, b"\x1c\0\0\0TFL3" + bytes(50), source="broken.tflite")
    with pytest.raises(BundleError, match=r"broken\.tflite: LiteRT refuses"):
        BundlePredictor(broken).predict(np.zeros((1, SIZE, SIZE, 3), np.uint8))


def test_an_installation_without_a_model_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "DEFAULT_MODEL", "no-such")
    with pytest.raises(BundleError, match="carries no model"):
        load_default()
