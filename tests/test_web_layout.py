"""Where things stand on the page: nothing touches, and nothing leaves its place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from lentigo.web.settings import Settings
from lentigo.web.strings import LANGUAGES
from web_server import BROWSER, get, page, photo, post


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with page(Settings(keep=tmp_path_factory.mktemp("kept"))) as found:
        yield found


@pytest.fixture
def shown(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("width", [390, 1400])
def test_the_button_of_the_preview_does_not_touch_the_notice_below(
    shown: Page, address: str, width: int
) -> None:
    shown.set_viewport_size({"width": width, "height": 900})
    shown.goto(address)
    shown.locator("[data-part=start]").wait_for()
    end = "document.querySelector('.files').getBoundingClientRect().bottom"
    start = "document.querySelector('#hand-in > .alert').getBoundingClientRect().top"
    assert shown.evaluate(f"{start} - {end}") >= 12


@pytest.mark.parametrize("language", LANGUAGES)
def test_at_double_zoom_no_word_of_the_form_leaves_its_place(
    shown: Page, address: str, language: str
) -> None:
    shown.set_viewport_size({"width": 195, "height": 422})
    shown.goto(f"{address}/?lang={language}")
    outside = """() => {
      const room = document.querySelector("#hand-in fieldset").getBoundingClientRect();
      const range = document.createRange();
      return [...document.querySelectorAll("#hand-in :is(legend, label, .hint)")].filter((each) => {
        range.selectNodeContents(each);
        return range.getBoundingClientRect().right > room.right + 1;
      }).map((each) => each.innerText);
    }"""
    assert shown.evaluate(outside) == []


def test_only_the_page_that_is_shown_is_marked_as_such(address: str) -> None:
    marked = 'aria-current="page"'
    assert get(address, headers=BROWSER).text.count(marked) == 1
    answer = post(f"{address}/result", files={"photo": photo()}, headers=BROWSER)
    assert marked not in answer.text
