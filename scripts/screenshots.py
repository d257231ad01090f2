"""Take the pictures of the page that stand in the documentation: `make screenshots`.

A generated lesion is handed in, so no real image is shown.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browsing import start_chromium  # noqa: E402 - found by the line above
from lentigo.data.phantom_render import Lesion, render_view  # noqa: E402
from lentigo.web.camera.capture import Capture  # noqa: E402
from lentigo.web.camera.sources import Pattern  # noqa: E402
from web_server import page  # noqa: E402

OUT = ROOT / "docs" / "images"
SIZES = {"phone": (390, 844), "desktop": (1400, 900)}
COLOURS = 128


def lesion() -> bytes:
    """A generated photo as PNG."""
    rng = np.random.default_rng(4)
    rgb = render_view(Lesion.draw("globules", rng), tone=1, hairiness=2, rng=rng, size=480)
    return bytes(cv2.imencode(".png", rgb[..., ::-1])[1])


def answered(shown: Page, address: str) -> None:
    """Hand the lesion in and wait for the answer."""
    shown.goto(address)
    shown.check("input[value=yes]")
    photo = {"name": "spot.png", "mimeType": "image/png", "buffer": lesion()}
    shown.set_input_files("#photo", photo)
    shown.click("button.main")
    shown.wait_for_selector(".top-class")


def camera(shown: Page, address: str) -> None:
    """Wait until the camera's picture is there."""
    shown.goto(f"{address}/camera")
    shown.wait_for_selector("[data-state=live]")
    while not shown.evaluate("document.getElementById('live').naturalWidth"):
        shown.wait_for_timeout(50)


def series(shown: Page, address: str) -> None:
    """Keep the answer twice and look at the series."""
    for _ in range(2):
        answered(shown, address)
        shown.fill("#series-name", "left arm")
        shown.click("#keep button")
        shown.wait_for_selector("#kept:visible")
    shown.goto(f"{address}/series")
    shown.wait_for_selector("figure img")


STATES: dict[str, Callable[[Page, str], object]] = {
    "home": lambda shown, address: shown.goto(address),
    "camera": camera,
    "result": answered,
    "series": series,
    "model": lambda shown, address: shown.goto(f"{address}/model"),
}


def main() -> None:
    """Write a PNG for each state and size."""
    with page(capture=Capture(Pattern)) as address, sync_playwright() as playwright:
        browser = start_chromium(playwright.chromium)
        for size, (width, height) in SIZES.items():
            viewport = {"width": width, "height": height}
            for state, reach in STATES.items():
                context = browser.new_context(viewport=viewport, color_scheme="light")
                shown = context.new_page()
                reach(shown, address)
                write(OUT / f"page-{state}-{size}.png", shown.screenshot(full_page=True))
                context.close()
        browser.close()


def write(path: Path, screenshot: bytes) -> None:
    """A palette is enough for flat colours, and a third of the size."""
    from PIL import Image  # noqa: PLC0415 - OpenCV writes no palettes

    image = cv2.imdecode(np.frombuffer(screenshot, np.uint8), cv2.IMREAD_COLOR)
    flat = Image.fromarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).quantize(COLOURS)
    flat.save(path, optimize=True)
    sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1000} kB\n")


if __name__ == "__main__":
    main()
