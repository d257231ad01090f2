"""The pages of evaluation and audit in a real browser: phone, desk, paper, and axe."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

import pytest

from fake_evaluation import FakePoint, FakePredictor, FakePrepared
from lentigo.data.phantom import generate
from lentigo.data.prepare import prepare
from lentigo.evaluate import evaluate
from lentigo.evaluate.audit import audit

AXE = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
POINTS = tuple(FakePoint(f"sensitivity_0.{at}", at / 100, 0.3) for at in (80, 90, 95))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    told = {"temperature": 1.5}
    # Three thresholds at one place: their labels would lie on each other.
    predictor = FakePredictor(operating_points=POINTS, description=told)
    done = evaluate(predictor, FakePrepared(folder / "set"), folder / "report", replicates=100)
    generate(folder / "images", lesions=40, seed=0, size=96)
    prepared = prepare("phantom", folder / "images", folder / "prepared", size=64, workers=1)
    audit(prepared, out=folder / "audit")
    return {"report": done.report, "audit": folder / "audit" / "audit.html"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
@pytest.mark.parametrize("name", ["report", "audit"])
def test_axe_finds_nothing_and_nothing_overflows(
    name: str, width: int, scheme: str, browser: Any, pages: dict[str, Path]
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(pages[name].as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = AXE.Axe().run(page)
    page.close()
    assert not found.violations_count, found.generate_report()


def test_a_printed_report_is_no_phone_and_no_small_table_is_cut(
    browser: Any, pages: dict[str, Path]
) -> None:
    page = browser.new_page(viewport={"width": 680, "height": 900})  # A4 less its margins
    page.emulate_media(media="print")
    page.goto(pages["report"].as_uri())
    shown = page.evaluate(
        "['.stack thead', '.matrix', '.stack tr'].map(each => {"
        "  const style = getComputedStyle(document.querySelector(each));"
        "  return each === '.matrix' ? style.breakInside : style.display })"
    )
    page.close()
    assert shown == ["table-header-group", "avoid", "table-row"]


_SMALLEST_LETTERS_PX = """
  [...document.querySelectorAll('.forests svg text')]
    .filter(each => each.getClientRects().length)
    .map(each => [parseFloat(getComputedStyle(each).fontSize), each.getScreenCTM()])
    .map(([size, seen]) => size * Math.hypot(seen.a, seen.b))
    .reduce((a, b) => Math.min(a, b))
"""


@pytest.mark.parametrize(("media", "width"), [("print", 680), ("screen", 390), ("screen", 1400)])
def test_the_names_of_strata_can_be_read(
    media: str, width: int, browser: Any, pages: dict[str, Path]
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.emulate_media(media=media)
    page.goto(pages["report"].as_uri())
    letters = page.evaluate(_SMALLEST_LETTERS_PX)
    page.close()
    assert letters >= 7.5 * 96 / 72


def test_labels_of_operating_points_do_not_lie_on_each_other(pages: dict[str, Path]) -> None:
    text = pages["report"].read_text()
    labels = re.findall(r'class="point-label" x="([\d.]+)" y="([\d.]+)"[^>]*>\d\d%<', text)
    assert len(labels) == len(POINTS)
    heights = sorted(float(y) for _, y in labels)
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 12


def test_a_label_at_the_plots_edge_stands_left_of_its_point(browser: Any, tmp_path: Path) -> None:
    # Called malignant from 0 on, every benign image is: specificity 0.
    points = (FakePoint("sensitivity_0.95", 0.95, 0.0), FakePoint("sensitivity_0.10", 0.1, 1.0))
    predictor = FakePredictor(operating_points=points)
    done = evaluate(predictor, FakePrepared(tmp_path / "set"), tmp_path / "out", replicates=20)
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(done.report.as_uri())
    plot = page.locator("svg", has=page.locator(".dot.point")).first
    edge = plot.locator(".grid").first.bounding_box()
    labels = [each.bounding_box() for each in plot.locator(".point-label").all()]
    page.close()
    assert len(labels) == 2
    assert all(each["x"] + each["width"] <= edge["x"] + edge["width"] for each in labels)
    assert all(edge["x"] <= each["x"] for each in labels)


def test_every_plot_has_a_table(pages: dict[str, Path]) -> None:
    text = pages["report"].read_text()
    assert text.count("The numbers behind") == 6
    assert "<td>0.3333</td>" in text  # a loss of the history
