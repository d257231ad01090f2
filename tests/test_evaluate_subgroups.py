"""Parts of an evaluation's images: how they are told apart, written down and shown."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fake_evaluation import FakePredictor, FakePrepared
from lentigo.evaluate import evaluate
from lentigo.evaluate.strata import (
    SKIN_PAIRS,
    SKIN_TYPES,
    UNKNOWN,
    age_bands,
    axes_of,
    pooled_by,
    stated_tones,
)
from lentigo.evaluate.subgroups import CSV_COLUMNS, subgroups_from
from lentigo.image.spec import PreprocessSpec
from lentigo.score.subgroups import Answers
from test_image_skin import picture


@dataclass
class Set:
    """What ``axes_of`` reads of a prepared set."""

    manifest: pd.DataFrame
    images: np.ndarray
    spec: PreprocessSpec = field(default_factory=lambda: PreprocessSpec(size=96))

    @property
    def groups(self) -> np.ndarray:
        return self.manifest["group_id"].to_numpy(dtype=object)


def set_of(n: int = 24, **columns: object) -> Set:
    plain = {
        "image_id": [f"i{i}" for i in range(n)],
        "group_id": [f"p{i // 4}" for i in range(n)],
        "age": [float(5 * i) for i in range(n)],
        "sex": ["female"] * n,
        "site": ["back"] * n,
        "source": ["a"] * n,
        "confirmed_by": [""] * n,
        "skin_tone": [""] * n,
    }
    lightness = [80, 80, 80, 30, 30, 30]
    images = np.stack([picture(lightness[i // 4 % 6], seed=i)[:, :96] for i in range(n)])
    return Set(pd.DataFrame(plain | columns), images)


def axis(of: Set, name: str):
    rows = np.arange(len(of.manifest))
    return next(each for each in axes_of(of, rows) if each.name == name)


def test_ages_fall_into_bands_by_their_first_year() -> None:
    years = pd.Series([0.0, 29.9, 30.0, 59.9, 60.0, 75.0, 130.0, np.nan])
    assert age_bands(years).tolist() == [
        "0-29", "0-29", "30-44", "45-59", "60-74", "75 or more", "75 or more", UNKNOWN
    ]  # fmt: skip


def test_every_image_is_in_one_stratum_of_each_axis() -> None:
    some = set_of(sex=["female", "male", ""] * 8, site=["Back", "face ", ""] * 8)
    for each in axes_of(some, np.arange(24)):
        assert sum(mask.sum() for mask in each.masks().values()) == 24
    assert axis(some, "sex").strata == ("female", "male", UNKNOWN)
    assert axis(some, "site").strata == ("back", "face", UNKNOWN)


def test_skin_types_without_images_are_listed_all_the_same() -> None:
    found = stated_tones(pd.Series(["II", "3.0", "type iv", ""]))
    assert found.strata == SKIN_TYPES
    assert found.values.tolist() == ["II", "III", "IV", UNKNOWN]


def test_where_a_source_states_pairs_all_are_shown_in_pairs() -> None:
    found = stated_tones(pd.Series(["I-II", "V", "III-IV", "Monk 7"]))
    assert found.strata == (*SKIN_PAIRS, "Monk 7")
    assert found.values.tolist() == ["I-II", "V-VI", "III-IV", "Monk 7"]
    assert "pairs" in found.note


def test_unstated_tones_are_estimated_one_for_each_group() -> None:
    estimate = axis(set_of(), "skin_tone_estimate")
    assert set(estimate.values[:12]) <= {"very light", "light"}
    assert set(estimate.values[12:]) <= {"tan", "brown", "dark"}
    for start in range(0, 24, 4):
        assert len(set(estimate.values[start : start + 4])) == 1
    assert "no ground truth" in estimate.note


def test_nothing_is_estimated_where_all_is_stated_or_all_is_grey() -> None:
    names = [a.name for a in axes_of(set_of(skin_tone=["II"] * 24), np.arange(24))]
    assert "skin_tone_estimate" not in names
    grey = set_of()
    grey.spec = PreprocessSpec(size=96, greyscale=True)
    assert "skin_tone_estimate" not in [a.name for a in axes_of(grey, np.arange(24))]


def test_a_group_shares_the_median_of_what_is_known_of_it() -> None:
    groups = np.array(["a", "b", "a", "a", "c", "b"], dtype=object)
    values = np.array([1.0, 5.0, np.nan, 3.0, np.nan, 7.0])
    assert pooled_by(groups, values)[:4].tolist() == [2, 6, 2, 2]
    assert np.isnan(pooled_by(groups, values)[4])


def test_unknown_is_never_what_others_are_compared_with() -> None:
    some = set_of(sex=[""] * 14 + ["female"] * 6 + ["male"] * 4)
    answers = Answers(
        np.arange(24) % 2,
        np.tile([0.6, 0.4], (24, 1)),
        ("benign", "malignant"),
        (False, True),
        {},
        np.array([f"p{i}" for i in range(24)]),
    )
    found = subgroups_from(answers, axes_of(some, np.arange(24)), replicates=20, seed=0)
    by_name = {each.name: each for each in found.divisions}
    assert by_name["sex"].reference == "female"
    assert by_name["source"].reference == ""  # one source alone has nobody to be compared with
    assert "VI" in by_name["skin_tone"].unheard


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluation")
    evaluate(FakePredictor(), FakePrepared(folder / "set"), folder / "out", replicates=60)
    return folder / "out"


def test_evaluate_writes_every_stratum_as_json_and_as_table(written: Path) -> None:
    content = json.loads((written / "subgroups.json").read_text())
    names = [each["name"] for each in content["axes"]]
    assert names[:6] == ["age", "sex", "site", "source", "confirmed_by", "skin_tone"]
    images = json.loads((written / "evaluation.json").read_text())["images"]
    for each in content["axes"]:
        assert sum(stratum["images"] for stratum in each["strata"]) == images
    tones = content["axes"][5]
    assert tones["nothing_known"] == ["I", "III", "V", "VI"]
    with (written / "subgroups.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == CSV_COLUMNS
    strata = sum(len(each["strata"]) for each in content["axes"])
    assert len(rows) == strata * len(content["metrics"])
    dark = [row for row in rows if row["axis"] == "skin_tone" and row["stratum"] == "VI"]
    assert {(row["value"], row["status"]) for row in dark} == {("", "empty")}
    assert {row["reason"] for row in dark} == {"no images: nothing is known"}


def test_strata_agree_with_the_whole_where_there_is_one_stratum(written: Path) -> None:
    content = json.loads((written / "subgroups.json").read_text())
    whole = json.loads((written / "metrics.json").read_text())
    source = next(each for each in content["axes"] if each["name"] == "source")
    (only,) = source["strata"]
    for key, estimate in only["metrics"].items():
        assert estimate["value"] == pytest.approx(whole[key]["value"], abs=1e-12)
        assert estimate["low"] == pytest.approx(whole[key]["low"], abs=1e-9)


def test_the_page_shows_every_stratum_and_says_what_it_does_not_know(written: Path) -> None:
    page = (written / "report.html").read_text()
    assert "Is it as good for everyone?" in page
    assert "Skin tone, stated (Fitzpatrick type): nothing is known for I, III, V, VI." in page
    content = json.loads((written / "subgroups.json").read_text())
    for each in content["axes"]:
        for stratum in each["strata"]:
            if stratum["status"] != "empty":
                assert f"{stratum['name']} ({stratum['groups']})" in page
    assert "no images: nothing known" in page
    assert 'aria-label="AUC, malignant by subgroup.' in page


def test_a_forest_row_stands_where_its_figure_is(written: Path) -> None:
    page = (written / "report.html").read_text()
    content = json.loads((written / "subgroups.json").read_text())
    sex = next(each for each in content["axes"] if each["name"] == "sex")
    for stratum in sex["strata"]:
        figure = stratum["metrics"]["roc_auc.malignant"]
        assert figure["value"] is not None
        told = f"{figure['value']:.3f}, {figure['low']:.3f} to {figure['high']:.3f}"
        assert f"<title>{stratum['name']}: {told}</title>" in page
