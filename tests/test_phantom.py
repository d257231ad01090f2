"""The phantom: deterministic, complete or resumed, and no puzzle for a colour meter."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lentigo.data.phantom import MARKER_NAME, ensure_phantom, generate, view_pixels
from lentigo.data.sources import SOURCES, ReadOptions
from lentigo.errors import SourceError
from lentigo.files import read_json, write_json
from lentigo.taxonomy import PHANTOM


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("phantom") / "set", lesions=84, seed=3, size=64)


@pytest.fixture(scope="module")
def frame(phantom: Path) -> pd.DataFrame:
    return SOURCES["phantom"].read(phantom, ReadOptions()).frame


def test_the_source_reads_what_was_generated(frame: pd.DataFrame) -> None:
    assert set(frame["label"]) == set(PHANTOM.codes)
    assert frame["lesion_id"].nunique() == 84
    assert len(frame) > 84
    assert frame["image_id"].is_unique
    assert frame["age"].between(20, 85).all()
    assert frame["skin_tone"].nunique() > 2


def test_lesions_have_one_class_and_patients_have_several_lesions(frame: pd.DataFrame) -> None:
    assert (frame.groupby("lesion_id")["label"].nunique() == 1).all()
    assert (frame.groupby("lesion_id")["patient_id"].nunique() == 1).all()
    assert (frame.groupby("patient_id")["lesion_id"].nunique() == 2).all()
    assert frame.groupby("lesion_id").size().max() == 3


def test_images_have_the_size_asked_for_and_all_differ(frame: pd.DataFrame) -> None:
    pictures = [cv2.imread(path) for path in frame["path"]]
    assert {picture.shape for picture in pictures} == {(64, 64, 3)}
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    first = contents(generate(tmp_path / "a", lesions=14, seed=5, size=48))
    assert contents(generate(tmp_path / "b", lesions=14, seed=5, size=48)) == first
    assert contents(generate(tmp_path / "c", lesions=14, seed=6, size=48)) != first


def test_more_lesions_leave_the_first_ones_as_they_were(tmp_path: Path) -> None:
    few = contents(generate(tmp_path / "few", lesions=14, seed=5, size=48))
    more = contents(generate(tmp_path / "more", lesions=20, seed=5, size=48))
    images = [name for name in few if name.endswith(".jpg")]
    assert all(few[name] == more[name] for name in images)


def test_an_image_depends_on_nothing_but_its_own_indices() -> None:
    late = view_pixels(0, 9, 1, 48)
    view_pixels(0, 2, 0, 48)
    assert np.array_equal(view_pixels(0, 9, 1, 48), late)
    assert late.dtype == np.uint8
    assert not np.array_equal(view_pixels(0, 9, 0, 48), late)


def test_a_finished_phantom_is_never_rewritten(phantom: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in phantom.rglob("*")}
    generate(phantom, lesions=84, seed=3, size=64)
    ensure_phantom(phantom)
    assert {path: path.stat().st_mtime_ns for path in phantom.rglob("*")} == before


def test_a_phantom_cut_short_is_finished_to_the_same_bytes(tmp_path: Path) -> None:
    whole = contents(generate(tmp_path / "whole", lesions=14, seed=5, size=48))
    cut = generate(tmp_path / "cut", lesions=14, seed=5, size=48)
    write_json(cut / MARKER_NAME, {**read_json(cut / MARKER_NAME), "finished": False})
    (cut / "phantom.csv").unlink()
    next((cut / "images").iterdir()).write_bytes(b"half")
    ensure_phantom(cut)
    assert contents(cut) == whole


def test_another_phantom_or_other_files_are_never_overwritten(tmp_path: Path) -> None:
    folder = generate(tmp_path / "set", lesions=14, seed=5, size=48)
    with pytest.raises(SourceError, match="another phantom"):
        generate(folder, lesions=14, seed=6, size=48)
    photos = tmp_path / "photos"
    (photos / "images").mkdir(parents=True)
    with pytest.raises(SourceError, match="neither empty nor a phantom"):
        SOURCES["phantom"].read(photos, ReadOptions())


def test_numbers_out_of_range_are_refused(tmp_path: Path) -> None:
    for lesions, seed, size in ((13, 0, 64), (14, -1, 64), (14, 0, 16)):
        with pytest.raises(SourceError, match="can be made"):
            generate(tmp_path / "set", lesions=lesions, seed=seed, size=size)


def test_mean_colour_alone_does_not_tell_the_classes_apart(frame: pd.DataFrame) -> None:
    means = np.array([cv2.imread(path).mean(axis=(0, 1)) for path in frame["path"]])
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    scores = cross_val_score(
        model, means, frame["label"], groups=frame["patient_id"], cv=GroupKFold(4)
    )
    assert scores.mean() < 0.45
