"""The page under everything at once; the long runs are those of `make soak`."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from PIL import Image
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi

from lentigo.deploy.runtime import load_default
from lentigo.errors import ImageError
from lentigo.web.metrics import resident_bytes
from lentigo.web.refusals import Refusal
from lentigo.web.screening import screen
from lentigo.web.settings import Limits, Settings
from web_load import Load, peak_mb, resident_mb, visit
from web_server import WAIT_S, eventually, get, page, photo, post, process

OPEN = ("--per-minute", "100000000")


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with page(Settings(limits=Limits(per_minute=100_000_000))) as found:
        yield found


def test_no_request_breaks_the_interface(address: str) -> None:
    document = schemathesis.openapi.from_url(f"{address}/api/v1/openapi.json")
    tried = set()
    for found in document.get_all_operations():
        operation = found.ok()
        tried.add(operation.path)

        # Health checks judge how fast strategies draw, which is schemathesis's own matter.
        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy())
        def never_breaks(case: schemathesis.Case) -> None:
            # What the document promises of statuses and fields holds for what is answered.
            case.call_and_validate(
                checks=[
                    checks.not_a_server_error,
                    openapi.status_code_conformance,
                    openapi.response_schema_conformance,
                ]
            )

        never_breaks()
    assert "/api/v1/predict" in tried


def valid_images() -> list[bytes]:
    """One of every format and kind that the decoder takes."""
    rgb = cv2.imdecode(np.frombuffer(photo(96), np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    image = Image.fromarray(np.ascontiguousarray(rgb))
    exif = Image.Exif()
    exif[274] = 6
    kinds: list[tuple[Image.Image, str, dict[str, object]]] = [
        (image, "JPEG", {}),
        (image, "JPEG", {"progressive": True, "exif": exif}),
        (image.convert("L"), "JPEG", {}),
        (image.convert("CMYK"), "JPEG", {}),
        (image, "PNG", {}),
        (image.convert("RGBA"), "PNG", {}),
        (image.convert("P"), "PNG", {}),
        (image.convert("1"), "PNG", {}),
        (Image.fromarray(np.full((64, 64), 40_000, np.uint16)), "PNG", {}),
        (image, "WEBP", {"quality": 80}),
        (image.convert("RGBA"), "WEBP", {"lossless": True}),
        (image, "TIFF", {}),
        (image, "TIFF", {"compression": "tiff_lzw"}),
        (image, "BMP", {}),
        (image.convert("P"), "GIF", {}),
    ]
    found = []
    for picture, kind, options in kinds:
        stream = io.BytesIO()
        picture.save(stream, kind, **options)  # type: ignore[arg-type]
        found.append(stream.getvalue())
    return found


def mutated(originals: list[bytes], rng: np.random.Generator) -> bytes:
    """A valid image with bytes flipped, cut out, doubled, or those of another spliced in."""
    content = bytearray(originals[rng.integers(len(originals))])
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(len(content))) if content else 0
        length = int(rng.integers(1, 64))
        match rng.integers(5):
            case 0:
                content[at : at + 1] = bytes([int(rng.integers(256))])
            case 1:
                del content[at : at + length]
            case 2:
                del content[at:]
            case 3:
                content[at:at] = content[at : at + length]
            case _:
                other = originals[rng.integers(len(originals))]
                start = int(rng.integers(len(other)))
                content[at : at + length] = other[start : start + length]
    return bytes(content)


def survive(count: int, seed: int) -> Counter[str]:
    """Answer or refuse so many mutated images; what became of them."""
    originals, rng = valid_images(), np.random.default_rng(seed)
    predictor, limits, became = load_default(threads=1), Limits(), Counter[str]()
    settled = 0
    for number in range(count):
        if number == count // 4:  # by then, buffers have their size
            settled = resident_bytes() or 0
        content = mutated(originals, rng)
        began = time.process_time()
        try:
            screen(content, limits)
            answer = predictor.predict_bytes(content)
            assert abs(sum(answer.probability) - 1) < 1e-6
            became["answered"] += 1
        except Refusal as refusal:
            became[str(refusal.status)] += 1
        except ImageError:
            became["422"] += 1
        assert time.process_time() - began < 2, f"image {number} of seed {seed}"
    assert (resident_bytes() or 0) <= 1.1 * settled
    return became


def test_mutated_images_are_answered_or_refused() -> None:
    became = survive(800, seed=1)
    assert became["answered"] > 20
    assert became["422"] > 100


@pytest.mark.soak
def test_twenty_thousand_mutated_images_are_answered_or_refused() -> None:
    assert sum(survive(20_000, seed=2).values()) == 20_000


def crowd(seconds: float) -> None:
    with process(*OPEN) as (started, (address, *_)):
        port = int(address.rsplit(":", maxsplit=1)[1])
        visit(port, photo(450), clients=64, seconds=4)
        first = resident_mb(started.pid)
        load = visit(port, photo(450), clients=64, seconds=seconds)
        assert set(load.statuses) <= {200, 503}
        # A machine may be busy with others; but nobody is left out.
        assert load.statuses[200] >= 64
        assert resident_mb(started.pid) <= 1.1 * first
        assert resident_mb(started.pid) < 250


def test_a_crowd_is_answered_or_told_to_come_again() -> None:
    crowd(seconds=8)


def test_the_largest_photos_fit_beside_camera_and_model() -> None:
    large = [("png", ".png", 7300, 5470, ()), ("jpeg", ".jpg", 8000, 5000, ())]
    large += [("webp", ".webp", 6500, 5000, (cv2.IMWRITE_WEBP_QUALITY, 80))]
    large += [("progressive", ".jpg", 6000, 5000, (cv2.IMWRITE_JPEG_PROGRESSIVE, 1))]
    coarse = np.random.default_rng(0).integers(90, 220, (24, 32, 3)).astype(np.uint8)
    with process("--camera", "pattern") as (started, (address, *_)):
        photos = []
        for name, suffix, width, height, flags in large:
            pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)
            photos.append((name, cv2.imencode(suffix, pixels, flags)[1].tobytes()))
        for name, content in photos * 2:  # what the first of each left behind may not pile up
            answer = post(f"{address}/result", files={"photo": content}, timeout=120)
            assert answer.status_code == 200, (name, answer.text)
            assert get(f"{address}/camera/status").status_code == 200
        assert peak_mb(started.pid) < 250


@pytest.mark.soak
def test_a_crowd_of_five_minutes_is_answered_or_told_to_come_again() -> None:
    crowd(seconds=300)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def test_a_server_killed_under_load_serves_again_at_once() -> None:
    port, load = free_port(), Load()
    options = (*OPEN, "--port", str(port))
    crowd = threading.Thread(
        target=visit,
        args=(port, photo()),
        kwargs={"clients": 8, "seconds": 10 * WAIT_S, "load": load},
        daemon=True,
    )
    with process(*options) as (started, _):
        crowd.start()
        eventually(lambda: load.statuses[200] > 8)
        started.kill()
        started.wait(WAIT_S)
    eventually(lambda: load.statuses[0] > 0)
    before = load.statuses[200]
    with process(*options):
        # On the same port, and for the visitors who met nobody there.
        eventually(lambda: load.statuses[200] > before + 8)
        load.until = 0.0
        crowd.join(WAIT_S)
        assert not crowd.is_alive()
    assert set(load.statuses) <= {0, 200, 503}
