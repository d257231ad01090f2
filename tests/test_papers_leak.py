"""The leak, measured: what each of the four splits may and may not share, and what is written."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lentigo.cli import leaking
from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet, open_prepared
from lentigo.errors import InputError, RecipeError
from lentigo.files import write_json
from lentigo.papers.dealing import FAIR, WAYS, Way, deal
from lentigo.papers.leak import STAMP, Leak, leak, paired
from lentigo.papers.running import Task
from lentigo.recipe import parse_recipe, to_toml
from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE
from small import lentigo

RECIPE = parse_recipe(
    """
name = "quick"
title = "A support vector machine"
[network]
size = 48
[classic]
kernels = ["rbf"]
c = [1, 10]
[classic.features]
histogram_bins = 2
""",
    "here",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    folder = tmp_path_factory.mktemp("phantom")
    generate(folder / "raw", lesions=98, size=64, seed=0)
    return prepare("phantom", folder / "raw", folder / "prepared", size=48, folds=3)


def sides(dealt: PreparedSet) -> dict[str, set[str]]:
    """The originals on each side, for themselves or in a copy."""
    table = dealt.manifest
    original = table["parent_id"].where(table["parent_id"] != "", table["image_id"])
    return {side: set(original[table["split"] == side]) for side in ("train", "test")}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_only_the_fair_ways_keep_a_lesion_on_one_side(
    way: Way, data: PreparedSet, tmp_path: Path
) -> None:
    dealt = deal(data, way, 0, 1.0, tmp_path)
    group = dict(zip(data.manifest["image_id"], data.manifest["group_id"], strict=True))
    found = {side: {group[each] for each in ids} for side, ids in sides(dealt).items()}
    assert bool(found["train"] & found["test"]) == (way.split == "image")
    assert dealt.leaky == way.leaky


def test_copies_of_one_image_are_on_both_sides_only_where_dealt_by_themselves(
    data: PreparedSet, tmp_path: Path
) -> None:
    for way in WAYS:
        found = sides(deal(data, way, 0, 1.0, tmp_path))
        assert bool(found["train"] & found["test"]) == (way.name == "image-before")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_copies_are_measured_only_where_they_were_made_before_the_split(
    way: Way, data: PreparedSet, tmp_path: Path
) -> None:
    table = deal(data, way, 0, 1.0, tmp_path).manifest
    copies = table["parent_id"] != ""
    assert copies.any()
    measured = bool((copies & (table["split"] == "test")).any())
    assert measured == (way.oversampled == "before")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_intervals_draw_the_same_groups_however_images_are_dealt(
    way: Way, data: PreparedSet, tmp_path: Path
) -> None:
    dealt = deal(data, way, 0, 1.0, tmp_path)
    named = dealt.manifest["parent_id"].where(
        dealt.manifest["parent_id"] != "", dealt.manifest["image_id"]
    )
    whole = dict(zip(data.manifest["image_id"], data.groups, strict=True))
    assert dealt.groups.tolist() == [whole[each] for each in named]


def test_the_sets_own_test_images_take_no_part(data: PreparedSet, tmp_path: Path) -> None:
    held = set(data.manifest["image_id"][data.manifest["split"] == "test"])
    assert held
    for way in WAYS:
        found = sides(deal(data, way, 1, 1.0, tmp_path))
        assert not held & (found["train"] | found["test"])


def test_rows_still_point_to_their_own_pixels(data: PreparedSet, tmp_path: Path) -> None:
    dealt = deal(data, WAYS[0], 0, 1.0, tmp_path)
    assert dealt.manifest["image_id"][: len(data.manifest)].tolist() == (
        data.manifest["image_id"].tolist()
    )
    for row in (0, 50, len(data.manifest) - 1):
        assert np.array_equal(dealt.images[row], data.images[row])
    copy = len(data.manifest)
    assert dealt.images[copy].shape == (48, 48, 3)
    assert (
        dealt.labels[copy]
        == dealt.labels[
            dealt.manifest["image_id"].tolist().index(dealt.manifest["parent_id"][copy])
        ]
    )


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_what_is_dealt_is_a_prepared_set_over_the_same_pixels(
    way: Way, data: PreparedSet, tmp_path: Path
) -> None:
    dealt = deal(data, way, 0, 1.0, tmp_path)
    opened = open_prepared(tmp_path)
    assert opened.digest == dealt.digest
    assert opened.labels.tolist() == dealt.labels.tolist()
    assert (tmp_path / "images.npy").samefile(data.path / "images.npy")
    marker = (tmp_path / "prepared.json").stat().st_mtime_ns
    deal(data, way, 0, 1.0, tmp_path)
    assert (tmp_path / "prepared.json").stat().st_mtime_ns == marker
    assert deal(data, way, 0, 0.5, tmp_path).digest != dealt.digest


def test_each_seed_deals_anew_and_the_same_seed_the_same(data: PreparedSet, tmp_path: Path) -> None:
    lists = [deal(data, FAIR, seed, 1.0, tmp_path).test_digest for seed in (0, 0, 1)]
    assert lists[0] == lists[1] != lists[2]


def test_a_set_that_cuts_groups_already_is_refused(tmp_path: Path) -> None:
    generate(tmp_path / "raw", lesions=28, size=32, seed=0)
    cut = prepare(
        "phantom",
        tmp_path / "raw",
        tmp_path / "p",
        size=32,
        folds=2,
        group_by="image",
        protocol="as-published",
    )
    with pytest.raises(InputError, match="nothing to compare"):
        leak(RECIPE, cut, seeds=1, out=tmp_path / "out")


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=8), st.floats(-1, 1))
def test_a_constant_gain_claims_no_certainty(fair: list[float], gain: float) -> None:
    found = paired([each + gain for each in fair], fair)
    assert found.value is not None
    assert math.isclose(found.value, gain, abs_tol=1e-9)
    assert (found.low, found.high) == (None, None)
    assert found.reason == "no interval: all seeds gave the same"


def test_the_interval_is_students_over_the_pairs() -> None:
    found = paired([0.9, 0.8, 1.0], [0.5, 0.6, 0.4])
    # Gaps 0.4, 0.2, 0.6: deviation 0.2, t(0.975; 2) = 4.3027.
    reach = 4.302652729749464 * 0.2 / math.sqrt(3)
    assert (found.value, found.low, found.high) == pytest.approx((0.4, 0.4 - reach, 0.4 + reach))
    assert paired([0.9], [0.5]).low is None


def test_a_leak_is_measured_written_stamped_and_resumed(data: PreparedSet, tmp_path: Path) -> None:
    told: list[str] = []
    done = leak(RECIPE, data, seeds=2, up_to=0.8, out=tmp_path, say=told.append)
    assert len(told) == 8
    assert len(list((tmp_path / "runs").iterdir())) == 8
    page = done.page.read_text()
    assert STAMP in page
    assert page.count('class="stamped"') == 4  # two ways in two tables
    rows = list(csv.DictReader(done.csv.read_text().splitlines()))
    assert {row["stamp"] for row in rows if row["split"] == "image"} == {"LEAKY"}
    assert {row["stamp"] for row in rows if row["split"] == "grouped"} == {""}
    content = json.loads(done.json.read_text())
    gained = content["inflation"]["image-before"]["balanced_accuracy"]
    pairs = [
        np.mean(
            [
                float(r["value"])
                for r in rows
                if (r["split"], r["oversampled"], r["metric"]) == (*way, "balanced_accuracy")
            ]
        )
        for way in (("image", "before"), ("grouped", "after"))
    ]
    assert gained["value"] == pytest.approx(pairs[0] - pairs[1])
    before = {each: each.stat().st_mtime_ns for each in (tmp_path / "runs").rglob("run.json")}
    again = leak(RECIPE, data, seeds=2, up_to=0.8, out=tmp_path)
    assert again.figures == done.figures
    assert before == {e: e.stat().st_mtime_ns for e in (tmp_path / "runs").rglob("run.json")}
    names = [np.load(each)["names"] for each in (tmp_path / "features").rglob("*.npz")]
    described, wanted = np.concatenate(names), 0
    for each in before:
        info = json.loads(each.read_text())
        wanted += info["training_images"] + info["validation_images"]
    assert len(described) == len(set(described.tolist())) < wanted / 4, "described once for all"
    stamped = [json.loads(each.read_text())["leaky"] for each in before]
    assert sorted(stamped) == [False] * 4 + [True] * 4


def test_the_command_ends_with_what_it_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = Leak({}, {}, tmp_path / "leak.html", tmp_path / "leak.csv", tmp_path / "leak.json")
    monkeypatch.setattr("lentigo.papers.leak.leak", lambda *_, **__: done)
    leaking.leak("phantom-quick", tmp_path)
    assert capsys.readouterr().out.splitlines()[-1] == NOT_A_MEDICAL_DEVICE


def test_a_figure_that_is_undefined_for_a_seed_leaves_the_others_at_their_own(
    data: PreparedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measured(task: Task, **_: object) -> Path:
        undefined = task.seed == 0 and "image-before" in task.data.name
        metrics = {
            "accuracy": {"value": 0.5},
            "roc_auc.macro": {"value": None if undefined else 0.7},
            "roc_auc.malignant": {"value": None},
        }
        folder = tmp_path / "evaluations" / f"{task.data.name}-{task.seed}"
        write_json(folder / "metrics.json", metrics)
        write_json(folder / "evaluation.json", {"images": 40 + task.seed, "groups": 12})
        return folder

    monkeypatch.setattr("lentigo.papers.leak.do", measured)
    done = leak(RECIPE, data, seeds=2, out=tmp_path)
    rows = [
        (row["metric"], row["seed"], row["value"])
        for row in csv.DictReader(done.csv.read_text().splitlines())
        if (row["split"], row["oversampled"]) == ("image", "before")
    ]
    assert rows == [
        ("roc_auc.macro", "0", ""),
        ("roc_auc.macro", "1", "0.7"),
        ("accuracy", "0", "0.5"),
        ("accuracy", "1", "0.5"),
    ]
    content = json.loads(done.json.read_text())
    assert content["measured"]["image-before"] == [
        {"images": 40, "groups": 12},
        {"images": 41, "groups": 12},
    ]
    assert done.page.read_text().count("<td>40 to 41</td><td>12</td>") == len(WAYS)
    assert content["figures"]["image-before"]["roc_auc.macro"] == [None, 0.7]
    assert done.inflation["image-before"]["roc_auc.macro"].value is None
    assert done.inflation["image-after"]["roc_auc.macro"].value == 0


@pytest.mark.soak
def test_on_a_cluster_the_figures_are_the_same(data: PreparedSet, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    here = leak(RECIPE, data, seeds=1, up_to=0.6, out=tmp_path / "here")
    recipe = tmp_path / "quick.toml"
    recipe.write_text(to_toml(RECIPE), encoding="utf-8")
    # Ray warns of its own future, and warnings are errors here.
    said, _ = lentigo(
        *("leak", recipe, "--data", data.path, "--seeds", 1, "--up-to", 0.6),
        *("--cluster", "local", "--out", tmp_path / "there", "--json"),
    )
    assert json.loads(said)["figures"] == here.figures


def test_images_of_another_size_are_refused_before_anything_is_dealt(
    data: PreparedSet, tmp_path: Path
) -> None:
    larger = parse_recipe(to_toml(RECIPE), "here", ["network.size=64"])
    with pytest.raises(RecipeError, match="takes 64 pixels"):
        leak(larger, data, seeds=1, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_cluster_is_told_before_anything_is_made(data: PreparedSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no cluster"):
        leak(RECIPE, data, seeds=1, cluster="elsewhere", out=tmp_path / "none")
    assert not (tmp_path / "none").exists()
