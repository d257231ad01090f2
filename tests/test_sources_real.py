"""The real sets beside the checkout: their counts are known exactly."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lentigo.data.sources import SOURCES, TABLE_COLUMNS, ReadOptions, SourceTable
from lentigo.data.sources.listing import Listing
from lentigo.errors import SourceError
from lentigo.papers.collect import collect
from lentigo.papers.paper import read_paper

pytestmark = pytest.mark.real_data


def read(name: str, path: Path, *, skip_missing: bool = False) -> SourceTable:
    return SOURCES[name].read(path, ReadOptions(skip_missing=skip_missing))


def test_ham10000_has_its_published_counts(shared_data: Path) -> None:
    table = read("ham10000", shared_data / "ham10000")
    frame = table.frame
    assert tuple(frame.columns) == TABLE_COLUMNS
    assert len(frame) == 10_015
    assert frame["lesion_id"].nunique() == 7_470
    assert frame["label"].value_counts().to_dict() == {
        "nv": 6705,
        "mel": 1113,
        "bkl": 1099,
        "bcc": 514,
        "akiec": 327,
        "vasc": 142,
        "df": 115,
    }
    assert frame["age"].isna().sum() == 57
    assert frame["image_id"].is_monotonic_increasing
    assert set(frame["license"]) == {"CC-BY-NC-4.0"}
    assert not frame["path"].str.contains("/masks/").any()
    assert table.missing == ()


def test_crops_without_a_table_find_the_one_beside_them(shared_data: Path) -> None:
    table = read("ham10000", shared_data / "ham10000_224", skip_missing=True)
    assert len(table.frame) == 5_984
    assert len(table.missing) == 4_031
    assert set(table.frame["path"].map(lambda path: Path(path).parts[-3])) == {"ham10000_224"}


def test_isic2017_counts_and_names_what_is_absent(shared_data: Path) -> None:
    folder = shared_data / "isic2017"
    with pytest.raises(SourceError) as caught:
        read("isic2017", folder)
    shown = str(caught.value)
    assert "200 of 2000 listed images are absent" in shown
    assert shown.count("ISIC_") == 20
    assert "and 180 more" in shown
    assert "--skip-missing" in shown
    table = read("isic2017", folder, skip_missing=True)
    assert (len(table.frame), len(table.missing)) == (1_800, 200)
    assert set(table.frame["split"]) == {""}


def test_isic2017_labels_are_those_of_its_csv(shared_data: Path, tmp_path: Path) -> None:
    frame = complete("isic2017", shared_data / "isic2017", tmp_path).frame
    assert frame["label"].value_counts().to_dict() == {
        "nevus": 1372,
        "melanoma": 374,
        "seborrheic_keratosis": 254,
    }
    assert set(frame["license"]) == {"CC0-1.0"}


def test_isic2020_counts_are_those_of_its_csv(shared_data: Path, tmp_path: Path) -> None:
    here = read("isic2020", shared_data / "isic2020", skip_missing=True)
    assert (len(here.frame), len(here.missing)) == (2_668, 33_126 - 2_668)
    assert here.frame["label"].value_counts().to_dict() == {"benign": 2630, "malignant": 38}
    assert here.frame["patient_id"].nunique() == 98
    assert here.known_duplicates == ()
    table = complete("isic2020", shared_data / "isic2020", tmp_path)
    assert table.frame["patient_id"].nunique() == 2_056
    assert table.frame["label"].value_counts().to_dict() == {"benign": 32_542, "malignant": 584}
    assert len(table.known_duplicates) == 425
    patients = table.frame.set_index("image_id")["patient_id"]
    assert all(patients[a] == patients[b] for a, b in table.known_duplicates)


def complete(name: str, folder: Path, tmp_path: Path) -> SourceTable:
    """The same tables, with an empty stand-in for every image that they list."""
    for table in folder.glob("*.csv"):
        (tmp_path / table.name).write_bytes(table.read_bytes())
    column, truth = {
        "isic2017": ("image_id", "ISIC-2017_Training_Part3_GroundTruth.csv"),
        "isic2020": ("image_name", "ISIC_2020_Training_GroundTruth_v2.csv"),
    }[name]
    (tmp_path / "images").mkdir()
    for row in Listing(name, folder, "").read_rows(folder / truth, [column]):
        (tmp_path / "images" / f"{row.cells[column]}.jpg").touch()
    return read(name, tmp_path)


def test_the_results_of_merchan2021_count_the_images_that_its_plan_draws(
    shared_data: Path, tmp_path: Path
) -> None:
    given = {name: shared_data / name for name in ("ham10000", "isic2017", "isic2020")}
    plan = read_paper("merchan2021").data
    images = collect(plan, given, 1.0, tmp_path).images
    results = (Path(__file__).parents[1] / "docs/results.md").read_text("utf-8")
    section = results.split("### merchan2021\n")[1].split("\n### ")[0]
    told = f"{images:,} images, {images / sum(plan.per_class.values()):.1%} of the"
    assert told in section
    assert set(re.findall(r"[34],\d{3} images", section)) == {f"{images:,} images"}
