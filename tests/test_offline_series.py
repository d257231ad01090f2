"""Series and the live preview in the offline app, with the server gone where it may be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from browsing import CATALOGUE, Host, ask, becomes_true, hosted, kept, open_app
from lentigo.taxonomy import TAXONOMIES
from lentigo.web.strings import LANGUAGES

SERIES = "left arm"
_CLASSES = [f"class.{each.code}" for each in TAXONOMIES["ham10000"].classes]


def say(key: str, language: str = "en") -> str:
    return CATALOGUE[key][language]


def keep(page: Any, name: str = SERIES) -> None:
    page.get_by_label(say("series.name")).fill(name)
    page.get_by_role("button", name=say("series.keep")).click()
    page.locator("#kept a").wait_for()


def test_a_series_is_kept_shown_exported_and_deleted_without_a_network(
    context: Any, app: Any, app_host: Host, spot: Path
) -> None:
    app.close()
    app_host.stop()
    context.set_offline(True)
    page = open_app(context, app_host.url)
    page.on("dialog", lambda dialog: dialog.accept())
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    for _ in range(2):
        page.reload()
        kept(page)
        asked.clear()
        ask(page, spot)
        keep(page)
        assert asked == []
    page.locator("#kept a").click()
    page.locator("#shelf figure").nth(1).wait_for()
    assert page.locator("#shelf figure").count() == 2
    page.get_by_role("heading", name=SERIES).wait_for()
    shown = page.locator("#shelf figcaption").first.inner_text()
    assert say("result.malignant") in shown
    assert "%" in shown
    with page.expect_download() as waiting:
        page.get_by_role("button", name=say("series.export")).click()
    exported = json.loads(Path(waiting.value.path()).read_text("utf-8"))["photos"]
    assert [each["series"] for each in exported] == [SERIES] * 2
    assert exported[0]["photo"].startswith("data:image/jpeg;base64,")
    assert sum(exported[0]["probability"].values()) == pytest.approx(1)
    page.get_by_role("button", name=say("series.delete")).first.click()
    page.locator("#shelf figure").nth(1).wait_for(state="detached")
    assert page.locator("#shelf figure").count() == 1
    page.get_by_role("button", name=say("series.delete.all")).click()
    page.get_by_text(say("series.none")).wait_for()


def test_series_outlast_the_visit_and_speak_the_visitor_s_language(
    context: Any, app: Any, app_host: Host, spot: Path
) -> None:
    ask(app, spot)
    shown = app.locator("#result .top-class").inner_text()
    (top,) = (key for key in _CLASSES if say(key) == shown)
    keep(app)
    app.close()
    page = open_app(context, f"{app_host.url}#shelf")
    page.locator("#shelf figure").wait_for()
    page.locator("#photo-view").wait_for(state="hidden")
    for language, name in LANGUAGES.items():
        page.get_by_role("link", name=name).click()
        page.get_by_role("heading", name=say("nav.series", language)).wait_for()
        delete = say("series.delete.series", language)
        page.get_by_role("button", name=f"{delete}: {SERIES}").wait_for()
        assert say(top, language) in page.locator("#shelf figcaption").inner_text()
    page.get_by_role("link", name=say("nav.home", "tr")).click()
    page.locator("#hand-in").wait_for()
    page.locator("#shelf").wait_for(state="hidden")


def test_a_series_tells_every_doubt_that_the_answer_told(app: Any, tmp_path: Path) -> None:
    black = tmp_path / "black.png"
    assert cv2.imwrite(str(black), np.zeros((300, 300, 3), np.uint8))
    app.get_by_role("radio", name=say("scope.no")).check()
    ask(app, black)
    keep(app)
    app.get_by_role("radio", name=say("scope.yes")).check()
    keep(app)
    app.locator("#kept a").click()
    app.get_by_role("link", name=LANGUAGES["id"]).click()
    first, second = (app.locator("#shelf figcaption").nth(i) for i in range(2))
    for key in ("result.unfamiliar", "result.plain", "warning.dark", "warning.frame"):
        first.get_by_text(say(key, "id")).wait_for()
    shown = second.inner_text()
    assert say("result.unfamiliar", "id") in shown
    assert say("result.plain", "id") not in shown
    assert say("result.unknown", "id") not in shown
    kept_there = "import('/store.js').then(({ all }) => all())"
    assert [each["scope"] for each in app.evaluate(kept_there)] == ["no", "yes"]


def test_a_name_that_was_typed_stays_while_the_answer_is_told_anew(app: Any, spot: Path) -> None:
    ask(app, spot)
    app.get_by_label(say("series.name")).fill(SERIES)
    app.get_by_role("radio", name=say("scope.no")).check()
    app.locator("#result").get_by_text(say("result.plain")).wait_for()
    assert app.get_by_label(say("series.name")).input_value() == SERIES
    app.get_by_role("link", name=LANGUAGES["tr"]).click()
    app.get_by_label(say("series.name", "tr")).wait_for()
    assert app.locator("#series-name").input_value() == SERIES
    # Another photo is of another spot, as likely as not.
    app.set_input_files("#photo", shutil.copy(spot, spot.with_name("other.jpg")))
    becomes_true(app, "document.getElementById('series-name')?.value === ''")


def test_what_the_browser_will_not_keep_is_said(context: Any, app_host: Host, spot: Path) -> None:
    context.add_init_script(
        "IDBObjectStore.prototype.add = () => { throw new DOMException('disk full'); }"
    )
    page = open_app(context, app_host.url)
    kept(page)
    ask(page, spot)
    page.get_by_label(say("series.name")).fill(SERIES)
    button = page.get_by_role("button", name=say("series.keep"))
    button.click()
    page.get_by_text(say("series.full").format(reason="disk full")).wait_for()
    assert button.is_enabled()


def test_the_live_picture_gives_a_photo_that_is_answered_without_a_request(
    browser: Any, app_folder: Path
) -> None:
    context = browser.new_context(locale="en-GB", permissions=["camera"])
    with hosted(app_folder) as host:
        page = open_app(context, host.url)
        kept(page)
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        page.get_by_role("button", name=say("home.live")).click()
        page.locator(".guide").wait_for()
        assert page.evaluate("document.querySelector('video').videoWidth") > 0
        page.get_by_role("button", name=say("camera.take")).click()
        page.locator("#result .top-class").wait_for(timeout=30_000)
        assert asked == []
        assert page.evaluate("document.querySelector('video').srcObject") is None
        page.get_by_role("button", name=say("home.live")).wait_for()
    context.close()


def test_the_camera_is_let_go_when_the_visitor_turns_to_the_series(
    browser: Any, app_folder: Path
) -> None:
    context = browser.new_context(locale="en-GB", permissions=["camera"])
    with hosted(app_folder) as host:
        page = open_app(context, host.url)
        page.get_by_role("button", name=say("home.live")).click()
        page.locator(".guide").wait_for()
        page.get_by_role("link", name=say("nav.series")).click()
        page.get_by_text(say("series.none")).wait_for()
        assert page.evaluate("document.querySelector('video').srcObject") is None
    context.close()


def test_a_camera_that_comes_when_the_visitor_has_turned_away_is_let_go(
    browser: Any, app_folder: Path
) -> None:
    context = browser.new_context(locale="en-GB", permissions=["camera"])
    context.add_init_script(
        """const devices = navigator.mediaDevices, real = devices.getUserMedia.bind(devices);
        const gate = new Promise((open) => { window.letCome = open; });
        devices.getUserMedia = async (wish) => {
          window.asked = true;
          await gate;
          return (window.came = await real(wish));
        };"""
    )
    with hosted(app_folder) as host:
        page = open_app(context, host.url)
        page.get_by_role("button", name=say("home.live")).click()
        becomes_true(page, "window.asked === true")
        page.get_by_role("link", name=say("nav.series")).click()
        page.get_by_text(say("series.none")).wait_for()
        page.evaluate("window.letCome()")
        becomes_true(page, "window.came?.getTracks().every((each) => each.readyState === 'ended')")
        page.get_by_role("link", name=say("nav.home")).click()
        page.get_by_role("button", name=say("home.live")).wait_for()
        assert not page.locator(".guide").is_visible()
    context.close()


def test_a_camera_that_is_refused_is_a_sentence(context: Any, app_host: Host) -> None:
    context.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('no'))"
    )
    page = open_app(context, app_host.url)
    page.get_by_role("button", name=say("home.live")).click()
    page.get_by_text(say("home.live.denied")).wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_series_and_the_preview(
    scheme: str, browser: Any, app_folder: Path, spot: Path
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not here")
    context = browser.new_context(color_scheme=scheme, locale="en-GB", permissions=["camera"])
    with hosted(app_folder) as host:
        page = open_app(context, host.url)
        kept(page)
        page.get_by_role("button", name=say("home.live")).click()
        page.locator(".guide").wait_for()
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        ask(page, spot)
        keep(page)
        page.locator("#kept a").click()
        page.locator("#shelf figure").wait_for()
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    context.close()
