"""Take the pictures of the page that stand in the documentation: `make screenshots`.

Generated lesions are handed in, so no real image is shown.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browsing import kept, start_chromium  # noqa: E402 - found by the line above
from lentigo.data.phantom_render import Lesion, render_view  # noqa: E402
from lentigo.web.camera.capture import Capture  # noqa: E402
from lentigo.web.camera.sources import Pattern  # noqa: E402
from lentigo.web.settings import Limits, Settings  # noqa: E402
from web_server import page  # noqa: E402

OUT = ROOT / "docs" / "images"
SIZES = {"phone": (390, 844), "desktop": (1400, 900)}
LANGUAGES = ("es", "id", "tr")
COLOURS = 96
OPEN = Settings(limits=Limits(per_minute=10_000))

Photo = Callable[[], NDArray[np.uint8]]


def lesion(view: int = 0) -> NDArray[np.uint8]:
    """A generated photo, BGR; two views are two photos of the same lesion."""
    # One that the model takes for a lesion like those it knows; its second view it does not, so
    # that a series shows what it says then.
    drawn = Lesion.draw("pale", np.random.default_rng(3))
    rng = np.random.default_rng(3 + view)
    return render_view(drawn, tone=0, hairiness=0, rng=rng, size=480)[..., ::-1]


def blurred() -> NDArray[np.uint8]:
    """The same, out of focus and in poor light."""
    return np.asarray(cv2.GaussianBlur(lesion(), (0, 0), 9) * 0.3, np.uint8)


def room() -> NDArray[np.uint8]:
    """What is no skin: bright tiles of all colours."""
    tiles = np.random.default_rng(1).integers(0, 256, (9, 12, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(tiles, (640, 480), interpolation=cv2.INTER_NEAREST), np.uint8)


def handed(shown: Page, photo: NDArray[np.uint8]) -> None:
    """Hand a photo in as a file."""
    content = cv2.imencode(".png", photo)[1].tobytes()
    shown.set_input_files(
        "#photo", {"name": "spot.png", "mimeType": "image/png", "buffer": content}
    )


def served(shown: Page, address: str, photo: Photo = lesion, scope: str = "yes") -> None:
    """The server's answer about a photo."""
    shown.goto(address)
    shown.check(f"input[value={scope}]")
    handed(shown, photo())
    shown.click("button.main")
    shown.wait_for_selector("#keep")


def camera(shown: Page, address: str) -> None:
    """The camera of the server, once its picture is there."""
    shown.goto(f"{address}/camera")
    shown.wait_for_selector("[data-state=live]")
    while not shown.evaluate("document.getElementById('live').naturalWidth"):
        shown.wait_for_timeout(50)


def keep(shown: Page) -> None:
    """Keep the answer that is shown."""
    shown.fill("#series-name", "left arm")
    shown.click("#keep button")
    shown.wait_for_selector("#kept a")


def series(shown: Page, address: str) -> None:
    """Two photos of one spot, kept."""
    for view in (0, 1):
        served(shown, address, partial(lesion, view))
        keep(shown)
    shown.goto(f"{address}/series")
    shown.wait_for_selector("figure img")


def app(shown: Page, address: str) -> None:
    """The app after its first visit."""
    shown.goto(f"{address}/app/")
    kept(shown)


def app_preview(shown: Page, address: str) -> None:
    """The live picture of a phone; Chromium's stand-in for a camera shows a test picture."""
    app(shown, address)
    shown.click("[data-part=start]")
    shown.wait_for_selector(".guide")
    shown.wait_for_timeout(500)


def app_answer(shown: Page, address: str, photo: Photo = lesion) -> None:
    """The app's answer about a photo."""
    app(shown, address)
    shown.check("input[value=yes]")
    handed(shown, photo())
    shown.wait_for_selector("#result .top-class")


def app_series(shown: Page, address: str) -> None:
    """Two photos of one spot, kept by the app."""
    for view in (0, 1):
        app_answer(shown, address, partial(lesion, view))
        keep(shown)
    shown.click("#kept a")
    shown.wait_for_selector("figure img")


def app_offline(shown: Page, address: str) -> None:
    """The server's own address without a network: the app takes over."""
    app(shown, address)
    shown.context.set_offline(True)
    shown.goto(address)
    shown.wait_for_url(f"{address}/app/")
    kept(shown)


@dataclass(frozen=True)
class State:
    """A picture that is taken.

    Attributes:
        reach: Leads a fresh visitor there.
        languages: In which it is shown, beside English.
    """

    reach: Callable[[Page, str], object]
    languages: tuple[str, ...] = field(default=())


STATES = {
    "page-home": State(lambda shown, address: shown.goto(address)),
    "page-camera": State(camera),
    "page-result": State(served, languages=LANGUAGES),
    "page-unfamiliar": State(partial(served, photo=room, scope="no")),
    "page-poor": State(partial(served, photo=blurred)),
    "page-series": State(series),
    "page-model": State(lambda shown, address: shown.goto(f"{address}/model")),
    "app-first": State(lambda shown, address: shown.goto(f"{address}/app/")),
    "app-preview": State(app_preview),
    "app-result": State(app_answer),
    "app-unfamiliar": State(partial(app_answer, photo=room)),
    "app-series": State(app_series),
    "app-offline": State(app_offline),
}


def main() -> None:
    """Write a PNG for each state and size, and for each language at the size of a phone."""
    with page(OPEN, capture=Capture(Pattern)) as address, sync_playwright() as playwright:
        browser = start_chromium(playwright.chromium)
        for name, state in STATES.items():
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            for size in SIZES:
                take(browser, address, state, size, "en", f"{name}-{size}")
            for language in state.languages:
                take(browser, address, state, "phone", language, f"{name}-phone-{language}")
        browser.close()


def take(browser: Browser, address: str, state: State, size: str, language: str, name: str) -> None:
    """One picture of one state, by a visitor without a past."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="light",
        locale="en-GB" if language == "en" else language,
        permissions=["camera"],
    )
    shown = context.new_page()
    state.reach(shown, address)
    shown.evaluate("scrollTo(0, 0)")
    write(OUT / f"{name}.png", shown.screenshot(full_page=True))
    context.close()


def write(path: Path, screenshot: bytes) -> None:
    """A palette is enough for flat colours, and a third of the size."""
    from PIL import Image  # noqa: PLC0415 - OpenCV writes no palettes

    image = cv2.imdecode(np.frombuffer(screenshot, np.uint8), cv2.IMREAD_COLOR)
    flat = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).quantize(COLOURS)
    flat.save(path, optimize=True)
    sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
