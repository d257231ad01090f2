"""An evaluation from a predictor and a prepared set to its files."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel, ConfigDict

from lentigo import score
from lentigo.errors import InputError
from lentigo.evaluate import evaluate, outputs
from lentigo.evaluate.predictor import predict_rows
from lentigo.evaluate.sections import SECTIONS
from lentigo.files import digest_list
from lentigo.taxonomy import HAM10000, ISIC2017, LesionClass, Taxonomy

SIZE = 32
IMAGES = 160


class FakeSpec(BaseModel):
    model_config = ConfigDict(frozen=True)
    size: int = SIZE
    crop: str = "center-square"
    greyscale: bool = False
    hair_removal: None = None
    colour_constancy: None = None


class FakeInfo(BaseModel):
    protocol: str
    leaky: bool
    digest: str
    group_by: str = "lesion"
    seed: int = 0
    folds: int = 5
    test_digest: str = "t" * 64


@dataclass(frozen=True)
class FakePoint:
    name: str = "sensitivity_0.90"
    target_sensitivity: float = 0.9
    threshold: float = 0.3


@dataclass
class FakePrepared:
    path: Path
    taxonomy: Taxonomy = HAM10000
    spec: FakeSpec = field(default_factory=FakeSpec)
    protocol: str = "leak-free"
    leaky: bool = False
    digest: str = "d" * 64
    seed: int = 0

    def __post_init__(self) -> None:
        rng = np.random.default_rng(1)
        self.labels = np.arange(IMAGES) % len(self.taxonomy.codes)
        self.images = rng.integers(0, 255, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
        # The label is written into a pixel, so that a fake predictor can find it.
        self.images[:, 0, 0, 0] = self.labels
        self.manifest = pd.DataFrame(
            {
                "image_id": [f"img_{i:04d}" for i in range(IMAGES)],
                "group_id": [f"les_{i // 2:04d}" for i in range(IMAGES)],
                "split": ["train" if i % 4 == 0 else "test" for i in range(IMAGES)],
                "age": [np.nan if i % 9 == 0 else float(i % 90) for i in range(IMAGES)],
                "sex": ["female" if i % 3 else "male" for i in range(IMAGES)],
                "site": ["back" if i % 2 else "" for i in range(IMAGES)],
                "source": ["fake"] * IMAGES,
                "confirmed_by": ["histo" if i % 5 else "" for i in range(IMAGES)],
                "skin_tone": [("II", "IV", "")[i % 3] for i in range(IMAGES)],
                "license": ["CC0"] * IMAGES,
                "label": [self.taxonomy.codes[label] for label in self.labels],
            }
        )
        self.audit = {"duplicates": {"near": [["img_0000", "img_0001"]]}}
        self.info = FakeInfo(protocol=self.protocol, leaky=self.leaky, digest=self.digest)

    def rows(self, split: str, fold: int | None = None) -> np.ndarray:
        wanted = {"train", "test"} if split == "all" else {split}
        return np.flatnonzero(self.manifest["split"].isin(wanted).to_numpy())

    @property
    def test_digest(self) -> str:
        return digest_list(self.manifest["image_id"].to_numpy()[self.rows("test")].tolist())


@dataclass
class FakePredictor:
    taxonomy: Taxonomy = HAM10000
    spec: FakeSpec = field(default_factory=FakeSpec)
    operating_points: tuple[FakePoint, ...] = (FakePoint(),)
    name: str = "fake"
    largest_batch: int = 0
    description: dict[str, Any] = field(default_factory=lambda: {"recipe": "none", "seed": 3})

    def describe(self) -> dict[str, Any]:
        history = [
            {"epoch": e, "stage": "one", "loss": 1 / e, "val_loss": 2 / e, "val_accuracy": 0.5}
            for e in range(1, 5)
        ]
        return {**self.description, "history": history}

    def predict(self, images: np.ndarray) -> np.ndarray:
        self.largest_batch = max(self.largest_batch, len(images))
        k = len(self.taxonomy.codes)
        logits = 2 * np.eye(k)[images[:, 0, 0, 0] % k]
        noise = images[:, 1:3, :k, 0].astype(float).mean(axis=1)
        return score.softmax(logits + noise / 40)


@pytest.fixture
def prepared(tmp_path: Path) -> FakePrepared:
    return FakePrepared(tmp_path / "set")


def _run(prepared: FakePrepared, out: Path, predictor: Any = None, **options: Any) -> Any:
    options.setdefault("replicates", 40)
    return evaluate(predictor or FakePredictor(), prepared, out, **options)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_metrics_have_the_keys_and_fields_of_the_contract(prepared, tmp_path) -> None:
    _run(prepared, tmp_path / "out")
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
    result = _run(prepared, tmp_path / "out")
    rows = _rows(tmp_path / "out" / "predictions.csv")
    assert list(rows[0]) == ["image_id", "label", *HAM10000.codes]
    assert [row["image_id"] for row in rows] == prepared.manifest["image_id"][
        prepared.rows("test")
    ].tolist()
    labels = [HAM10000.index(row["label"]) for row in rows]
    probability = [[float(row[code]) for code in HAM10000.codes] for row in rows]
    assert result.metrics["balanced_accuracy"].value == score.balanced_accuracy(labels, probability)
    confusion = _rows(tmp_path / "out" / "confusion.csv")
    counted = sum(int(n) for row in confusion for column, n in row.items() if column != "label")
    assert counted == result.images == 120


def test_the_same_evaluation_writes_the_same_figures(prepared, tmp_path) -> None:
    for name in ("a", "b"):
        _run(prepared, tmp_path / name)
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
        _run(prepared, tmp_path / "out", predictor)
    assert not (tmp_path / "test_access.jsonl").exists()


def test_logits_instead_of_probabilities_are_refused(prepared, tmp_path) -> None:
    class Raw(FakePredictor):
        def predict(self, images: np.ndarray) -> np.ndarray:
            return np.log(super().predict(images))

    with pytest.raises(InputError, match="do not sum to 1"):
        _run(prepared, tmp_path / "out", Raw())


def test_a_killed_evaluation_does_not_look_finished(prepared, tmp_path, monkeypatch) -> None:
    out = tmp_path / "out"
    _run(prepared, out)
    assert (out / outputs.METRICS).is_file()

    def killed(*_: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(outputs, "render", killed)
    with pytest.raises(KeyboardInterrupt):
        _run(prepared, out)
    assert not (out / outputs.METRICS).exists()


def test_every_look_is_counted_across_runs(prepared, tmp_path) -> None:
    runs = [tmp_path / "runs" / name for name in ("one", "two")]
    for index, run in enumerate(runs):
        run.mkdir(parents=True)
        predictor = FakePredictor(name=run.name)
        result = _run(prepared, run / "evaluation", predictor, run_folder=run)
        assert result.looks == index + 1
    assert len((tmp_path / "test_access.jsonl").read_text().splitlines()) == 2
    assert len((runs[0] / "test_access.jsonl").read_text().splitlines()) == 1
    assert "looks at this list</dt><dd><b>2</b>, by 2 models" in result.report.read_text()


def test_another_sets_classes_are_mapped_and_the_rest_dropped_and_counted(tmp_path) -> None:
    prepared = FakePrepared(tmp_path / "set", taxonomy=ISIC2017)
    result = _run(prepared, tmp_path / "out", labels_map={"melanoma": "mel", "nevus": "nv"})
    context = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert context["dropped"] == {"seborrheic_keratosis": 40}
    assert result.images == 80
    labels = {row["label"] for row in _rows(tmp_path / "out" / "predictions.csv")}
    assert labels == {"mel", "nv"}
    assert result.metrics["roc_auc.bcc"].value is None
    assert "Left out" in result.report.read_text()


def test_foreign_classes_without_a_map_are_refused_by_name(tmp_path) -> None:
    prepared = FakePrepared(tmp_path / "set", taxonomy=ISIC2017)
    with pytest.raises(InputError, match=r"melanoma, nevus, seborrheic_keratosis[\s\S]*--labels"):
        _run(prepared, tmp_path / "out")


def test_a_leaky_protocol_is_stamped_on_the_report(tmp_path) -> None:
    prepared = FakePrepared(tmp_path / "set", leaky=True, protocol="as-published")
    result = _run(prepared, tmp_path / "out")
    assert result.leaky
    assert "<strong>LEAKY.</strong>" in result.report.read_text()
    clean = _run(FakePrepared(tmp_path / "set"), tmp_path / "clean")
    assert "LEAKY" not in clean.report.read_text()


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_report_needs_no_other_file_and_describes_every_picture(prepared, tmp_path) -> None:
    text = _run(prepared, tmp_path / "out").report.read_text()
    page = _Page()
    page.feed(text)
    assert not [tag for tag, _ in page.tags if tag in {"script", "link", "iframe"}]
    assert "http://" not in text
    assert "https://" not in text
    for tag, attributes in page.tags:
        if tag == "img":
            assert (attributes["src"] or "").startswith("data:image/jpeg;base64,")
            assert attributes["alt"]
        if tag == "svg":
            assert attributes["aria-label"]
    assert "not a medical device" in text
    assert ">nan" not in text.lower()


def test_what_a_predictor_says_of_itself_is_escaped(prepared, tmp_path) -> None:
    predictor = FakePredictor(name="<script>alert(1)</script>", description={"recipe": "<b>x</b>"})
    text = _run(prepared, tmp_path / "out", predictor).report.read_text()
    assert "<script>" not in text
    assert "<b>x</b>" not in text


def test_a_model_without_history_points_or_malignant_classes_still_gets_a_report(tmp_path) -> None:
    plain = Taxonomy(
        name="plain",
        classes=tuple(LesionClass(code=c, name=c, malignant=False) for c in ("a", "b", "c")),
    )

    class Silent(FakePredictor):
        def describe(self) -> dict[str, Any]:
            return {}

    prepared = FakePrepared(tmp_path / "set", taxonomy=plain)
    result = _run(prepared, tmp_path / "out", Silent(taxonomy=plain, operating_points=()))
    assert "brought no training history" in result.report.read_text()
    assert "Malignant or not" not in result.report.read_text()


@pytest.mark.parametrize("key", ["prepared_digest", "data_digest"])
def test_a_fold_that_was_trained_on_is_stamped_leaky(prepared, tmp_path, key) -> None:
    prepared.manifest["split"] = prepared.manifest["split"].replace({"train": "validation"})
    predictor = FakePredictor(description={key: prepared.digest, "fold": 0})
    for fold, leaky in ((0, False), (1, True)):
        result = _run(prepared, tmp_path / str(fold), predictor, split="validation", fold=fold)
        assert result.leaky is leaky
        assert any("trained on some" in caution for caution in result.cautions) is leaky


def test_all_of_the_set_that_was_trained_on_is_stamped_leaky(prepared, tmp_path) -> None:
    own = FakePredictor(description={"prepared_digest": prepared.digest, "fold": 0})
    assert _run(prepared, tmp_path / "own", own, split="all", fold=0).leaky
    elsewhere = FakePredictor(description={"prepared_digest": "other", "fold": 0})
    assert not _run(prepared, tmp_path / "elsewhere", elsewhere, split="all", fold=0).leaky


def test_another_prepared_set_is_called_so_unless_the_test_list_is_the_same(
    prepared, tmp_path
) -> None:
    description = {"prepared_digest": "other"}
    text = _run(prepared, tmp_path / "a", FakePredictor(description=description)).report.read_text()
    assert "another prepared set" in text
    assert "Images from elsewhere." in text
    assert "both sides of the split" not in text
    description["test_digest"] = prepared.test_digest
    text = _run(prepared, tmp_path / "b", FakePredictor(description=description)).report.read_text()
    assert "another prepared set" not in text
    assert "both sides of the split" in text


@pytest.mark.parametrize("network", ["MobileNetV2 x1.0", {"name": "MobileNetV2 x1.0"}, None])
def test_a_network_may_be_described_by_a_name_or_a_table(prepared, tmp_path, network) -> None:
    predictor = FakePredictor(description={"network": network, "data_digest": prepared.digest})
    text = _run(prepared, tmp_path / "out", predictor).report.read_text()
    assert ("MobileNetV2 x1.0" in text) is (network is not None)


def test_images_of_another_set_that_were_trained_on_are_counted(prepared, tmp_path) -> None:
    prepared.manifest["sha256"] = [f"{i:064x}" for i in range(IMAGES)]
    files = frozenset(prepared.manifest["sha256"].iloc[:8])  # two of them are not in the test split
    predictor = FakePredictor(description={"prepared_digest": "other"})
    result = _run(prepared, tmp_path / "a", predictor, training_files=files)
    assert result.leaky
    assert "trained on 6 of these very images" in result.cautions[0]
    assert all(caution in result.report.read_text() for caution in result.cautions)
    assert not _run(prepared, tmp_path / "b", predictor, training_files=frozenset({"none"})).leaky


def test_training_images_are_called_so(prepared, tmp_path) -> None:
    assert "flatter" in _run(prepared, tmp_path / "out", split="train").report.read_text()


def test_predictive_values_are_restated_for_a_prevalence(prepared, tmp_path) -> None:
    result = _run(prepared, tmp_path / "out", prevalence=0.0176)
    assert "where 1.76% of the lesions are malignant" in result.report.read_text()
    told = json.loads((tmp_path / "out" / "evaluation.json").read_text())["prevalence"]
    assert told["prevalence"] == 0.0176
    point = told["operating_points"][0]
    here = result.metrics["precision.malignant.sensitivity_0.90"].value
    assert point["precision"]["value"] < here


def test_a_prevalence_in_per_cent_is_refused_before_the_look(prepared, tmp_path) -> None:
    with pytest.raises(InputError, match=r"0\.0176 means 1\.76%"):
        _run(prepared, tmp_path / "out", prevalence=1.76)
    assert not (tmp_path / "test_access.jsonl").exists()


def test_a_stated_temperature_is_shown_with_what_it_changed(prepared, tmp_path) -> None:
    predictor = FakePredictor(description={"temperature": 1.5})
    result = _run(prepared, tmp_path / "out", predictor)
    context = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    brier = context["temperature"]["brier_score"]
    assert brier["after"]["value"] == pytest.approx(result.metrics["brier_score"].value)
    assert brier["before"]["value"] != brier["after"]["value"]
    assert "dividing the logits by the temperature 1.500" in result.report.read_text()


def test_every_section_has_a_template_and_every_template_a_use() -> None:
    folder = Path(outputs.__file__).parent / "sections"
    named = {f"{each.name}.html.j2" for each in SECTIONS}
    frame = {"macros.html.j2", "style.css.j2", "report.html.j2"}
    assert named | frame == {path.name for path in folder.glob("*.j2")}


def test_the_cards_give_the_figures_of_the_report_and_what_is_not_known(prepared, tmp_path) -> None:
    prepared.manifest.loc[:, "skin_tone"] = ""
    prepared.manifest.loc[0, "site"] = "a|b"
    done = _run(prepared, tmp_path / "out")
    model = (done.path / "MODEL_CARD.md").read_text()
    data = (done.path / "DATA_CARD.md").read_text()
    for key in ("balanced_accuracy", "roc_auc.malignant", "sensitivity.mel.argmax"):
        each = done.metrics[key]
        assert f"{each.value:.3f} [{each.low:.3f}, {each.high:.3f}]" in model
    assert "nothing is known. No image here has one" in model
    assert "looked at 1 time" in model
    counts = prepared.manifest["sex"].value_counts()
    assert f"| female | {counts['female']} |" in data
    assert "Near duplicates: 1 pair(s)" in data
    assert "Nothing is known: no image states it." in data
    assert "a\\|b" in data
    assert "No `lentigo audit` of this set" in data
    for text in (model, data):
        assert "not a medical device" in text
        tables = [line for line in text.splitlines() if line.startswith("|")]
        assert all(line.endswith("|") for line in tables)


def test_an_audit_beside_the_set_is_told_and_that_of_another_set_is_not(prepared, tmp_path) -> None:
    folder = prepared.path.with_name("set-audit")
    folder.mkdir()
    (folder / "audit.html").write_text("the page")
    pairs = {kind: {"within": 3, "across": 2} for kind in ("identical file", "near duplicate")}
    content = {"sets": [{"digest": prepared.digest}], "pairs": pairs, "contradictions": [],
               "poor_images": {"set:img_0000": ["sharp"]}, "sources": None}  # fmt: skip
    (folder / "audit.json").write_text(json.dumps(content))
    done = _run(prepared, tmp_path / "out")
    assert "set-audit/audit.html" in done.report.read_text()
    assert "near duplicate: 3 within a set" in (done.path / "DATA_CARD.md").read_text()
    content["sets"] = [{"digest": "another"}]
    (folder / "audit.json").write_text(json.dumps(content))
    done = _run(prepared, tmp_path / "again")
    assert "set-audit/audit.html" not in done.report.read_text()


def test_a_leaky_model_card_says_so_first(tmp_path) -> None:
    leaky = FakePrepared(tmp_path / "set", protocol="as-published", leaky=True)
    done = _run(leaky, tmp_path / "out")
    assert "**LEAKY.**" in (done.path / "MODEL_CARD.md").read_text()
    assert "**LEAKY.**" in (done.path / "DATA_CARD.md").read_text()
