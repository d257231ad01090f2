"""The offline app of `lentigo serve`: the page works on when the server is gone."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from browsing import MODEL
from lentigo.deploy.bundle import read_bundle, write_bundle
from lentigo.deploy.runtime import BundlePredictor
from lentigo.image.hair import HairRemoval
from lentigo.web import litert
from lentigo.web.offline import PIECE_BYTES, OfflineApp, pieces
from lentigo.web.strings import LANGUAGES, catalogue
from web_server import get, photo, post, stream
from web_server import page as served_page

CATALOGUE = catalogue()


@contextmanager
def serving(wheel: Path, *options: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """``lentigo serve`` of the installed wheel; the process and its address."""
    python = [sys.executable, "-X", "faulthandler"]
    command = [*python, "-m", "lentigo", "serve", "--port", "0", *options]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        text=True,
        cwd=wheel,
        env=os.environ | {"PYTHONPATH": str(wheel)},
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            if (code := process.poll()) not in {None, -9}:
                print(f"the server ended by itself: {code}")  # noqa: T201 - pytest shows it
            process.kill()


def wait_until_kept(page: Any, address: str) -> None:
    """Wait until the worker has all that the app needs."""
    listing = get(f"{address}/app/files.js").text
    facts = json.loads(listing.removeprefix("self.LENTIGO = ").rstrip(";\n"))
    count = "caches.open('lentigo').then(async (cache) => (await cache.keys()).length)"
    # One of the two variants of the runtime, two files each, stays away; so do its licence texts.
    wanted = len([name for name in facts["files"] if not name.startswith("litert/")]) + 4
    for _ in range(300):
        if page.evaluate(count) >= wanted:
            return
        page.wait_for_timeout(200)
    pytest.fail("the app was not kept within a minute")


def test_the_page_answers_on_when_server_and_network_are_gone(
    browser: Any, installed_wheel: Path, tmp_path: Path
) -> None:
    spot = tmp_path / "spot.jpg"
    spot.write_bytes(photo(300))
    context = browser.new_context(locale="en-GB")
    with serving(installed_wheel) as (process, address):
        page = context.new_page()
        page.goto(address)
        page.get_by_role("radio").first.check()
        page.set_input_files("#photo", spot)
        page.locator("button.main").click()
        from_server = page.locator(".top-class").text_content()
        page.goto(address)
        wait_until_kept(page, address)
        process.kill()
        process.wait()
        context.set_offline(True)
        page.goto(address)
        page.wait_for_url(f"{address}/app/")
        page.locator("#state", has_text=CATALOGUE["offline.kept"]["en"]).wait_for(timeout=60_000)
        page.set_input_files("#photo", spot)
        assert page.locator("#result .top-class").text_content() == from_server
    context.close()


def test_the_app_of_a_server_sends_it_no_photo(
    browser: Any, installed_wheel: Path, tmp_path: Path
) -> None:
    spot = tmp_path / "spot.jpg"
    spot.write_bytes(photo(300))
    context = browser.new_context(locale="en-GB")
    with serving(installed_wheel) as (_, address):
        page = context.new_page()
        page.goto(address)
        page.get_by_role("link", name=CATALOGUE["offline.link"]["en"]).click()
        page.locator("#state", has_text=CATALOGUE["offline.kept"]["en"]).wait_for(timeout=60_000)
        requests: list[str] = []
        context.on("request", lambda request: requests.append(request.url))
        page.set_input_files("#photo", spot)
        page.locator("#result .top-class").wait_for(timeout=30_000)
        assert requests == []
    context.close()


def test_a_server_s_page_is_installable(browser: Any, installed_wheel: Path) -> None:
    context = browser.new_context()
    with serving(installed_wheel) as (_, address):
        page = context.new_page()
        page.goto(address)
        wait_until_kept(page, address)
        session = context.new_cdp_session(page)
        manifest = session.send("Page.getAppManifest")
        assert manifest["url"] == f"{address}/app/app.webmanifest"
        assert manifest["errors"] == []
        found = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
        assert [each["errorId"] for each in found] in ([], ["in-incognito"])
    context.close()


def test_the_webassembly_travels_compressed_and_arrives_whole(installed_wheel: Path) -> None:
    with serving(installed_wheel) as (_, address):
        url = f"{address}/app/litert/litert_wasm_internal.wasm"
        with stream("GET", url, headers={"accept-encoding": "gzip"}) as response:
            raw = b"".join(response.iter_raw())
            assert response.headers["content-type"] == "application/wasm"
        plain = get(url, headers={"accept-encoding": "identity"})
        listing = get(f"{address}/app/files.js").text
    assert len(raw) < 3_000_000
    assert gzip.decompress(raw) == plain.content
    assert hashlib.sha256(plain.content).hexdigest() in listing


def test_a_file_that_has_not_changed_is_not_sent_again(installed_wheel: Path) -> None:
    with serving(installed_wheel) as (_, address):
        first = get(f"{address}/app/model.tflite")
        assert first.content == MODEL.read_bytes()
        again = {"if-none-match": first.headers["etag"]}
        assert get(f"{address}/app/model.tflite", headers=again).status_code == 304


def test_large_files_are_never_in_memory_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sixty visitors who read nothing of what they asked for filled half a gigabyte."""
    (tmp_path / "some.wasm.gz").write_bytes(gzip.compress(bytes(1_000_000)))
    for name in ("NOTICE", "LICENSE"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(litert, "runtime_folder", lambda: tmp_path)
    parts = OfflineApp(read_bundle(MODEL), served=True).parts
    for name in ("model.tflite", "litert/some.wasm"):
        sizes = [len(each) for each in pieces(parts[name].open)]
        assert sum(sizes) == len(parts[name].read())
        assert max(sizes) <= PIECE_BYTES
    with served_page() as address, stream("GET", f"{address}/app/model.tflite") as answer:
        assert "content-length" not in answer.headers
        assert answer.read() == MODEL.read_bytes()


def test_a_bundle_that_browsers_cannot_do_is_answered_by_the_server_which_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litert, "runtime_folder", lambda: tmp_path)
    bundle, hairy = read_bundle(MODEL), tmp_path / "hairy.tflite"
    spec = bundle.info.spec.model_copy(update={"hair_removal": HairRemoval()})
    write_bundle(bundle.graph, bundle.info.model_copy(update={"spec": spec}), hairy)
    html = {"accept": "text/html"}
    with served_page(predictor=BundlePredictor(hairy)) as address:
        for language in LANGUAGES:
            home = get(f"{address}/?lang={language}", headers=html).text
            assert CATALOGUE["offline.server"][language] in home.replace("&#39;", "'")
            assert "/app/" not in home
        assert get(f"{address}/app/", headers=html).status_code == 404
        answer = post(f"{address}/result", files={"photo": photo()}, headers=html)
        assert answer.status_code == 200


def test_a_bare_checkout_serves_all_but_the_app_and_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(litert, "runtime_folder", lambda: None)
    with served_page() as address:
        home = get(address, headers={"accept": "text/html"})
        assert home.status_code == 200
        assert CATALOGUE["offline.missing"]["en"] in home.text
        missing = get(f"{address}/app/")
        assert missing.status_code == 404
        assert "make offline-app" in missing.json()["reason"]


def test_a_path_outside_the_app_is_not_found(installed_wheel: Path) -> None:
    with serving(installed_wheel) as (_, address):
        for path in ("nothing.js", "..%2f..%2fapp.py", "litert/../../app.py", "%00"):
            assert get(f"{address}/app/{path}").status_code in {400, 404}


def test_visitors_without_the_access_code_get_none_of_it(installed_wheel: Path) -> None:
    with serving(installed_wheel, "--code", "brown") as (_, address):
        asked = get(address, headers={"accept": "text/html"})
        assert asked.status_code == 401
        assert "/app/visit.js" not in asked.text
        assert get(f"{address}/app/model.tflite").status_code == 401
