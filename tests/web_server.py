"""A running page for tests, in this process and in one of its own."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cv2
import httpx
import numpy as np
import uvicorn

from lentigo.deploy.runtime import BundlePredictor, load_default
from lentigo.web.app import make_app
from lentigo.web.camera.capture import Capture
from lentigo.web.camera.sources import CameraLost, Frame
from lentigo.web.serve import config_of, listening
from lentigo.web.server import Server, make_server
from lentigo.web.settings import Limits, Settings
from lentigo.web.strings import Words

TESTS = Path(__file__).parent
# A machine that does other things too takes its time.
WAIT_S = 60
get, post = partial(httpx.get, timeout=WAIT_S), partial(httpx.post, timeout=WAIT_S)
stream = partial(httpx.stream, timeout=WAIT_S)
# What a browser says that it takes; programs get JSON.
BROWSER = {"accept": "text/html"}
EN = Words("en")


def photo(side: int = 160, suffix: str = ".jpg", seed: int = 0) -> bytes:
    """An encoded picture of a brown disc on skin."""
    noise = np.random.default_rng(seed).integers(-8, 9, (side, side, 3))
    rgb = np.clip(np.full((side, side, 3), (150, 170, 220)) + noise, 0, 255).astype(np.uint8)
    cv2.circle(rgb, (side // 2, side // 2), side // 4, (40, 60, 110), -1)
    return bytes(cv2.imencode(suffix, rgb)[1])


def eventually(true: Callable[[], object], timeout_s: float = WAIT_S) -> None:
    """Wait until something holds, for so long that a busy machine gets there too."""
    end = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.01)


class Plugged:
    """A camera with a plug: gives pictures while it is in."""

    def __init__(self) -> None:
        self.plugged, self.opened, self.closed = True, 0, 0

    def open(self) -> Plugged:
        if not self.plugged:
            raise CameraLost("unplugged")
        self.opened += 1
        return self

    def read(self) -> Frame:
        time.sleep(0.02)
        if not self.plugged:
            raise CameraLost("unplugged")
        return np.full((48, 64, 3), 128, np.uint8)

    def close(self) -> None:
        self.closed += 1


def sealed_in(text: str) -> str:
    """What a result page hands back when another language is chosen."""
    (found,) = re.findall(r'name="told" value="([^"]*)"', text)
    return html.unescape(found)


def said_in(language: str, address: str, sealed: str | bytes) -> httpx.Response:
    """Choose another language on a result page."""
    return post(
        f"{address}/result/language?lang={language}",
        files={"told": (None, sealed)},
        headers=BROWSER,
    )


@contextmanager
def running(server: Server) -> Iterator[str]:
    """Serve in a thread of this process; the page's address."""
    certificates = server.settings.certificates
    inside = uvicorn.Server(config_of(make_app(server), server, certificates))
    sock = listening("127.0.0.1", 0)
    thread = threading.Thread(target=inside.run, args=([sock],), daemon=True)
    thread.start()
    while not inside.started:
        thread.join(0.01)
    scheme = "http" if certificates is None else "https"
    try:
        yield f"{scheme}://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        inside.should_exit = True
        if server.capture is not None:
            server.capture.close()
        thread.join(10)
        server.close()


@contextmanager
def page(
    settings: Settings | None = None,
    predictor: BundlePredictor | None = None,
    capture: Capture | None = None,
) -> Iterator[str]:
    """The page with the model that ships; its address."""
    server = make_server(predictor or load_default(), settings or Settings(), capture=capture)
    with running(server) as address:
        yield address


@contextmanager
def unlimited() -> Iterator[httpx.Client]:
    """Somebody who may ask the page as often as many tests do."""
    settings = Settings(limits=Limits(per_minute=100_000))
    with page(settings) as address, httpx.Client(base_url=address, timeout=WAIT_S) as found:
        yield found


@contextmanager
def process(*options: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """``lentigo serve`` in a process of its own; it and the addresses that it printed."""
    python = [sys.executable, "-X", "faulthandler"]
    command = [*python, "-m", "lentigo", "serve", "--port", "0", *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ.copy()
    ) as started:
        try:
            assert started.stdout is not None
            first = started.stdout.readline()
            assert first, started.stderr.read() if started.stderr else ""
            yield started, [first.strip()]
        finally:
            started.kill()
