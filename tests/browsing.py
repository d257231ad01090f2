"""A real browser, the built wheel, and a web host, for the tests of the page and the app.

What is missing on a machine skips the tests that need it, with a sentence.
"""

from __future__ import annotations

import base64
import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lentigo.image.spec import PreprocessSpec
from lentigo.web.strings import catalogue

CATALOGUE = catalogue()
CHECKOUT = Path(__file__).parents[1]
MODEL = CHECKOUT / "src/lentigo/models/lentigo-ham10000.tflite"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A camera that shows a test picture, and nobody asked whether it may be used.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)


BYTES = "const bytes = Uint8Array.from(atob(b64), (c) => c.charCodeAt(0));"
# Playwright carries an array over number by number: for a picture that takes seconds.
PACKED = """const packed = (pixels) => {
  let text = "";
  for (let at = 0; at < pixels.length; at += 32768)
    text += String.fromCharCode(...pixels.subarray(at, at + 32768));
  return btoa(text);
};"""
PREPROCESS = f"""async ([b64, spec]) => {{
  const {{ preprocess }} = await import("/preprocess.js");
  {BYTES}
  {PACKED}
  try {{
    return {{ input: packed((await preprocess(bytes, spec)).input) }};
  }} catch (error) {{
    return {{ error: error.message }};
  }}
}}"""


def start_chromium(chromium: Any, *arguments: str) -> Any:
    """Chromium, headless; Debian's where it is installed, otherwise Playwright's own."""
    installed = shutil.which("chromium")
    return chromium.launch(executable_path=installed, args=[*ARGUMENTS, *arguments])


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with api.sync_playwright() as playwright:
        try:
            started = start_chromium(playwright.chromium)
        except api.Error as error:
            pytest.skip(f"no Chromium starts on this machine: {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture(scope="session")
def installed_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with lentigo as its built wheel installs it, LiteRT.js included."""
    pytest.importorskip("hatchling", reason="hatchling, which builds the wheel, is not installed")
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, CHECKOUT]
    done = subprocess.run(build, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    target = folder / "installed"
    install = [*pip, "install", "--no-deps", "--target", target, wheel]
    subprocess.run(install, capture_output=True, check=True, cwd=folder)
    if not (target / "lentigo/web/litert/NOTICE").is_file():
        pytest.skip("the built wheel carries no LiteRT.js: npm or its registry is missing here")
    return target


def installed_lentigo(wheel: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the wheel's command line."""
    return subprocess.run(
        [sys.executable, "-m", "lentigo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=wheel,
        env=os.environ | {"PYTHONPATH": str(wheel)},
    )


@pytest.fixture(scope="session")
def app_folder(installed_wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The offline app of the model that ships, written by the installed wheel."""
    out = tmp_path_factory.mktemp("app") / "app"
    done = installed_lentigo(installed_wheel, "web-app", MODEL, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A visitor of a browser without a past, who speaks English."""
    made = browser.new_context(locale="en-GB")
    yield made
    made.close()


@pytest.fixture
def spot(tmp_path: Path) -> Path:
    """A generated photo of a spot."""
    from golden_images import encoded, photograph

    path = tmp_path / "spot.jpg"
    path.write_bytes(encoded(photograph(640, 480, seed=30), "JPEG"))
    return path


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing: the tests count requests in the browser."""


@dataclass
class Host:
    """A plain web host."""

    url: str
    _server: http.server.ThreadingHTTPServer

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def hosted(folder: Path) -> Iterator[Host]:
    """A folder on Python's own web server, which knows nothing of lentigo."""
    handler = functools.partial(_Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = Host(f"http://127.0.0.1:{server.server_port}/", server)
    try:
        yield host
    finally:
        host.stop()


@pytest.fixture
def app_host(app_folder: Path) -> Iterator[Host]:
    """The offline app on a plain web host."""
    with hosted(app_folder) as host:
        yield host


@pytest.fixture(scope="module")
def page(browser: Any, app_folder: Path) -> Iterator[Any]:
    """A page that the app's modules can be imported on, and on which nothing runs."""
    with hosted(app_folder) as host:
        opened = browser.new_page()
        opened.goto(f"{host.url}LICENSES.txt")
        yield opened
        opened.close()


@pytest.fixture
def app(context: Any, app_host: Host) -> Any:
    """A visitor's page of the offline app, once it works without a network."""
    page = open_app(context, app_host.url)
    kept(page)
    return page


def in_base64(content: bytes) -> str:
    """Bytes for a script in the browser."""
    return base64.b64encode(content).decode()


def in_browser(page: Any, content: bytes, spec: PreprocessSpec) -> NDArray[np.uint8]:
    """What the app makes of a photo before the network sees it; (size, size, 3) RGB."""
    answer = page.evaluate(PREPROCESS, [in_base64(content), spec.model_dump(mode="json")])
    assert "error" not in answer, answer["error"]
    return unpacked(answer["input"], spec.size)


def unpacked(pixels: str, side: int) -> NDArray[np.uint8]:
    """What ``PACKED`` wrote, as (side, side, 3)."""
    return np.frombuffer(base64.b64decode(pixels), np.uint8).reshape(side, side, 3)


def open_app(context: Any, url: str) -> Any:
    """A page of the app."""
    page = context.new_page()
    page.goto(url)
    return page


def kept(page: Any, language: str = "en") -> None:
    """Wait until the app says that it works without a network."""
    sentence = CATALOGUE["offline.kept"][language]
    page.locator("#state", has_text=sentence).wait_for(timeout=60_000)


def ask(page: Any, spot: Path) -> str:
    """Hand a photo in; the most probable class as the page names it."""
    page.set_input_files("#photo", spot)
    page.locator("#result .top-class").wait_for(timeout=30_000)
    return str(page.locator("#result .top-class").text_content())


def hand_in(shown: Any, picture: Path, scope: str = "yes") -> None:
    """Hand a photo in on a server's page, and wait for the answer."""
    shown.check(f"input[value={scope}]")
    shown.set_input_files("#photo", picture)
    shown.click("button.main")
    shown.wait_for_selector(".top-class")


def fits(shown: Any) -> bool:
    """Whether nothing has to be scrolled sideways."""
    return bool(shown.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def touching(shown: Any) -> list[str]:
    """Words of a table of figures that touch those of the next column, or leave their place."""
    return list(
        shown.evaluate(
            """() => {
          const wide = document.querySelector(".wide"), room = wide.getBoundingClientRect();
          const box = (cell) => {
            const range = document.createRange();
            range.selectNodeContents(cell);
            return range.getBoundingClientRect();
          };
          return [...wide.querySelectorAll("th, td")].filter((cell) => {
            const next = cell.nextElementSibling;
            const end = next ? box(next).left - 4 : room.right + 1;
            return box(cell).right > end;
          }).map((cell) => cell.innerText);
        }"""
        )
    )


def becomes_true(page: Any, expression: str) -> None:
    """Wait for a value; the page's policy forbids Playwright's own way, which evaluates text."""
    happens(page, lambda: page.evaluate(expression), expression)


def happens(page: Any, what: Callable[[], object], said: str) -> None:
    """Wait at most a minute for what a page brings about."""
    end = time.monotonic() + 60
    while not what():
        assert time.monotonic() < end, f"never true: {said}"
        page.wait_for_timeout(50)
