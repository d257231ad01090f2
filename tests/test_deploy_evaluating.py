"""Runs and bundles on prepared sets: who is counted, what is leaky, and where it is written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from deploy_models import recipe
from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.data.prepared import PreparedSet
from lentigo.deploy import evaluating
from lentigo.deploy.bundle import write_bundle
from lentigo.deploy.evaluating import evaluate, report
from lentigo.deploy.runtime import BundlePredictor
from lentigo.errors import InputError
from lentigo.evaluate import Evaluation, read_looks
from lentigo.evaluate.access import LOG_NAME
from lentigo.files import write_json, write_text
from lentigo.recipe import to_toml
from lentigo.train import open_run
from lentigo.train.info import RunInfo
from lentigo.train.run import NetworkRun
from lentigo.train.seal import seal
from test_deploy_bundle import GRAPH, info

SEEDS = (0, 1)


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[PreparedSet]:
    """The same images, split in two ways."""
    folder = tmp_path_factory.mktemp("sets")
    generate(folder / "images", lesions=70, seed=0, size=64)
    return [
        prepare("phantom", folder / "images", folder / str(seed), size=32, seed=seed, workers=1)
        for seed in SEEDS
    ]


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked here does not depend on what a network says."""

    def predict(
        self: NetworkRun | BundlePredictor, images: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        classes = len(self.taxonomy.codes)
        return np.random.default_rng(0).dirichlet(np.ones(classes), len(images))

    def attention(
        self: NetworkRun | BundlePredictor, images: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        return np.ones((len(images), 2, 2, len(self.taxonomy.codes)), np.float32)

    def features(self: NetworkRun, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return images.mean(axis=(1, 2)).astype(np.float32)

    for each in (NetworkRun, BundlePredictor):
        monkeypatch.setattr(each, "predict", predict)
        monkeypatch.setattr(each, "attention", attention)
    monkeypatch.setattr(NetworkRun, "features", features)


@pytest.fixture
def run(sets: list[PreparedSet], tmp_path: Path) -> Path:
    """A run of the first set that validated on fold 1, without its network."""
    path, data = tmp_path / "runs" / "toy-run", sets[0]
    path.mkdir(parents=True)
    rows = data.rows("validation", fold=1)
    logits = np.random.default_rng(1).normal(size=(len(rows), len(data.taxonomy.codes)))
    seal(path, data, rows, logits.astype(np.float32))
    write_text(path / "recipe.toml", to_toml(recipe()))
    write_text(path / "history.csv", "epoch,loss\n1,0.5\n")
    write_json(path / "sight.json", {"down": 0.0, "across": 0.0})  # there is no network to measure
    described = RunInfo(
        name="toy-run",
        recipe="toy",
        recipe_digest="r",
        seed=0,
        fold=1,
        protocol=data.protocol,
        leaky=False,
        source="phantom",
        prepared_path=str(data.path),
        prepared_digest=data.digest,
        test_digest=data.test_digest,
        taxonomy=data.taxonomy,
        spec=data.spec,
        training_images=1,
        validation_images=len(rows),
        parameters=1,
        weights_sha256=None,
        best_epoch=1,
        seconds=1.0,
        environment={},
    )
    write_json(path / "run.json", described.model_dump(mode="json"))
    return path


@pytest.fixture
def bundle(sets: list[PreparedSet], tmp_path: Path) -> Path:
    """A bundle of such a run."""
    data, path = sets[0], tmp_path / "toy.tflite"
    made = {"data_digest": data.digest, "test_digest": data.test_digest, "fold": 1}
    write_bundle(GRAPH, info(taxonomy=data.taxonomy, spec=data.spec, **made), path)
    return path


def measured(model: Path, data: PreparedSet, **options: Any) -> Evaluation:
    return evaluate(model, data, replicates=20, **options)


def test_a_run_and_its_bundle_are_counted_in_one_log(
    sets: list[PreparedSet], run: Path, bundle: Path
) -> None:
    log = sets[0].path.parent / LOG_NAME
    log.unlink(missing_ok=True)
    assert [measured(model, sets[0]).looks for model in (run, bundle, run)] == [1, 2, 3]
    assert len(read_looks(log)) == 3
    assert len(read_looks(run / LOG_NAME)) == 2
    assert not (sets[0].path / LOG_NAME).exists()


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_a_fold_that_was_trained_on_is_leaky_and_validation_is_the_default(
    sets: list[PreparedSet], kind: str, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(kind)
    own = measured(model, sets[0], split="validation")
    assert not own.leaky
    assert own.images == len(sets[0].rows("validation", fold=1))
    other = measured(model, sets[0], split="validation", fold=0)
    assert other.leaky
    assert "trained on some of these very images" in other.cautions[0]
    assert measured(model, sets[0], split="train").leaky
    assert not measured(model, sets[0]).leaky


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_no_evaluation_replaces_that_of_another_question(
    sets: list[PreparedSet], kind: str, request: pytest.FixtureRequest
) -> None:
    model = request.getfixturevalue(kind)
    codes = {code: code for code in sets[0].taxonomy.codes}
    asked = [
        measured(model, sets[0]),
        measured(model, sets[1]),
        measured(model, sets[0], split="validation"),
        measured(model, sets[0], split="validation", fold=0),
        measured(model, sets[1], split="validation", fold=0, labels_map=codes),
    ]
    digest = sets[1].digest[:10]
    assert [each.path.name for each in asked] == [
        "test",
        f"test-{digest}",
        "validation",
        "validation-fold0",
        f"validation-{digest}-fold0-labels",
    ]
    home = model / "evaluation" if kind == "run" else model.with_name("toy-evaluation")
    assert {each.path.parent for each in asked} == {home}


def test_training_images_in_another_sets_test_split_are_counted_and_leaky(
    sets: list[PreparedSet], run: Path
) -> None:
    files = sets[0].manifest["sha256"].iloc[sets[0].rows("train", fold=1)]
    shared = sets[1].manifest["sha256"].iloc[sets[1].rows("test")].isin(set(files)).sum()
    assert shared > 0
    result = measured(run, sets[1])
    assert result.leaky
    assert f"trained on {shared} of these very images" in result.cautions[0]
    assert not any("was not checked" in each for each in result.cautions)


@pytest.mark.parametrize("place", ["toy.tflite", "runs/toy-run/export/toy.tflite", "runs/a.tflite"])
def test_a_bundle_is_as_leaky_as_the_run_that_lies_beside_it(
    place: str, sets: list[PreparedSet], run: Path, tmp_path: Path
) -> None:
    made = {"data_digest": sets[0].digest, "test_digest": sets[0].test_digest, "fold": 1}
    for digest, leaky in (("r", True), ("another recipe", False)):
        told = info(taxonomy=sets[0].taxonomy, spec=sets[0].spec, recipe_digest=digest, **made)
        write_bundle(GRAPH, told, tmp_path / place)
        result = measured(tmp_path / place, sets[1], out=tmp_path / digest)
        assert result.leaky is leaky
        if leaky:
            assert result.cautions == measured(run, sets[1]).cautions


def test_a_training_set_that_is_gone_is_not_missed(sets: list[PreparedSet], run: Path) -> None:
    text = (run / "run.json").read_text().replace(str(sets[0].path), "/nowhere")
    (run / "run.json").write_text(text)
    result = measured(run, sets[1])
    assert not result.leaky
    assert "was not checked" in result.cautions[0]


def test_the_worst_errors_of_a_run_stand_beside_its_nearest_training_images(
    run: Path, sets: list[PreparedSet], bundle: Path
) -> None:
    page = evaluate(run, sets[0], replicates=100).report.read_text()
    assert "Nearest training images" in page
    assert "attention to" in page
    trained = sets[0].manifest["image_id"].iloc[sets[0].rows("train", fold=1)]
    listed = re.findall(r'class="code id">([^<]+)<', page)
    assert listed
    assert set(listed) <= set(trained)
    # Asked about another set, it still knows its own.
    assert "Nearest training images" in evaluate(run, sets[1], replicates=100).report.read_text()
    # A bundle carries no training images.
    assert (
        "Nearest training images"
        not in evaluate(bundle, sets[0], replicates=100).report.read_text()
    )


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_a_rebuilt_report_is_the_page_that_evaluate_wrote_and_counts_no_look(
    sets: list[PreparedSet],
    kind: str,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = request.getfixturevalue(kind)
    codes = {code: code for code in sets[0].taxonomy.codes if code != "vasc"}
    done = [
        measured(model, sets[0], prevalence=0.02),
        measured(model, sets[1], labels_map=codes, seed=3),
        measured(model, sets[0], split="validation"),
    ]
    written = [each.report.read_text() for each in done]
    looks = read_looks(sets[0].path.parent / LOG_NAME)
    for each in (NetworkRun, BundlePredictor):
        monkeypatch.delattr(each, "predict")
    for each, page in zip(done, written, strict=True):
        each.report.unlink()
        assert report(model, split=each.path.name) == each.report
        assert each.report.read_text() == page
    assert read_looks(sets[0].path.parent / LOG_NAME) == looks


def test_a_report_is_rebuilt_from_another_place_into_another_place(
    sets: list[PreparedSet], run: Path, tmp_path: Path
) -> None:
    done = measured(run, sets[0], out=tmp_path / "own")
    page = done.report.read_text()
    again = report(run, split=str(done.path), data=sets[0], out=tmp_path / "new")
    assert again == tmp_path / "new" / "report.html"
    assert again.read_text() == page


def test_a_report_without_its_evaluation_is_refused(
    sets: list[PreparedSet], run: Path, bundle: Path
) -> None:
    with pytest.raises(InputError, match="no finished evaluation of the test split"):
        report(run)
    done = measured(run, sets[0])
    with pytest.raises(InputError, match="is not the prepared set"):
        report(run, data=sets[1])
    with pytest.raises(InputError, match="evaluation of toy-run"):
        report(bundle, split=str(done.path))
    answers = done.path / "predictions.csv"
    text = answers.read_text()
    answers.write_text(text.replace("image_id", "id"))
    with pytest.raises(InputError, match="other columns"):
        report(run)
    answers.write_text(text + "nobody,nv,1,0,0,0,0,0,0\n")
    with pytest.raises(InputError, match="nobody"):
        report(run)
    (done.path / "metrics.json").unlink()
    with pytest.raises(InputError, match="no finished evaluation"):
        report(run)


def test_an_open_run_is_measured_as_it_is_and_not_opened_again(
    sets: list[PreparedSet], run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_run(run)
    by_path = evaluate(run, sets[0], split="validation", replicates=100)
    monkeypatch.delattr(evaluating, "open_predictor")
    at_hand = evaluate(opened, sets[0], split="validation", replicates=100)
    assert at_hand.path == by_path.path == run / "evaluation" / "validation"
    assert at_hand.metrics == by_path.metrics
