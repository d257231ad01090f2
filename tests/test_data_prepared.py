"""A prepared set is opened whole or refused with a reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.data.splits import split_digest
from lentigo.errors import InputError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    folder = tmp_path_factory.mktemp("set")
    raw = generate(folder / "raw", lesions=70, seed=0, size=48)
    return prepare("phantom", raw, folder / "out", size=32)


@pytest.fixture
def copy(made: PreparedSet, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made.path, tmp_path / "copy"))


def test_the_folds_share_the_training_rows(made: PreparedSet) -> None:
    training = made.rows("train")
    parts = [made.rows("validation", fold=fold) for fold in range(made.folds)]
    assert sorted(np.concatenate(parts).tolist()) == training.tolist()
    for fold, part in enumerate(parts):
        rest = made.rows("train", fold=fold)
        assert sorted([*rest.tolist(), *part.tolist()]) == training.tolist()
    assert not set(made.rows("test")) & set(training)
    assert made.rows("test", fold=2).tolist() == made.rows("test").tolist()


def test_all_is_everything_that_was_not_left_out(made: PreparedSet) -> None:
    sides = [*made.rows("train"), *made.rows("test")]
    assert made.rows("all").tolist() == sorted(sides)


def test_labels_are_positions_in_the_taxonomy(made: PreparedSet) -> None:
    codes = [made.taxonomy.codes[label] for label in made.labels]
    assert codes == made.manifest["label"].tolist()


def test_the_pixels_are_read_only(made: PreparedSet) -> None:
    assert made.images.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        made.images[0, 0, 0, 0] = 1


def test_digests_name_the_set_wherever_it_lies(made: PreparedSet, copy: Path) -> None:
    assert open_prepared(copy).digest == made.digest
    assert made.test_digest == split_digest(made.manifest, "test")


def test_rows_that_are_not_there_are_refused(made: PreparedSet) -> None:
    with pytest.raises(InputError, match="no fold 5"):
        made.rows("train", fold=5)
    with pytest.raises(InputError, match="no split"):
        made.rows("exam")
    with pytest.raises(InputError, match="name a fold"):
        made.rows("validation")
    assert made.rows("excluded").tolist() == []


@pytest.mark.parametrize("name", ["manifest.csv", "images.npy", "audit.json"])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(InputError, match=name):
        open_prepared(copy)


def test_a_changed_manifest_is_refused(copy: Path) -> None:
    path = copy / "manifest.csv"
    path.write_text(path.read_text().replace(",test,", ",train,", 1))
    with pytest.raises(InputError, match="was changed"):
        open_prepared(copy)


@pytest.mark.parametrize("keep", [0, 60, 5000])
def test_cut_pixels_are_refused(copy: Path, keep: int) -> None:
    path = copy / "images.npy"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"images\.npy"):
        open_prepared(copy)


def test_pixels_of_another_set_are_refused(copy: Path) -> None:
    np.save(copy / "images.npy", np.zeros((3, 32, 32, 3), np.uint8))
    with pytest.raises(InputError, match="holds"):
        open_prepared(copy)


def test_a_newer_set_asks_for_a_newer_lentigo(copy: Path) -> None:
    marker = copy / "prepared.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "schema_version": 99}))
    with pytest.raises(InputError, match=r"99[\s\S]*Update lentigo"):
        open_prepared(copy)


@pytest.mark.parametrize("content", ["{", "[]", '{"schema_version": 1}'])
def test_a_damaged_marker_is_refused(copy: Path, content: str) -> None:
    (copy / "prepared.json").write_text(content)
    with pytest.raises(InputError, match=r"prepared\.json"):
        open_prepared(copy)


def test_what_is_no_prepared_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a prepared set"):
        open_prepared(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        open_prepared(tmp_path / "nowhere")
    (tmp_path / ".prepare").mkdir()
    with pytest.raises(InputError, match="not finished"):
        open_prepared(tmp_path)
