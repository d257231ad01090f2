"""What the report of an evaluation says, and the cards beside it."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fake_evaluation import FakePredictor, FakePrepared, measured
from lentigo.evaluate import outputs
from lentigo.evaluate.sections import SECTIONS
from lentigo.taxonomy import LesionClass, Taxonomy


@pytest.fixture
def prepared(tmp_path: Path) -> FakePrepared:
    return FakePrepared(tmp_path / "set")


def test_a_leaky_protocol_is_stamped_on_the_report(tmp_path) -> None:
    prepared = FakePrepared(tmp_path / "set", leaky=True, protocol="as-published")
    result = measured(prepared, tmp_path / "out")
    assert result.leaky
    assert "<strong>LEAKY.</strong>" in result.report.read_text()
    clean = measured(FakePrepared(tmp_path / "set"), tmp_path / "clean")
    assert "LEAKY" not in clean.report.read_text()


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_report_needs_no_other_file_and_describes_every_picture(prepared, tmp_path) -> None:
    text = measured(prepared, tmp_path / "out").report.read_text()
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
    text = measured(prepared, tmp_path / "out", predictor).report.read_text()
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
    result = measured(prepared, tmp_path / "out", Silent(taxonomy=plain, operating_points=()))
    assert "brought no training history" in result.report.read_text()
    assert "Malignant or not" not in result.report.read_text()


def test_another_prepared_set_is_called_so_unless_the_test_list_is_the_same(
    prepared, tmp_path
) -> None:
    description = {"prepared_digest": "other"}
    text = measured(
        prepared, tmp_path / "a", FakePredictor(description=description)
    ).report.read_text()
    assert "another prepared set" in text
    assert "Images from elsewhere." in text
    assert "both sides of the split" not in text
    description["test_digest"] = prepared.test_digest
    text = measured(
        prepared, tmp_path / "b", FakePredictor(description=description)
    ).report.read_text()
    assert "another prepared set" not in text
    assert "both sides of the split" in text


@pytest.mark.parametrize("network", ["MobileNetV2 x1.0", {"name": "MobileNetV2 x1.0"}, None])
def test_a_network_may_be_described_by_a_name_or_a_table(prepared, tmp_path, network) -> None:
    predictor = FakePredictor(description={"network": network, "data_digest": prepared.digest})
    text = measured(prepared, tmp_path / "out", predictor).report.read_text()
    assert ("MobileNetV2 x1.0" in text) is (network is not None)


def test_training_images_are_called_so(prepared, tmp_path) -> None:
    assert "flatter" in measured(prepared, tmp_path / "out", split="train").report.read_text()


def test_a_stated_temperature_is_shown_with_what_it_changed(prepared, tmp_path) -> None:
    predictor = FakePredictor(description={"temperature": 1.5})
    result = measured(prepared, tmp_path / "out", predictor)
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
    done = measured(prepared, tmp_path / "out")
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
    done = measured(prepared, tmp_path / "out")
    assert "set-audit/audit.html" in done.report.read_text()
    assert "near duplicate: 3 within a set" in (done.path / "DATA_CARD.md").read_text()
    content["sets"] = [{"digest": "another"}]
    (folder / "audit.json").write_text(json.dumps(content))
    done = measured(prepared, tmp_path / "again")
    assert "set-audit/audit.html" not in done.report.read_text()


def test_a_leaky_model_card_says_so_first(tmp_path) -> None:
    leaky = FakePrepared(tmp_path / "set", protocol="as-published", leaky=True)
    done = measured(leaky, tmp_path / "out")
    assert "**LEAKY.**" in (done.path / "MODEL_CARD.md").read_text()
    assert "**LEAKY.**" in (done.path / "DATA_CARD.md").read_text()
