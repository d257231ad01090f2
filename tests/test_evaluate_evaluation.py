"""An evaluation from a predictor and a prepared set to its figures: what it counts and refuses."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fake_evaluation import IMAGES, FakePredictor, FakePrepared, FakeSpec, measured
from lentigo import score
from lentigo.cli import reporting
from lentigo.errors import InputError
from lentigo.evaluate import outputs
from lentigo.evaluate.predictor import predict_rows
from lentigo.taxonomy import HAM10000, ISIC2017


@pytest.fixture
def prepared(tmp_path: Path) -> FakePrepared:
    return FakePrepared(tmp_path / "set")


def lines_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_metrics_have_the_keys_and_fields_of_the_contract(prepared, tmp_path) -> None:
    measured(prepared, tmp_path / "out")
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    named = {"accuracy", "balanced_accuracy", "roc_auc.macro", "roc_auc.malignant"}
    named |= {"sensitivity", "specificity", "precision", "f1", "expected_calibration_error"}
    named |= {f"{m}.{code}" for m in ("roc_auc", "average_precision") for code in HAM10000.codes}
    named |= {"sensitivity.mel.argmax", "sensitivity.macro.argmax"}
    named |= {"sensitivity.malignant.sensitivity_0.90", "specificity.malignant.sensitivity_0.90"}
    assert named <= set(metrics)
    for each in metrics.values():
        assert {"value", "low", "high", "n_groups"} <= set(each)
    assert metrics["sensitivity"] == metrics["sensitivity.macro.argmax"]
    assert metrics["accuracy"]["n_groups"] == 80


def test_predictions_can_be_scored_again_to_the_same_figures(prepared, tmp_path) -> None:
    result = measured(prepared, tmp_path / "out")
    rows = lines_of(tmp_path / "out" / "predictions.csv")
    assert list(rows[0]) == ["image_id", "label", *HAM10000.codes]
    assert [row["image_id"] for row in rows] == prepared.manifest["image_id"][
        prepared.rows("test")
    ].tolist()
    labels = [HAM10000.index(row["label"]) for row in rows]
    probability = [[float(row[code]) for code in HAM10000.codes] for row in rows]
    assert result.metrics["balanced_accuracy"].value == score.balanced_accuracy(labels, probability)
    confusion = lines_of(tmp_path / "out" / "confusion.csv")
    counted = sum(int(n) for row in confusion for column, n in row.items() if column != "label")
    assert counted == result.images == 120


def test_the_same_evaluation_writes_the_same_figures(prepared, tmp_path) -> None:
    for name in ("a", "b"):
        measured(prepared, tmp_path / name)
    for name in ("metrics.json", "predictions.csv", "confusion.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_images_are_read_in_batches(prepared) -> None:
    predictor = FakePredictor()
    seen: list[tuple[int, int]] = []
    rows = prepared.rows("test")
    in_batches = predict_rows(
        predictor, prepared, rows, batch=16, progress=lambda done, of: seen.append((done, of))
    )
    assert predictor.largest_batch == 16
    assert seen[-1] == (120, 120)
    np.testing.assert_array_equal(in_batches, predict_rows(predictor, prepared, rows))


def test_a_set_of_another_size_is_refused_and_not_logged(prepared, tmp_path) -> None:
    predictor = FakePredictor(spec=FakeSpec(size=64, crop="none"))
    with pytest.raises(InputError, match=r"crop: .*size: the model needs 64, the set has 32"):
        measured(prepared, tmp_path / "out", predictor)
    assert not (tmp_path / "test_access.jsonl").exists()


def test_logits_instead_of_probabilities_are_refused(prepared, tmp_path) -> None:
    class Raw(FakePredictor):
        def predict(self, images: np.ndarray) -> np.ndarray:
            return np.log(super().predict(images))

    with pytest.raises(InputError, match="do not sum to 1"):
        measured(prepared, tmp_path / "out", Raw())


def test_a_killed_evaluation_does_not_look_finished(prepared, tmp_path, monkeypatch) -> None:
    out = tmp_path / "out"
    measured(prepared, out)
    assert (out / outputs.METRICS).is_file()

    def killed(*_: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs, "render", killed)
    with pytest.raises(KeyboardInterrupt):
        measured(prepared, out)
    assert not (out / outputs.METRICS).exists()


def test_files_of_others_are_not_written_over(prepared, tmp_path) -> None:
    (tmp_path / "predictions.csv").write_text("mine")
    with pytest.raises(InputError, match=r"holds predictions\.csv, and no evaluation"):
        measured(prepared, tmp_path)
    assert (tmp_path / "predictions.csv").read_text() == "mine"
    assert sorted(each.name for each in tmp_path.iterdir() if each.is_file()) == ["predictions.csv"]


def test_every_look_is_counted_across_runs(prepared, tmp_path) -> None:
    runs = [tmp_path / "runs" / name for name in ("one", "two")]
    for index, run in enumerate(runs):
        run.mkdir(parents=True)
        predictor = FakePredictor(name=run.name)
        result = measured(prepared, run / "evaluation", predictor, run_folder=run)
        assert result.looks == index + 1
    assert len((tmp_path / "test_access.jsonl").read_text().splitlines()) == 2
    assert len((runs[0] / "test_access.jsonl").read_text().splitlines()) == 1
    assert "looks at this list</dt><dd><b>2</b>, by 2 models" in result.report.read_text()


def test_another_sets_classes_are_mapped_and_the_rest_dropped_and_counted(tmp_path) -> None:
    prepared = FakePrepared(tmp_path / "set", taxonomy=ISIC2017)
    result = measured(prepared, tmp_path / "out", labels_map={"melanoma": "mel", "nevus": "nv"})
    context = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert context["dropped"] == {"seborrheic_keratosis": 40}
    assert result.images == 80
    labels = {row["label"] for row in lines_of(tmp_path / "out" / "predictions.csv")}
    assert labels == {"mel", "nv"}
    assert result.metrics["roc_auc.bcc"].value is None
    assert "Left out" in result.report.read_text()


def test_the_console_says_what_was_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared = FakePrepared(tmp_path / "set", taxonomy=ISIC2017)
    found = measured(prepared, tmp_path / "out", labels_map={"melanoma": "mel", "nevus": "nv"})
    monkeypatch.setattr(reporting, "need_training", lambda: None)
    monkeypatch.setattr("lentigo.deploy.evaluating.evaluate", lambda *_, **__: found)
    reporting.evaluate(Path("run"), Path("set"))
    assert "Left out" in (told := capsys.readouterr().out)
    assert "40 seborrheic_keratosis images" in told
    reporting.evaluate(Path("run"), Path("set"), json=True)
    assert json.loads(capsys.readouterr().out)["dropped"] == {"seborrheic_keratosis": 40}


def test_foreign_classes_without_a_map_are_refused_by_name(tmp_path) -> None:
    prepared = FakePrepared(tmp_path / "set", taxonomy=ISIC2017)
    with pytest.raises(InputError, match=r"melanoma, nevus, seborrheic_keratosis[\s\S]*--labels"):
        measured(prepared, tmp_path / "out")


@pytest.mark.parametrize("key", ["prepared_digest", "data_digest"])
def test_a_fold_that_was_trained_on_is_stamped_leaky(prepared, tmp_path, key) -> None:
    prepared.manifest["split"] = prepared.manifest["split"].replace({"train": "validation"})
    predictor = FakePredictor(description={key: prepared.digest, "fold": 0})
    for fold, leaky in ((0, False), (1, True)):
        result = measured(prepared, tmp_path / str(fold), predictor, split="validation", fold=fold)
        assert result.leaky is leaky
        assert any("trained on some" in caution for caution in result.cautions) is leaky


def test_a_set_without_names_of_lesions_does_not_claim_to_keep_them_apart(
    prepared, tmp_path
) -> None:
    assert not any("name neither" in each for each in measured(prepared, tmp_path / "a").cautions)
    prepared.manifest.loc[:6, "lesion_id"] = ""
    result = measured(prepared, tmp_path / "b")
    told = f"7 of the set's {IMAGES} images name neither lesion nor patient"
    assert any(told in each for each in result.cautions)
    assert told in result.report.read_text().replace("&#39;", "'")
    prepared.leaky = True  # stamped as a whole
    assert not any("name neither" in each for each in measured(prepared, tmp_path / "c").cautions)


def test_a_look_at_all_images_is_one_at_the_test_list_too(prepared, tmp_path) -> None:
    assert measured(prepared, tmp_path / "all", split="all").looks == 1
    assert measured(prepared, tmp_path / "test").looks == 2
    assert measured(prepared, tmp_path / "train", split="train").looks == 1
    assert measured(prepared, tmp_path / "again").looks == 3


def test_all_of_the_set_that_was_trained_on_is_stamped_leaky(prepared, tmp_path) -> None:
    own = FakePredictor(description={"prepared_digest": prepared.digest, "fold": 0})
    assert measured(prepared, tmp_path / "own", own, split="all", fold=0).leaky
    elsewhere = FakePredictor(description={"prepared_digest": "other", "fold": 0})
    assert not measured(prepared, tmp_path / "elsewhere", elsewhere, split="all", fold=0).leaky


def test_images_of_another_set_that_were_trained_on_are_counted(prepared, tmp_path) -> None:
    prepared.manifest["sha256"] = [f"{i:064x}" for i in range(IMAGES)]
    files = frozenset(prepared.manifest["sha256"].iloc[:8])  # two of them are not in the test split
    predictor = FakePredictor(description={"prepared_digest": "other"})
    result = measured(prepared, tmp_path / "a", predictor, training_files=files)
    assert result.leaky
    assert "trained on 6 of these very images" in result.cautions[0]
    assert all(caution in result.report.read_text() for caution in result.cautions)
    assert not measured(
        prepared, tmp_path / "b", predictor, training_files=frozenset({"none"})
    ).leaky


def test_predictive_values_are_restated_for_a_prevalence(prepared, tmp_path) -> None:
    result = measured(prepared, tmp_path / "out", prevalence=0.0176)
    assert "where 1.76% of the lesions are malignant" in result.report.read_text()
    told = json.loads((tmp_path / "out" / "evaluation.json").read_text())["prevalence"]
    assert told["prevalence"] == 0.0176
    point = told["operating_points"][0]
    here = result.metrics["precision.malignant.sensitivity_0.90"].value
    assert point["precision"]["value"] < here


def test_a_prevalence_in_per_cent_is_refused_before_the_look(prepared, tmp_path) -> None:
    with pytest.raises(InputError, match=r"0\.0176 means 1\.76%"):
        measured(prepared, tmp_path / "out", prevalence=1.76)
    assert not (tmp_path / "test_access.jsonl").exists()
