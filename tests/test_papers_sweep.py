"""A recipe over a grid: every point measured alike, nothing done twice."""

from __future__ import annotations

import csv
import gc
import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t

from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet
from lentigo.errors import InputError, RecipeError
from lentigo.files import read_json
from lentigo.image.spec import PreprocessSpec
from lentigo.papers.running import Task, Work, do
from lentigo.papers.sweep import sweep
from lentigo.papers.trials import Trial, overrides, parse_grid, read_trials, trials_of
from lentigo.recipe import load_recipe
from lentigo.train import open_run
from small import SMALL, history, small_set

GRID = trials_of({"stages.0.batch_size": [8, 32], "network.alpha": [1.0, 2.0]})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedSet:
    return small_set(tmp_path_factory.mktemp("phantom"), folds=3)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("recipes") / "tiny.toml"
    path.write_text(SMALL, encoding="utf-8")
    return str(path)


def test_every_point_of_the_grid_gets_its_row(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    done = sweep(recipe, data, GRID, out=tmp_path)
    with done.csv.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [(r["stages.0.batch_size"], r["network.alpha"]) for r in rows] == [
        ("8", "1.0"), ("8", "2.0"), ("32", "1.0"), ("32", "2.0")
    ]  # fmt: skip
    measured = {
        json.loads(path.read_text())["balanced_accuracy"]["value"]
        for path in tmp_path.rglob("evaluation/validation/metrics.json")
    }
    assert {float(r["balanced_accuracy"]) for r in rows} == measured
    assert all(float(r["accuracy.low"]) <= float(r["accuracy"]) for r in rows)
    assert len(list((tmp_path / "runs").iterdir())) == 4
    steps: list[object] = []
    again = sweep(recipe, data, GRID, out=tmp_path, report=steps.append)
    assert not steps
    assert again.csv.read_text() == done.csv.read_text()


def test_a_point_that_fails_is_told_and_the_others_go_on(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    grid = trials_of({"network.name": ["no_such_module:build", "tiny_network:build"]})
    done = sweep(recipe, data, grid, out=tmp_path)
    first, second = done.points
    assert "no_such_module" in first.failure
    assert "  -> " in first.failure
    assert " -> " in done.markdown.read_text()
    assert not second.failure
    assert second.figures["accuracy"].value is not None
    assert "failed: " in done.markdown.read_text()


def test_what_a_backend_raises_fails_its_point_alone(
    data: PreparedSet, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(tasks, *_) -> None:
        raise KeyError(f"no room for {tasks[0].recipe.network.alpha}")

    monkeypatch.setattr("lentigo.papers.sweep.measure", out_of_memory)
    done = sweep(recipe, data, trials_of({"network.alpha": [1.0, 2.0]}), out=tmp_path)
    assert ["no room for 1.0" in done.points[0].failure, "2.0" in done.points[1].failure] == [
        True
    ] * 2


def test_a_value_out_of_range_is_refused_before_anything_runs(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match="batch_size"):
        sweep(recipe, data, trials_of({"stages.0.batch_size": [8, 0]}), out=tmp_path)
    assert not (tmp_path / "runs").exists()


def test_all_trials_are_told_at_once_and_what_they_share_once(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    trials = [
        Trial(name="one", set={"los.kind": "focal"}),
        Trial(name="two", set={"stages.0.epochs": 0, "head.dropout": 2}),
        Trial(name="three", set={"stages.7.epochs": 1}),
    ]
    with pytest.raises(RecipeError) as caught:
        sweep(recipe, data, trials, out=tmp_path / "out")
    for told in ("one: los", "two: stages.0.epochs", "two: head.dropout", "three: --set stages.7"):
        assert told in str(caught.value)
    with pytest.raises(RecipeError) as caught:
        sweep(recipe, data, GRID, out=tmp_path / "out", changes=["stages.0.epochs=0"])
    assert str(caught.value).count("stages.0.epochs") == 1
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_measured_is_refused_before_anything_runs(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError) as caught:
        sweep(recipe, data, GRID, out=tmp_path, split="tset", folds=[9], metrics=["roc_auc.mal"])
    for told in ("'tset' is not measured", "no fold 9", "'roc_auc.mal' is no figure; the nearest"):
        assert told in str(caught.value)
    with pytest.raises(RecipeError, match=r"takes 64 pixels"):
        sweep(recipe, data, GRID, out=tmp_path, changes=["network.size=64"])
    assert not (tmp_path / "runs").exists()


def test_every_fold_validates_in_turn_and_differences_are_paired(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    trials = [
        Trial(name="as it is"),
        Trial(name="again"),
        Trial(name="other", title="one epoch", set={"stages.0.epochs": 1}),
        Trial(name="back", against="other"),
    ]
    done = sweep(recipe, data, trials, out=tmp_path, folds=None, metrics=["roc_auc.pale"])
    first, again, other, back = done.points
    assert len(list((tmp_path / "runs").iterdir())) == 2 * data.folds

    def measured(epochs: int) -> list[float]:
        runs = sorted(path.parent for path in tmp_path.rglob("run.json"))
        return [
            read_json(run / "evaluation/validation/metrics.json")["balanced_accuracy"]["value"]
            for run in runs
            if len(history(run).splitlines()) == 1 + epochs
        ]

    long, short = measured(2), measured(1)
    assert len(long) == len(short) == data.folds
    assert first.figures["balanced_accuracy"].value == pytest.approx(np.mean(long))
    apart = other.apart["balanced_accuracy"]
    gaps = np.subtract(short, long)
    assert apart.by_group.value == apart.by_fold.value == pytest.approx(gaps.mean())
    assert apart.by_fold.n_groups == data.folds
    reach = t.ppf(0.975, data.folds - 1) * gaps.std(ddof=1) / np.sqrt(data.folds)
    assert apart.by_fold.high == pytest.approx(gaps.mean() + reach)
    assert not first.apart
    same = again.apart["accuracy"].by_group
    assert (same.value, same.low, same.high) == (0, 0, 0)
    # Folds of a few lesions a class lack one in many draws, whose mean is then of the others.
    unsure = again.apart["balanced_accuracy"].by_group
    assert (unsure.value, unsure.low) == (0, None)
    assert "no interval: undefined in" in unsure.reason
    text = done.markdown.read_text()
    assert "| one epoch |" in text
    assert back.apart["balanced_accuracy"].by_group.value == pytest.approx(-gaps.mean())
    assert "| back (from: one epoch) |" in text
    told = next(line for line in text.splitlines() if line.startswith(f"- {unsure.reason}"))
    assert "again: difference of balanced_accuracy" in told
    assert "| roc_auc.pale |" in text
    with done.csv.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert float(rows[2]["difference.balanced_accuracy"]) == pytest.approx(gaps.mean())
    assert [rows[0]["folds"], rows[0]["difference.accuracy"]] == [str(data.folds), ""]
    assert [each["against"] for each in rows] == ["", "", "", "other"]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="counts what is mapped")
def test_one_training_after_another_keeps_no_pixels(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    def mapped() -> int:
        gc.collect()
        return Path("/proc/self/maps").read_text().count(str(data.path / "images.npy"))

    before = mapped()
    rates = trials_of({"stages.0.learning_rate": [1e-3, 2e-3, 3e-3]})
    sweep(recipe, data.path, rates, out=tmp_path)
    assert mapped() == before


def test_a_first_trial_that_fails_leaves_nothing_to_compare_with(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    broken = Trial(name="broken", set={"network.name": "no_such_module:build"})
    done = sweep(recipe, data, [broken, Trial(name="whole")], out=tmp_path)
    assert done.points[0].failure
    assert done.points[1].figures
    assert not done.points[1].apart


def test_a_trial_may_take_the_same_images_otherwise_prepared(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    images = data.path.parent / "images"
    grey = prepare(
        "phantom",
        images,
        tmp_path / "grey",
        workers=1,
        spec=PreprocessSpec(size=32, greyscale=True),
        splits_of=data.path,
    )
    trials = [Trial(name="colour"), Trial(name="grey", data=str(grey.path))]
    done = sweep(recipe, data, trials, out=tmp_path / "out")
    assert done.points[1].apart["accuracy"].by_group.value is not None
    runs = [read_json(path) for path in tmp_path.rglob("run.json")]
    assert {run["prepared_digest"] for run in runs} == {data.digest, grey.digest}
    prepare("phantom", images, tmp_path / "dealt", size=32, workers=1, seed=5)
    dealt = [trials[0], Trial(name="dealt anew", data=str(tmp_path / "dealt"))]
    with pytest.raises(InputError, match=r"'dealt anew'.*not the same images, split alike"):
        sweep(recipe, data, dealt, out=tmp_path / "none")


BUILT = [
    Trial(name="first"),
    Trial(name="other", set={"stages.0.batch_size": 8}),
    Trial(name="goes on", set={"network.weights": "trial:first"}),
    Trial(name="taught", set={"distillation": {"teachers": ["trial:first", "trial:goes on"]}}),
]


def test_a_trial_builds_on_the_runs_of_earlier_ones_fold_by_fold(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    done = sweep(recipe, data, BUILT, out=tmp_path, folds=[0, 2])
    assert [each.failure for each in done.points] == [""] * 4
    folds = {path.parent: read_json(path)["fold"] for path in tmp_path.rglob("run.json")}
    recipes = {path: open_run(path).recipe() for path in folds}
    began = {path: each.network.weights for path, each in recipes.items()}
    began = {path: Path(each).parent for path, each in began.items() if each != "none"}
    assert (len(folds), len(began)) == (8, 2)
    for path, folder in began.items():
        assert folds[folder] == folds[path]
    taught = {path: each.distillation for path, each in recipes.items() if each.distillation}
    assert len(taught) == 2
    for path, distillation in taught.items():
        first, goes_on = (Path(each).parent for each in distillation.teachers)
        assert folds[first] == folds[goes_on] == folds[path]
        assert began[goes_on] == first
    steps: list[object] = []
    sweep(recipe, data, BUILT, out=tmp_path, folds=[0, 2], report=steps.append)
    assert not steps


def test_what_builds_on_a_failed_trial_fails_alone(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    broken = BUILT[0].model_copy(update={"set": {"network.name": "no_such_module:build"}})
    done = sweep(recipe, data, [broken, *BUILT[1:]], out=tmp_path)
    assert not done.points[1].failure
    assert [each.failure for each in done.points[2:]] == [
        "A row it builds on failed or is not there: first.",
        "A row it builds on failed or is not there: first, goes on.",
    ]


def test_on_a_cluster_a_trial_waits_for_those_it_builds_on(
    data: PreparedSet, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    handed: list[int] = []

    def take(address: str, tasks: Sequence[Task], say: object) -> Work:
        handed.append(len(tasks))
        return do

    monkeypatch.setattr("lentigo.papers.sweep.run_all", take)
    done = sweep(recipe, data, BUILT, out=tmp_path, folds=[0], cluster="local")
    assert handed == [2, 1, 1]
    assert not any(each.failure for each in done.points)


def test_trials_are_read_whole_or_refused_with_all_that_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "tried.toml"
    path.write_text(
        'title = "t"\n[set]\n"head.dropout" = 0.5\n'
        '[[trials]]\nname = "a"\n[[trials]]\nname = "b"\n[trials.set]\n"loss.kind" = "focal"\n'
    )
    read = read_trials(str(path))
    assert [each.overrides for each in read.trials] == [[], ['loss.kind="focal"']]
    assert read.set == {"head.dropout": 0.5}
    path.write_text('title = "t"\n[[trials]]\nname = "a"\n[[trials]]\nname = "a"\n')
    with pytest.raises(InputError, match="trials stand twice: a"):
        read_trials(str(path))
    path.write_text('title = "t"\n[[trials]]\nname = "a"\nagainst = "b"\n[[trials]]\nname = "b"\n')
    with pytest.raises(InputError, match="'a' is against 'b', no row before it"):
        read_trials(str(path))
    path.write_text(
        'title = "t"\n[[trials]]\nname = "a"\n[trials.set]\n"soup.runs" = ["trial:b"]\n'
        '[[trials]]\nname = "b"\n'
    )
    with pytest.raises(InputError, match="'a' builds on 'b', no row before it"):
        read_trials(str(path))
    path.write_text('title = "t"\n[[trials]]\nnome = "a"\n')
    with pytest.raises(InputError, match="nome"):
        read_trials(str(path))


def test_a_packaged_row_gives_the_network_metadata_beside_the_others(
    data: PreparedSet, recipe: str, tmp_path: Path
) -> None:
    rows = {each.name: each for each in read_trials("lentigo-small").trials}
    done = sweep(
        recipe,
        data,
        [rows["as-it-is"], rows["metadata"]],
        out=tmp_path,
        changes=["stages.0.epochs=1", "stages.0.average_from=0"],
    )
    assert [each.failure for each in done.points] == ["", ""]
    assert done.points[1].apart["accuracy"].by_group.value is not None
    runs = [read_json(path)["metadata"] for path in tmp_path.rglob("run.json")]
    assert sorted(each is None for each in runs) == [False, True]


def test_every_packaged_row_changes_its_recipe_and_takes_the_size_of_its_images() -> None:
    tried = read_trials("lentigo-small")
    recipes = {}
    for each in tried.trials:
        changed = load_recipe("lentigo-small", [*overrides(tried.set), *each.overrides])
        named = re.search(r"\d+", each.data or "c96f5")
        assert changed.network.size == int(named[0])
        recipes[each.name] = (changed.model_dump_json(), each.data)
    assert len(set(recipes.values())) == len(recipes)


def test_grids_are_read_from_text() -> None:
    texts = ["stages.0.batch_size=16,32", "network.name=MobileNet,MobileNetV2", "seed=1,x"]
    assert parse_grid([*texts, "augmentation.zoom=[0.8, 1.2],[1.0, 1.0]"]) == {
        "stages.0.batch_size": [16, 32],
        "network.name": ["MobileNet", "MobileNetV2"],
        "seed": [1, "x"],
        "augmentation.zoom": [[0.8, 1.2], [1.0, 1.0]],
    }
    for bad in (["batch"], ["=1,2"], ["a=1", "a=2"], []):
        with pytest.raises(InputError):
            parse_grid(bad)


def test_on_a_cluster_every_training_of_the_grid_is_handed_over_at_once(
    data: PreparedSet, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray", reason="ray is not installed")
    handed: list[Task] = []

    def take(address: str, tasks: Sequence[Task], say: object) -> Work:
        assert (address, say) == ("local", None)
        handed.extend(tasks)
        return do

    monkeypatch.setattr("lentigo.papers.sweep.run_all", take)
    done = sweep(recipe, data, GRID, out=tmp_path / "out", cluster="local", seeds=1)
    assert len({task.key for task in handed}) == 4 == len(done.points)
    with pytest.raises(InputError, match="no cluster"):
        sweep(recipe, data, GRID, out=tmp_path / "none", cluster="elsewhere")
