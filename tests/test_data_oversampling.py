"""Synthetic images are rows without pixels: counted, split and drawn, never stored."""

from __future__ import annotations

import dataclasses
import logging
import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lentigo.data.manifest import read_manifest
from lentigo.data.oversampling import DrawnImages, Oversampling, appended, filled_up
from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.deploy.evaluating import evaluate
from lentigo.errors import InputError
from lentigo.image.generator import GeneratorRanges, generated
from lentigo.recipe import Network, Recipe, Stage
from lentigo.train import train

RANGES = GeneratorRanges(
    rotation_range=40,
    width_shift_range=0.2,
    shear_range=0.2,
    horizontal_flip=True,
    brightness_range=(0.5, 1.5),
)
BEFORE = Oversampling(when="before-split", ranges=RANGES)
AFTER = Oversampling(when="after-split", ranges=RANGES)


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate(tmp_path_factory.mktemp("raw") / "phantom", lesions=90, seed=2, size=48)


def made(raw: Path, out: Path, how: Oversampling | None, **options) -> PreparedSet:
    return prepare("phantom", raw, out, size=32, workers=1, folds=3, oversampling=how, **options)


@pytest.fixture(scope="module")
def published(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    out = tmp_path_factory.mktemp("sets") / "published"
    return made(raw, out, BEFORE, protocol="as-published", group_by="image")


@pytest.fixture(scope="module")
def grouped(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return made(raw, tmp_path_factory.mktemp("sets") / "grouped", BEFORE)


@pytest.fixture(scope="module")
def after(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return made(raw, tmp_path_factory.mktemp("sets") / "after", AFTER)


def originals(frame: pd.DataFrame) -> pd.Series:
    return frame["parent_id"].where(frame["parent_id"] != "", frame["image_id"])


def paper_table() -> pd.DataFrame:
    """A table of ISIC 2020's shape."""
    labels = ["benign"] * 32542 + ["malignant"] * 584
    return pd.DataFrame({"image_id": [f"i{n}" for n in range(len(labels))], "label": labels})


def test_584_malignant_images_become_32542_as_in_the_paper() -> None:
    table = paper_table()
    whole = appended(table, filled_up(table, BEFORE))
    assert whole["label"].value_counts().to_dict() == {"benign": 32542, "malignant": 32542}
    synthetic = whole[whole["parent_id"] != ""]
    assert set(synthetic["label"]) == {"malignant"}
    assert len(synthetic) / 32542 == pytest.approx(0.982, abs=0.0005)  # README: 98.2% synthetic
    copies = synthetic["parent_id"].value_counts()
    assert len(copies) == 584
    assert copies.max() - copies.min() <= 1
    assert whole["image_id"].is_unique
    # Half of the majority, as another paper has it.
    half = filled_up(table, BEFORE.model_copy(update={"up_to": 0.5}))
    assert len(half) == 32542 // 2 - 584


def test_no_array_of_synthetic_pixels_is_ever_made() -> None:
    table = paper_table()
    whole = appended(table, filled_up(table, BEFORE))
    # A broadcast array of the originals takes no memory, so what is measured is the drawing.
    one = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(1, 64, 64, 3)
    images = DrawnImages(np.broadcast_to(one, (len(table), 64, 64, 3)), whole, BEFORE)
    assert images.shape == (65084, 64, 64, 3)
    tracemalloc.start()
    for start in range(len(table), len(table) + 640, 32):
        assert images[np.arange(start, start + 32)].shape == (32, 64, 64, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    everything = 31958 * 64 * 64 * 3
    assert peak < everything / 100


def test_the_file_of_pixels_holds_originals_only(
    published: PreparedSet, grouped: PreparedSet, after: PreparedSet
) -> None:
    for data in (published, grouped, after):
        stored = np.load(data.path / "images.npy", mmap_mode="r")
        count = int((data.manifest["parent_id"] == "").sum())
        assert len(stored) == count < len(data.manifest) == len(data.images)
        assert (data.path / "images.npy").stat().st_size < count * 32 * 32 * 3 + 4096
        np.testing.assert_array_equal(data.images[np.arange(count)], stored)


def test_siblings_cross_splits_as_published_only(
    published: PreparedSet, grouped: PreparedSet, after: PreparedSet
) -> None:
    def crossing(data: PreparedSet) -> int:
        frame = data.manifest
        return int((frame["split"].groupby(originals(frame)).nunique() > 1).sum())

    assert crossing(published) > 5
    assert published.leaky
    assert crossing(grouped) == crossing(after) == 0
    assert not grouped.leaky
    assert not after.leaky
    for data in (grouped, after):
        used = data.manifest
        assert (used.groupby("group_id")["split"].nunique() == 1).all()


def test_copies_made_before_the_split_reach_every_side(
    published: PreparedSet, grouped: PreparedSet
) -> None:
    for data in (published, grouped):
        for split, fold in (("train", 0), ("validation", 0), ("test", None)):
            parents = data.manifest["parent_id"].to_numpy()[data.rows(split, fold)]
            assert (parents != "").any()
        counts = data.manifest["label"].value_counts()
        assert counts.nunique() == 1


def test_copies_made_after_the_split_only_train(after: PreparedSet) -> None:
    parents = after.manifest["parent_id"].to_numpy()
    for fold in range(after.folds):
        training = after.rows("train", fold)
        assert (parents[training] != "").any()
        assert (parents[after.rows("validation", fold)] == "").all()
        counts = np.bincount(after.labels[training])
        assert counts.max() == counts.min()
    assert (parents[after.rows("test")] == "").all()


def test_a_set_that_is_for_testing_alone_gets_no_copies(
    raw: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    listed = pd.read_csv(raw / "phantom.csv", dtype=str).assign(split="test")
    listed["image"] = [str(raw / "images" / f"{each}.jpg") for each in listed["image_id"]]
    listed[["image", "label", "split"]].to_csv(tmp_path / "list.csv", index=False)
    with caplog.at_level(logging.WARNING):
        data = prepare(
            "table", tmp_path / "list.csv", tmp_path / "out", size=32, workers=1, oversampling=AFTER
        )
    assert "cannot validate" not in caplog.text, "it has no folds to be short of"
    assert len(data.images) == len(data.rows("test")) == len(listed)
    np.testing.assert_array_equal(data.images[:2], open_prepared(data.path).images[:2])


def test_pixels_are_a_function_of_parent_and_seed(published: PreparedSet) -> None:
    frame = published.manifest
    count = int((frame["parent_id"] == "").sum())
    rows = np.arange(count, min(count + 12, len(frame)))
    drawn = published.images[rows]
    again = open_prepared(published.path)
    # In another order, one by one, in another process's object: the same pixels.
    for place, row in reversed(list(enumerate(rows.tolist()))):
        np.testing.assert_array_equal(again.images[row], drawn[place])
    parents = {name: row for row, name in enumerate(frame["image_id"])}
    for place, row in enumerate(rows.tolist()):
        parent = published.images[parents[frame["parent_id"].iloc[row]]]
        assert (drawn[place] != parent).any()
    # A set of fewer rows, dealt otherwise, draws the same pixels for the same parent and seed.
    part = frame[(frame["parent_id"] == "") | (frame.index % 3 == 0)].reset_index(drop=True)
    stored = np.load(published.path / "images.npy", mmap_mode="r")
    fewer = DrawnImages(stored, part, BEFORE)
    place = {name: row for row, name in enumerate(part["image_id"])}
    for row in (row for row in rows.tolist() if frame["image_id"].iloc[row] in place):
        mine = fewer[place[frame["image_id"].iloc[row]]]
        np.testing.assert_array_equal(mine, published.images[row])


def test_two_seeds_of_one_parent_differ() -> None:
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    assert (
        generated(image, RANGES, "nearest", (1,)) != generated(image, RANGES, "nearest", (2,))
    ).any()
    np.testing.assert_array_equal(generated(image, GeneratorRanges(), "nearest", (1,)), image)


def test_the_manifest_of_a_set_without_copies_is_what_it_was(raw: Path, tmp_path: Path) -> None:
    data = made(raw, tmp_path / "plain", None)
    assert "seed" not in read_manifest(data.path / "manifest.csv")


def test_a_finished_set_is_found_again_and_another_oversampling_refused(
    raw: Path, grouped: PreparedSet
) -> None:
    assert made(raw, grouped.path, BEFORE).digest == grouped.digest
    with pytest.raises(InputError, match="oversampling"):
        made(raw, grouped.path, BEFORE.model_copy(update={"up_to": 0.9}))


def test_ranges_are_part_of_the_identity(raw: Path, grouped: PreparedSet, tmp_path: Path) -> None:
    other = Oversampling(when="before-split", ranges=GeneratorRanges(rotation_range=10))
    assert made(raw, tmp_path / "other", other).digest != grouped.digest


def test_a_leaky_set_of_copies_trains_and_is_measured_like_any_other(
    published: PreparedSet, tmp_path: Path
) -> None:
    recipe = Recipe(
        name="tiny",
        title="tiny",
        protocol="as-published",
        network=Network(name="tiny_network:build", weights="none", size=32),
        stages=(Stage(epochs=1, batch_size=16),),
    )
    run = train(recipe, published, out=tmp_path, fold=0)
    result = evaluate(run.path, published, split="test")
    assert result.leaky
    rows = published.rows("test")
    assert result.images == len(rows)
    whole = published.manifest["patient_id"].iloc[rows].nunique()
    assert max(each.n_groups for each in result.metrics.values()) == whole
    assert result.groups == result.metrics["accuracy"].n_groups == whole < len(rows)


def test_intervals_draw_whole_groups_where_images_were_dealt_one_by_one(
    published: PreparedSet,
) -> None:
    frame = published.manifest.assign(group=published.groups)
    assert frame["group_id"].is_unique  # the split deals them by themselves
    for names in (originals(frame), frame["lesion_id"], frame["patient_id"]):
        assert (frame.groupby(names)["group"].nunique() == 1).all()
    assert frame["group"].nunique() == frame["patient_id"].nunique()


def test_copies_and_duplicates_are_one_group_where_nobody_names_lesions(
    published: PreparedSet,
) -> None:
    bare = published.manifest.assign(lesion_id="", patient_id="")
    first, second, third = bare["image_id"][:3]
    audit = {"duplicates": {"exact": [[first, second]], "published": [[second, third]]}}
    alone = dataclasses.replace(published, manifest=bare, audit=audit)
    found = dict(zip(originals(bare), alone.groups, strict=True))
    assert found[first] == found[second] == found[third]
    assert len(set(alone.groups)) == (bare["parent_id"] == "").sum() - 2
