"""The offline app in a browser: visited once, then without server and network."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from browsing import (
    CATALOGUE,
    MODEL,
    Host,
    ask,
    becomes_true,
    hosted,
    installed_lentigo,
    kept,
    open_app,
    start_chromium,
)
from lentigo.deploy.bundle import read_bundle, write_bundle
from lentigo.deploy.prediction import Reading
from lentigo.web.results import sentence
from lentigo.web.strings import LANGUAGES, Words

FIRST_PAGE_BYTES = 60_000
SIZES = {"phone": (390, 844), "desk": (1400, 900)}


@pytest.mark.parametrize("size", SIZES)
def test_after_one_visit_it_answers_without_server_and_network(
    size: str, browser: Any, app_folder: Path, spot: Path
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, locale="en-GB")
    with hosted(app_folder) as host:
        page = open_app(context, host.url)
        kept(page)
        online = ask(page, spot)
        page.close()
        host.stop()
        context.set_offline(True)
        page = open_app(context, host.url)
        kept(page)
        assert ask(page, spot) == online
    context.close()


@pytest.mark.parametrize("size", SIZES)
def test_no_request_is_made_while_predicting(
    size: str, browser: Any, app_folder: Path, spot: Path
) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height})
    with hosted(app_folder) as host:
        page = open_app(context, host.url)
        kept(page)
        requests: list[str] = []
        context.on("request", lambda request: requests.append(request.url))
        ask(page, spot)
        page.wait_for_timeout(500)
        assert requests == []
    context.close()


def test_the_first_page_is_small_and_works_before_model_and_runtime_are_fetched(
    context: Any, app_host: Host
) -> None:
    page = context.new_page()
    fetched: list[tuple[str, int]] = []

    def note(response: Any) -> None:
        fetched.append((response.url, int(response.headers.get("content-length", 0))))

    page.on("response", note)
    page.goto(app_host.url)
    kept(page)
    names = [url.removeprefix(app_host.url) for url, _ in fetched]
    # They are asked for together, and come in any order.
    first = min(names.index(each) for each in ("predict.js", "result.js", "model.js"))
    assert not [name for name in names[:first] if name.startswith(("litert/", "model.tflite"))]
    assert sum(size for _, size in fetched[:first]) < FIRST_PAGE_BYTES, fetched[:first]
    assert "words/en.json" in names[:first]


@pytest.mark.parametrize("size", SIZES)
def test_nothing_moves_while_the_page_loads(size: str, browser: Any, app_folder: Path) -> None:
    width, height = SIZES[size]
    for language in LANGUAGES:
        context = browser.new_context(viewport={"width": width, "height": height}, locale=language)
        with hosted(app_folder) as host:
            page = open_app(context, host.url)
            kept(page, language)
            moved = page.evaluate(
                """() => new Promise((resolve) => {
                  const sum = (list) => list.reduce((all, { value }) => all + value, 0);
                  new PerformanceObserver((list) => resolve(sum(list.getEntries()))).observe({
                    type: "layout-shift", buffered: true,
                  });
                  setTimeout(() => resolve(0), 500);
                })"""
            )
            assert moved < 0.001
        context.close()


def test_chromium_finds_it_installable(context: Any, app: Any) -> None:
    session = context.new_cdp_session(app)
    manifest = session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert json.loads(manifest["data"])["display"] == "standalone"
    found = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    # Each test has a profile of its own, in which Chromium installs nothing.
    assert [each["errorId"] for each in found] in ([], ["in-incognito"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_page_speaks_and_an_answer_stays_in_another_language(
    language: str, browser: Any, app_folder: Path, spot: Path
) -> None:
    context = browser.new_context(locale=language)
    with hosted(app_folder) as host:
        page = open_app(context, host.url)
        kept(page, language)
        ask(page, spot)
        keys = page.evaluate(
            "Array.from(document.querySelectorAll('[data-text]'), "
            "(each) => [each.dataset.text, each.innerText])"
        )
        for key, text in keys:
            assert text == CATALOGUE[key][language] or not text
        shown = page.locator("body").inner_text()
        assert CATALOGUE["result.classes"][language] in shown
        assert CATALOGUE["next.doctor"][language] in shown
        assert "{" not in shown
        assert page.evaluate("document.documentElement.lang") == language
        found = page.locator("#result tbody .number").all_inner_texts()
        other = next(each for each in LANGUAGES if each != language)
        page.locator(f".languages [lang={other}]").click()
        page.locator("#result", has_text=CATALOGUE["next.doctor"][other]).wait_for()
        told = page.locator("#result tbody .number").all_inner_texts()
        assert [re.findall(r"\d+", each) for each in told] == [
            re.findall(r"\d+", each) for each in found
        ]
    context.close()


def test_the_panel_of_the_model_names_classes_and_figures_in_plain_words(app: Any) -> None:
    info = read_bundle(MODEL).info
    app.get_by_role("link", name="Türkçe").click()
    app.get_by_text(CATALOGUE["model.title"]["tr"]).click()
    panel = app.locator("#model", has_text=CATALOGUE["model.classes"]["tr"])
    shown = panel.inner_text()
    assert all(CATALOGUE[f"class.{code}"]["tr"] in shown for code in info.taxonomy.codes)
    for key, each in (info.metrics or {}).items():
        assert CATALOGUE[f"metric.{key}"]["tr"] in shown
        assert f"{each.value:.3f}".replace(".", ",") in shown


def test_the_visitor_s_choice_of_language_is_remembered(context: Any, app_host: Host) -> None:
    page = open_app(context, app_host.url)
    page.get_by_role("link", name="Türkçe").click()
    page.get_by_role("heading", name=CATALOGUE["home.title"]["tr"]).wait_for()
    page.reload()
    page.get_by_role("heading", name=CATALOGUE["home.title"]["tr"]).wait_for()


def test_the_policy_lets_no_foreign_or_inline_script_run(
    context: Any, app_folder: Path, app_host: Host
) -> None:
    policy = (app_folder / "index.html").read_text("utf-8").split('Policy" content="')[1]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split('"')[0].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self' 'wasm-unsafe-eval'"
    assert rules["connect-src"] == "'self'"
    page = open_app(context, app_host.url)
    tried = page.evaluate(
        """() => new Promise((resolve) => {
          const script = document.createElement("script");
          script.textContent = "globalThis.intruder = true";
          addEventListener("securitypolicyviolation", () => resolve(globalThis.intruder));
          document.body.append(script);
        })"""
    )
    assert tried is None


def test_nothing_violates_the_policy_in_use(context: Any, app_host: Host, spot: Path) -> None:
    said: list[str] = []
    context.on("console", lambda message: said.append(message.text))
    page = open_app(context, app_host.url)
    kept(page)
    ask(page, spot)
    assert not [text for text in said if "Content Security Policy" in text]


def test_files_of_two_versions_are_not_kept_together(
    context: Any, app_folder: Path, tmp_path: Path, spot: Path
) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(app_folder, mixed)
    style = mixed / "app.css"
    style.write_text(style.read_text("utf-8") + "/* of another version */\n", "utf-8")
    with hosted(mixed) as host:
        page = open_app(context, host.url)
        page.locator("#state", has_text=CATALOGUE["offline.mixed"]["en"]).wait_for(timeout=60_000)
        assert ask(page, spot)


def test_a_new_version_fetches_what_changed_and_nothing_else(
    context: Any, installed_wheel: Path, tmp_path: Path
) -> None:
    bundle = read_bundle(MODEL)
    renamed, out = tmp_path / "renamed.tflite", tmp_path / "app"
    write_bundle(bundle.graph, bundle.info.model_copy(update={"name": "renamed"}), renamed)
    assert installed_lentigo(installed_wheel, "web-app", MODEL, "--out", out).returncode == 0
    with hosted(tmp_path) as host:
        app = f"{host.url}app/"
        page = open_app(context, app)
        kept(page)
        page.close()
        assert installed_lentigo(installed_wheel, "web-app", renamed, "--out", out).returncode == 0
        fetched: list[str] = []
        context.on(
            "response",
            lambda each: None if each.from_service_worker else fetched.append(each.url),
        )
        page = open_app(context, app)
        page.evaluate("navigator.serviceWorker.ready.then((each) => each.update())")
        # Watched from outside: a visit to the app at the moment of the change hung Chromium once.
        outside = open_app(context, host.url)
        worker = "navigator.serviceWorker.getRegistration('/app/').then((each) => {})"
        becomes_true(outside, worker.format("each.waiting !== null"))
        page.close()  # the new one takes over once the page of the old one is gone
        taken = "each.waiting === null && each.active.state === 'activated'"
        becomes_true(outside, worker.format(taken))
        page = open_app(context, app)
        kept(page)
        page.get_by_text("The model, its data and its limits").click()
        names = {url.removeprefix(app) for url in fetched}
        assert "model.tflite" in names
        assert not [name for name in names if name.startswith("litert/")]


def test_on_a_plain_http_page_it_answers_and_says_what_it_cannot(
    browser: Any, app_folder: Path, spot: Path
) -> None:
    # A name that leads here, but is not localhost, is no secure context.
    started = start_chromium(browser.browser_type, "--host-resolver-rules=MAP pi.test 127.0.0.1")
    with hosted(app_folder) as host:
        page = started.new_page(locale="en-GB")
        page.goto(host.url.replace("127.0.0.1", "pi.test"))
        sentence = CATALOGUE["offline.insecure"]["en"]
        page.locator("#state", has_text=sentence).wait_for(timeout=60_000)
        assert ask(page, spot)
        page.locator("summary").click()
        page.get_by_text(CATALOGUE["offline.unchecked"]["en"]).wait_for()
    started.close()


def test_what_is_no_photo_gets_a_sentence_and_the_answer_of_before_goes(
    app: Any, tmp_path: Path, spot: Path
) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("no photo", "utf-8")
    ask(app, spot)
    app.set_input_files("#photo", text)
    reason = CATALOGUE["reason.no_image"]["en"]
    told = CATALOGUE["offline.not_image"]["en"].format(name="notes.jpg", reason=reason)
    app.locator("#state", has_text=told).wait_for()
    assert not app.locator("#result").is_visible()
    app.get_by_role("radio", name=CATALOGUE["scope.no"]["en"]).check()
    assert not app.locator("#result").is_visible()


def test_a_photo_that_hides_another_file_is_refused_in_the_visitor_s_language(
    app: Any, tmp_path: Path, spot: Path
) -> None:
    app.get_by_role("link", name="Türkçe").click()
    app.get_by_role("heading", name=CATALOGUE["home.title"]["tr"]).wait_for()
    both = tmp_path / "both.jpg"
    both.write_bytes(spot.read_bytes() + b"<script>alert(1)</script>")
    app.set_input_files("#photo", both)
    reason = CATALOGUE["reason.two_kinds"]["tr"]
    told = CATALOGUE["offline.not_image"]["tr"].format(name="both.jpg", reason=reason)
    app.locator("#state", has_text=told).wait_for()
    assert not app.locator("#result").is_visible()


def test_what_the_visitor_says_of_the_dermatoscope_changes_the_words(app: Any, spot: Path) -> None:
    ask(app, spot)
    assert CATALOGUE["result.unknown"]["en"] in app.locator("#result").inner_text()
    app.get_by_role("radio", name=CATALOGUE["scope.no"]["en"]).check()
    assert CATALOGUE["result.plain"]["en"] in app.locator("#result").inner_text()
    app.get_by_role("radio", name=CATALOGUE["scope.yes"]["en"]).check()
    shown = app.locator("#result").inner_text()
    assert CATALOGUE["result.plain"]["en"] not in shown
    assert CATALOGUE["result.unknown"]["en"] not in shown


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_mark_is_told_in_the_words_of_the_served_page(
    language: str, browser: Any, app_folder: Path, spot: Path
) -> None:
    info, words = read_bundle(MODEL).info, Words(language)
    context = browser.new_context(locale=language)
    with hosted(app_folder) as host:
        page = open_app(context, host.url)
        ask(page, spot)
        shown = page.locator("#result .readings li").all_inner_texts()
    context.close()
    assert len(shown) == len(info.operating_points) > 0
    for point, told in zip(info.operating_points, shown, strict=True):
        both = (
            Reading(point.name, point.target_sensitivity, point.threshold, above=above)
            for above in (True, False)
        )
        assert told in [sentence(each, info, words) for each in both]


def test_what_makes_a_photo_doubtful_is_said_before_the_answer(app: Any, tmp_path: Path) -> None:
    black = tmp_path / "black.png"
    assert cv2.imwrite(str(black), np.zeros((300, 300, 3), np.uint8))
    ask(app, black)
    shown = app.locator("#result").inner_text()
    quality, answer = (CATALOGUE[key]["en"] for key in ("result.quality", "result.top"))
    assert shown.index(quality) < shown.index(answer)
    assert app.locator("#result .warnings li").count() > 0


def test_the_keyboard_alone_is_enough(app: Any, spot: Path) -> None:
    # The whole way there lies inside: a browser hands over the files' window only some time after
    # it was asked to, and one that opened before is lost.
    with app.expect_file_chooser() as chooser:
        reached = []
        for _ in range(12):
            app.keyboard.press("Tab")
            reached.append(app.evaluate("document.activeElement.id || document.activeElement.name"))
        assert {"scope", "photo", "capture"} <= set(reached)
        app.locator("#photo").press("Space")
    chooser.value.set_files(spot)
    app.locator("#result .top-class").wait_for(timeout=30_000)
    assert app.evaluate("document.activeElement.id") == "result"
    app.locator("#strength").focus()
    before = app.locator(".photo image").nth(1).get_attribute("opacity")
    app.keyboard.press("ArrowRight")
    assert app.locator(".photo image").nth(1).get_attribute("opacity") != before


def test_at_200_percent_and_on_the_narrowest_phone_nothing_leaves_the_page(
    browser: Any, app_folder: Path, spot: Path
) -> None:
    for width in (700, 320):
        context = browser.new_context(viewport={"width": width, "height": 450})
        with hosted(app_folder) as host:
            page = open_app(context, host.url)
            kept(page)
            ask(page, spot)
            page.locator("summary").click()
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{wide} at {width}"
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(scheme: str, browser: Any, app_folder: Path, spot: Path) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not here")
    context = browser.new_context(color_scheme=scheme)
    with hosted(app_folder) as host:
        page = open_app(context, host.url)
        kept(page)
        ask(page, spot)
        page.locator("summary").click()
        found = axe.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
    context.close()
