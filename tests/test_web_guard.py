"""What the page refuses: foreign names and origins, too much, too slow, and files that lie."""

from __future__ import annotations

import gc
import io
import re
import socket
import struct
import threading
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image

from lentigo.deploy.runtime import load_default
from lentigo.image import header
from lentigo.web import patience
from lentigo.web.camera.capture import Capture
from lentigo.web.camera.sources import Frame
from lentigo.web.refusals import Refusal
from lentigo.web.screening import screen
from lentigo.web.settings import Limits, Settings
from lentigo.web.strings import LANGUAGES, Words, catalogue
from web_server import (
    BROWSER,
    EN,
    WAIT_S,
    get,
    page,
    photo,
    post,
    said_in,
    sealed_in,
    stream,
    unlimited,
)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with unlimited() as found:
        yield found


def predict(client: httpx.Client, content: bytes, **head: str) -> httpx.Response:
    return client.post("/api/v1/predict", content=content, headers=head)


def png_header(
    width: int, height: int, depth: int = 8, colour: int = 2, interlaced: int = 0
) -> bytes:
    """A PNG that is valid and claims a size that its pixels do not have."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    data = zlib.compress(b"\0" * 1000)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", data), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def animated(kind: str) -> bytes:
    frames = [Image.new("RGB", (64, 64), (n * 90, 20, 30)) for n in range(3)]
    stream = io.BytesIO()
    frames[0].save(stream, kind, save_all=True, append_images=frames[1:], duration=100)
    return stream.getvalue()


def with_zip(content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("x.txt", "hidden")
    return content + stream.getvalue()


LYING = {
    "empty": (b"", 415),
    "text": (b"hello, this is no image at all, but text of some length", 415),
    "html": (b"<!doctype html><html><script>1</script></html>" * 5, 415),
    "pdf": (b"%PDF-1.7 something" * 20, 415),
    "truncated JPEG": (photo()[:900], 422),
    "truncated PNG": (photo(suffix=".png")[:-20], 422),
    "JPEG and zip": (with_zip(photo()), 415),
    "PNG and zip": (with_zip(photo(suffix=".png")), 415),
    "JPEG, zip and what readers of zips forgive": (with_zip(photo()) + b"more", 415),
    "JPEG and RAR": (photo() + b"Rar!\x1a\x07\x01\x00", 415),
    "JPEG and 7z": (photo() + b"7z\xbc\xaf\x27\x1c", 415),
    "JPEG and script": (photo() + b"<script>alert(1)</script>", 415),
    "animated GIF": (animated("GIF"), 422),
    "animated PNG": (animated("PNG"), 422),
    "animated WebP": (animated("WEBP"), 422),
    "bomb of 10 gigapixels": (png_header(100_000, 100_000), 413),
    "39 megapixels that are not there": (png_header(6500, 6000, 16, 6), 422),
    "bomb of 39 interlaced megapixels": (png_header(6500, 6000, 16, 6, interlaced=1), 413),
    "bomb of 39 megapixels in a line": (png_header(390_000, 100, 16, 6), 413),
    "pixels that are not there": (png_header(500, 500), 422),
}


@pytest.mark.parametrize("name", LYING)
def test_a_file_that_lies_gets_a_status_and_a_sentence(client: httpx.Client, name: str) -> None:
    content, status = LYING[name]
    answer = predict(client, content, **{"content-type": "image/jpeg"})
    assert answer.status_code == status, answer.text
    fields = answer.json()
    assert fields["error"].endswith(".")
    assert fields["reason"].endswith((".", "read")) or fields["reason"]
    shown = client.post("/result", files={"photo": ("x.jpg", content)}, headers=BROWSER)
    assert shown.status_code in {status, 400}
    assert "Traceback" not in shown.text


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("empty", "empty"),
        ("text", "no_image"),
        ("pdf", "foreign"),
        ("truncated JPEG", "truncated"),
        ("JPEG and zip", "two_kinds"),
        ("animated GIF", "animated"),
        ("bomb of 10 gigapixels", "pixels"),
        ("bomb of 39 megapixels in a line", "memory"),
    ],
)
def test_why_a_photo_is_refused_is_said_in_the_visitor_s_language(name: str, why: str) -> None:
    with pytest.raises(Refusal) as refused:
        screen(LYING[name][0], Limits())
    assert refused.value.why == f"reason.{why}"
    for language in LANGUAGES:
        assert Words(language)(refused.value.why, **refused.value.values).endswith(".")


def test_every_reason_that_the_library_gives_has_a_sentence() -> None:
    source = Path(header.__file__).read_text("utf-8")
    codes = set(re.findall(r'HeaderError\([^\n]*, "([a-z_]+)"', source))
    assert {"empty", "foreign", "truncated"} <= codes
    assert {f"reason.{code}" for code in codes} <= set(catalogue())


def test_a_page_in_spanish_gives_the_reason_in_spanish_and_programs_get_it_in_english(
    client: httpx.Client,
) -> None:
    content = LYING["animated GIF"][0]
    head = {**BROWSER, "accept-language": "es"}
    shown = client.post("/result", files={"photo": ("x.gif", content)}, headers=head).text
    assert Words("es")("reason.animated") in shown
    assert "hand in a single picture" not in shown
    assert "hand in a single picture" in predict(client, content).json()["reason"]


def test_a_large_jpeg_is_answered_and_one_over_the_limit_is_not(client: httpx.Client) -> None:
    large = cv2.imencode(".jpg", np.full((5000, 7000, 3), 120, np.uint8))[1].tobytes()
    assert predict(client, large).status_code == 200
    over = cv2.imencode(".jpg", np.full((6000, 7000, 3), 120, np.uint8))[1].tobytes()
    answer = predict(client, over)
    assert answer.status_code == 413
    assert "40 megapixels" in answer.json()["reason"]


def test_what_a_request_calls_its_content_does_not_matter(client: httpx.Client) -> None:
    for said in ("text/html", "image/png", "application/json", "nonsense"):
        assert predict(client, photo(), **{"content-type": said}).status_code == 200


def test_a_body_over_the_limit_is_refused_whether_it_says_so_or_not(client: httpx.Client) -> None:
    size = Limits().body_bytes + 1
    assert predict(client, b"\0" * size).status_code == 413

    def pieces() -> Iterator[bytes]:
        for _ in range(size // 65536 + 1):
            yield b"\0" * 65536

    assert client.post("/api/v1/predict", content=pieces()).status_code == 413


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"--x\r\nContent-Disposition: form-data", "multipart/form-data; boundary=x"),
        (b"--x--\r\n", "multipart/form-data; boundary=x"),
        (b"x", "multipart/form-data"),
        (b"--x\r\n" + b"a" * 9000 + b": b\r\n\r\n\r\n--x--", "multipart/form-data; boundary=x"),
    ],
)
def test_a_malformed_form_is_a_sentence(client: httpx.Client, body: bytes, kind: str) -> None:
    answer = predict(client, body, **{"content-type": kind})
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_a_file_name_is_shown_nowhere_as_markup(client: httpx.Client) -> None:
    name = "<img src=x onerror=alert(1)>.jpg"
    answer = client.post("/result", files={"photo": (name, photo())}, headers=BROWSER)
    assert answer.status_code == 200
    assert "<img src=x" not in answer.text


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc"]
)
def test_no_path_reaches_the_disk(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 404


def test_an_address_that_asks_too_often_is_told_when_to_come_again() -> None:
    with page(Settings(limits=Limits(per_minute=3))) as address:
        answers = [post(f"{address}/api/v1/predict", content=photo()) for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1


def test_more_photos_than_wait_are_told_to_come_again_at_once() -> None:
    took_s: dict[int, list[float]] = {200: [], 503: []}
    retry: list[str] = []
    with page(Settings(limits=Limits(waiting=2, per_minute=1000))) as address:
        content = photo(1500)

        def ask() -> None:
            began = time.monotonic()
            answer = post(f"{address}/api/v1/predict", content=content)
            took_s[answer.status_code].append(time.monotonic() - began)
            if answer.status_code == 503:
                retry.append(answer.headers["retry-after"])

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(WAIT_S)
        assert len(took_s[200]) + len(took_s[503]) == 16
        assert len(retry) == len(took_s[503]) > 0
        # However busy the machine is: to be sent away is quicker than to be answered.
        assert np.median(took_s[503]) < max(took_s[200])
        assert post(f"{address}/api/v1/predict", content=content).status_code == 200


def connect(address: str) -> socket.socket:
    host, port = address.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_a_client_of_one_byte_a_second_is_ended_and_holds_nobody_up() -> None:
    with page(Settings(limits=Limits(body_s=2.0))) as address:
        slow = connect(address)
        head = "POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n"
        slow.sendall(head.encode())
        for _ in range(3):
            slow.sendall(b"\xff")
            assert post(f"{address}/api/v1/predict", content=photo()).status_code == 200
            time.sleep(1)
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")
        slow.close()


def test_a_head_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEAD_S", 0.5)
    with page() as address:
        slow = connect(address)
        slow.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        assert slow.recv(4096) == b""
        slow.close()
        # A second request on the same connection has its own time.
        twice = connect(address)
        twice.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT")
        assert b"200 OK" in twice.recv(4096)
        while content := twice.recv(4096):
            assert b"lentigo" in content or b"status" in content
        twice.close()


class Noise:
    """A camera whose pictures are large and come at once."""

    def read(self) -> Frame:
        time.sleep(0.01)
        return np.random.default_rng(0).integers(0, 256, (480, 640, 3)).astype(np.uint8)

    def close(self) -> None: ...


def test_a_client_that_takes_nothing_of_its_answer_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "TAKE_S", 0.5)
    settings = Settings(limits=Limits(viewers=1))
    with page(settings, capture=Capture(Noise)) as address:
        lazy = connect(address)
        lazy.sendall(b"GET /camera/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        lazy.recv(1)
        with stream("GET", f"{address}/camera/stream") as refused:
            assert refused.status_code == 503
        status, until = 503, time.monotonic() + WAIT_S
        while status == 503 and time.monotonic() < until:
            time.sleep(0.2)
            with stream("GET", f"{address}/camera/stream") as taken:
                status = taken.status_code
        lazy.close()
    assert status == 200


def test_connections_over_the_limit_are_told_to_come_again_and_far_over_it_are_dropped() -> None:
    with page(Settings(limits=Limits(connections=2))) as address:
        held = [connect(address) for _ in range(2)]
        answer = get(f"{address}/healthz")
        held += [connect(address) for _ in range(2)]
        with pytest.raises(httpx.TransportError):
            get(f"{address}/healthz")
        for each in held:
            each.close()
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.json()["error"] == EN("problem.busy")


def test_a_photo_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    big = cv2.imencode(".png", np.random.default_rng(0).integers(0, 255, (1200, 1200, 3)))[1]
    with page() as address:
        answer = post(f"{address}/result", files={"photo": big.tobytes()})
    assert answer.status_code == 200
    assert list(tmp_path.iterdir()) == []


def test_memory_holds_nothing_of_a_photo_once_it_is_answered() -> None:
    # What phones append makes a photo large without making it slow.
    large = photo() + np.random.default_rng(0).bytes(8_000_000)
    noise = np.random.default_rng(0).integers(0, 256, (720, 720, 3)).astype(np.uint8)
    rough = cv2.imencode(".png", noise)[1].tobytes()
    with page(Settings(limits=Limits(per_minute=1000))) as address:
        told = sealed_in(post(f"{address}/result", files={"photo": rough}, headers=BROWSER).text)
        tracemalloc.start()
        try:
            for asked in range(4):
                if asked == 1:  # by then, caches are filled
                    gc.collect()
                    before = tracemalloc.get_traced_memory()[0]
                form = {"photo": large}
                answers = [
                    post(f"{address}/result", files=form, headers=BROWSER),
                    post(f"{address}/api/v1/predict", content=large),
                    post(f"{address}/api/v1/predict", content=large[:300]),
                ]
                assert [each.status_code for each in answers] == [200, 200, 422]
                assert said_in("tr", address, told).status_code == 200
                del answers
            gc.collect()
            assert tracemalloc.get_traced_memory()[0] - before < 500_000
        finally:
            tracemalloc.stop()


def test_the_network_s_input_is_wiped_after_each_photo() -> None:
    predictor = load_default(threads=1)
    predictor.predict_bytes(photo())
    with predictor._wide.one() as engine:
        assert not engine._interpreter.get_tensor(engine._input).any()


def test_phones_may_append_what_is_no_other_kind_of_file() -> None:
    assert screen(photo() + b"\0\0\0\x18ftypmp42" + b"\0" * 500, Limits()).kind == "JPEG"
