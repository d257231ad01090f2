"""The offline app when several things are under way at once: the visitor's last wish counts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from browsing import CATALOGUE, Host, ask, becomes_true, happens, kept, open_app


def test_a_photo_chosen_before_the_model_has_arrived_is_answered_when_it_has(
    context: Any, app_host: Host, spot: Path
) -> None:
    waiting: list[Any] = []

    def hold_the_first(route: Any) -> None:
        if waiting:
            route.continue_()
        else:
            waiting.append(route)

    context.route("**/model.tflite", hold_the_first)
    page = open_app(context, app_host.url)
    happens(page, lambda: waiting, "the model is asked for")
    page.set_input_files("#photo", spot)
    page.locator("#state", has_text=CATALOGUE["home.busy"]["en"]).wait_for()
    assert not page.locator("#result").is_visible()
    waiting[0].continue_()
    page.locator("#result .top-class").wait_for(timeout=30_000)
    kept(page)


def test_of_two_photos_the_later_one_is_answered_however_long_the_first_takes(
    context: Any, app_host: Host, spot: Path, tmp_path: Path
) -> None:
    slow = shutil.copy(spot, tmp_path / "slow.jpg")
    context.add_init_script(
        """const read = Blob.prototype.arrayBuffer, gate = new Promise((open) => window.go = open);
        File.prototype.arrayBuffer = async function () {
          if (this.name === "slow.jpg") { window.read = true; await gate; }
          return read.call(this);
        };
        const decode = window.createImageBitmap;
        window.createImageBitmap = async (file, ...more) => {
          const made = await decode(file, ...more);
          if (file.name === "slow.jpg") window.late = true;
          return made;
        };"""
    )
    page = open_app(context, app_host.url)
    kept(page)
    page.set_input_files("#photo", slow)
    becomes_true(page, "window.read === true")
    ask(page, spot)
    page.evaluate("document.querySelector('#result .top-class').id = 'of-the-later'")
    page.evaluate("window.go()")
    becomes_true(page, "window.late === true")
    page.wait_for_timeout(300)
    assert page.locator("#of-the-later").is_visible()
    kept(page)


def test_no_answer_is_shown_while_the_next_photo_is_looked_at(
    context: Any, app_host: Host, spot: Path, tmp_path: Path
) -> None:
    slow = shutil.copy(spot, tmp_path / "slow.jpg")
    context.add_init_script(
        """const read = Blob.prototype.arrayBuffer, gate = new Promise((open) => window.go = open);
        File.prototype.arrayBuffer = async function () {
          if (this.name === "slow.jpg") await gate;
          return read.call(this);
        };"""
    )
    page = open_app(context, app_host.url)
    kept(page)
    ask(page, spot)
    assert page.locator("#result").is_visible()
    page.set_input_files("#photo", slow)
    page.locator("#state", has_text=CATALOGUE["home.busy"]["en"]).wait_for()
    assert not page.locator("#result").is_visible()
    page.evaluate("window.go()")
    page.locator("#result .top-class").wait_for(timeout=30_000)


def test_of_two_languages_the_later_one_is_spoken_however_long_the_first_takes(
    context: Any, app_host: Host
) -> None:
    waiting: list[Any] = []
    context.route("**/words/es.json", lambda route: waiting.append(route))  # noqa: PLW0108 - Playwright marks the function
    page = open_app(context, app_host.url)
    page.locator("#state:not(:empty)").wait_for()
    page.get_by_role("link", name="Español").click()
    happens(page, lambda: waiting, "the words are asked for")
    page.get_by_role("link", name="Türkçe").click()
    heading = page.get_by_role("heading", name=CATALOGUE["home.title"]["tr"])
    heading.wait_for()
    with page.expect_response("**/words/es.json"):
        waiting[0].continue_()
    page.wait_for_timeout(300)
    assert heading.is_visible()


def test_a_worker_that_another_tab_has_begun_is_waited_for(context: Any, app_host: Host) -> None:
    context.add_init_script(
        """const workers = navigator.serviceWorker, real = workers.register.bind(workers);
        workers.register = async (...all) => {
          const { installing, waiting, active } = await real(...all);
          return { active: null, installing: null, waiting: installing ?? waiting ?? active };
        };"""
    )
    kept(open_app(context, app_host.url))
