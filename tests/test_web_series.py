"""Series on a server's page: every doubt about an answer stays with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from browsing import fits, hand_in
from lentigo.deploy.runtime import load_default
from lentigo.web.strings import Words
from web_server import EN, WAIT_S, page, photo

TR = Words("tr")
expect.set_options(timeout=1000 * WAIT_S)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with page() as found:
        yield found


@pytest.fixture
def shown(context: BrowserContext) -> Page:
    context.set_default_timeout(1000 * WAIT_S)
    found = context.new_page()
    found.set_viewport_size({"width": 390, "height": 844})
    return found


def test_a_series_tells_every_doubt_that_the_answer_told(
    shown: Page, address: str, tmp_path: Path
) -> None:
    black = tmp_path / "black.png"
    assert cv2.imwrite(str(black), np.zeros((300, 300, 3), np.uint8))
    shown.goto(address)
    hand_in(shown, black, scope="no")
    shown.get_by_label(EN("series.name")).fill("left arm")
    shown.get_by_role("button", name=EN("series.keep")).click()
    expect(shown.locator("#kept a")).to_be_visible()
    for words in (EN, TR):
        shown.goto(f"{address}/series?lang={words.language}")
        told = shown.locator("figcaption")
        for key in ("result.unfamiliar", "result.plain", "warning.dark", "warning.frame"):
            expect(told.get_by_text(words(key))).to_be_visible()
        assert words("result.unknown") not in told.inner_text()
        assert fits(shown)
        assert Axe().run(shown).response["violations"] == []
    with shown.expect_download() as waiting:
        shown.get_by_role("button", name=TR("series.export")).click()
    (kept,) = json.loads(Path(waiting.value.path()).read_text("utf-8"))["photos"]
    assert kept["scope"] == "no"
    assert kept["familiarity"]["unfamiliar"] is True
    assert "dark" in kept["hints"]


def test_a_series_of_before_the_answer_to_the_question_was_kept_still_opens(
    shown: Page, address: str
) -> None:
    shown.goto(f"{address}/series?lang=tr")
    old = {
        "series": "left arm",
        "at": "2026-01-02T03:04:05.678Z",
        "photo": "data:,",
        "name": "Melanocytic nevus",
        "top": "nv",
        "probability": {"nv": 1},
        "malignant_probability": 0.25,
        "familiarity": None,
        "warnings": ["The photo is too dark: use more light."],
    }
    shown.evaluate("async (old) => (await import('/static/store.js')).add(old)", old)
    shown.reload()
    told = shown.locator("figcaption")
    expect(told.get_by_text(TR("class.nv"))).to_be_visible()
    # Of its warnings only the library's own sentence was kept.
    expect(told.locator("[lang=en]")).to_have_text("The photo is too dark: use more light.")
    expect(told.get_by_text(TR("result.unknown"))).to_be_visible()


def test_an_answer_of_a_leaky_model_is_kept_as_such(shown: Page, tmp_path: Path) -> None:
    model = load_default()
    info = model.info.model_copy(update={"leaky": True})
    model.bundle = replace(model.bundle, info=info)
    spot = tmp_path / "spot.jpg"
    spot.write_bytes(photo())
    with page(predictor=model) as address:
        shown.goto(address)
        hand_in(shown, spot)
        shown.get_by_label(EN("series.name")).fill("left arm")
        shown.get_by_role("button", name=EN("series.keep")).click()
        expect(shown.locator("#kept a")).to_be_visible()
        shown.goto(f"{address}/series")
        expect(shown.locator("figcaption").get_by_text(EN("result.leaky"))).to_be_visible()
