"""The camera on the server: shared, lost, back again, and never an error when absent."""

from __future__ import annotations

import stat
import sys
import threading
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from lentigo.errors import InputError
from lentigo.web.camera.capture import Capture, State
from lentigo.web.camera.sources import CameraLost, Frame, Pattern, Rpicam, Source, opener
from lentigo.web.settings import Limits, Settings
from lentigo.web.strings import Words
from web_server import (
    BROWSER,
    EN,
    WAIT_S,
    Plugged,
    eventually,
    get,
    page,
    photo,
    post,
    said_in,
    sealed_in,
    stream,
)


def test_many_viewers_share_one_capture() -> None:
    camera = Plugged()
    capture = Capture(camera.open)
    with page(capture=capture) as address:
        seen: list[int] = []

        def look() -> None:
            with stream("GET", f"{address}/camera/stream") as answer:
                for chunk in answer.iter_bytes():
                    if b"\xff\xd8" in chunk:
                        seen.append(1)
                        return

        viewers = [threading.Thread(target=look) for _ in range(8)]
        for each in viewers:
            each.start()
        for each in viewers:
            each.join(10)
    assert len(seen) == 8
    assert camera.opened == 1


def test_a_camera_unplugged_comes_back_and_the_page_says_so_meanwhile() -> None:
    camera = Plugged()
    capture = Capture(camera.open)
    with page(capture=capture) as address, httpx.Client(base_url=address, timeout=WAIT_S) as client:

        def state() -> str:
            return str(client.get("/camera/status").json()["state"])

        eventually(lambda: state() == "live")
        camera.plugged = False
        eventually(lambda: state() == "lost")
        told = client.get("/camera/status", headers={"accept-language": "es"}).json()
        assert told["sentence"] == Words("es")("camera.lost")
        camera.plugged = True
        eventually(lambda: state() == "live")
    assert camera.closed == camera.opened


def test_a_photo_of_a_lost_camera_is_a_sentence() -> None:
    def gone() -> Plugged:
        raise CameraLost("unplugged")

    capture = Capture(gone)
    with page(capture=capture) as address:
        answer = post(f"{address}/camera/photo", headers=BROWSER)
    assert answer.status_code == 503
    assert EN("camera.lost") in answer.text
    assert EN("camera.untaken") in answer.text
    assert 'class="button" href="/camera"' in answer.text
    assert "unplugged" not in answer.text


def test_without_scripts_the_page_says_what_the_camera_does_as_well() -> None:
    camera = Plugged()
    camera.plugged = False
    capture = Capture(camera.open)
    with page(capture=capture) as address:
        capture.want()
        eventually(lambda: capture.state is State.LOST)
        shown = get(f"{address}/camera", headers=BROWSER).text
    assert 'data-state="lost"' in shown
    assert f">{EN('camera.lost')}<" in shown


def test_a_camera_that_fails_every_few_pictures_keeps_serving() -> None:
    class Flaky(Plugged):
        def __init__(self) -> None:
            super().__init__()
            self.left = 5

        def open(self) -> Flaky:
            self.left = 5
            super().open()
            return self

        def read(self) -> Frame:
            self.left -= 1
            if self.left < 0:
                raise CameraLost("loose contact")
            return super().read()

    camera = Flaky()
    with page(capture=Capture(camera.open)) as address:
        answers = [post(f"{address}/camera/photo") for _ in range(4)]
    assert [each.status_code for each in answers] == [200] * 4
    assert camera.opened > 1


def test_nobody_looking_switches_the_camera_off() -> None:
    camera = Plugged()
    capture = Capture(camera.open, idle_s=0.2)
    assert camera.opened == 0
    capture.want()
    eventually(lambda: capture.state is State.LIVE)
    eventually(lambda: capture.state is State.OFF)
    assert capture.newest() is None
    assert camera.closed == 1
    capture.close()


def test_no_camera_is_a_message_and_no_error() -> None:
    with page() as address:
        answer = get(f"{address}/camera", headers=BROWSER)
        assert get(f"{address}/camera/stream").status_code == 404
    assert answer.status_code == 200
    assert EN("camera.none") in answer.text


def test_more_viewers_than_allowed_are_not_taken() -> None:
    settings = Settings(limits=Limits(viewers=1))
    with (
        page(settings, capture=Capture(Pattern)) as address,
        stream("GET", f"{address}/camera/stream") as first,
    ):
        pictures = first.iter_bytes()  # a generator that is let go closes the stream
        next(pictures)
        assert get(f"{address}/camera/stream").status_code == 503
        # Whoever looks holds the place; the photo needs none.
        taken = post(f"{address}/camera/photo", files={"scope": (None, "yes")}, headers=BROWSER)
        assert taken.status_code == 200


def clip(path: Path) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 30, (320, 240))
    for step in range(6):
        writer.write(np.full((240, 320, 3), 100 + step, np.uint8))
    writer.release()
    return path


def test_a_video_file_plays_over_and_over(tmp_path: Path) -> None:
    source = opener(str(clip(tmp_path / "clip.mp4")))()
    frames = [source.read() for _ in range(15)]
    source.close()
    assert all(each.shape == (240, 320, 3) for each in frames)


def test_the_photo_of_a_video_is_answered_in_one_language_and_another(tmp_path: Path) -> None:
    capture = Capture(opener(str(clip(tmp_path / "clip.mp4"))))
    with page(capture=capture) as address:
        answer = post(f"{address}/camera/photo", headers=BROWSER)
        told = said_in("es", address, sealed_in(answer.text))
    assert answer.status_code == told.status_code == 200
    assert EN("next.doctor") in answer.text
    assert Words("es")("next.doctor") in told.text


def test_a_file_that_is_no_video_and_a_name_of_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no pictures")
    with pytest.raises(InputError, match=r"notes\.txt is no video") as refused:
        opener(str(tmp_path / "notes.txt"))
    assert "--camera" in (refused.value.todo or "")
    (tmp_path / "cat.jpg").write_bytes(photo())
    with pytest.raises(InputError, match=r"cat\.jpg is a single picture and no video"):
        opener(str(tmp_path / "cat.jpg"))
    with pytest.raises(InputError, match=r"no camera or video file"):
        opener("nothing.mp4")


def test_a_device_that_is_not_there_is_waited_for_and_the_reason_told_once(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    tries: list[int] = []
    opening = opener("/dev/video_none")

    def counted() -> Source:
        tries.append(1)
        return opening()

    capture = Capture(counted)
    capture.want()
    eventually(lambda: len(tries) == 3)
    capture.close()
    told = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert told == ["camera: Camera /dev/video_none cannot be opened."]
    assert "VIDEOIO" not in capfd.readouterr().err


def stand_in(path: Path, body: str) -> str:
    """A program that speaks like ``rpicam-vid``."""
    path.write_text(f"#!{sys.executable}\nimport sys, time\nout = sys.stdout.buffer\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_rpicam_is_read_as_a_stream_of_pictures(tmp_path: Path) -> None:
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(photo(96))
    talk = (
        "assert '--codec' in sys.argv and 'mjpeg' in sys.argv and '--output' in sys.argv\n"
        f"picture = open({str(picture)!r}, 'rb').read()\n"
        "for _ in range(3):\n"
        "    out.write(picture[:700]); out.flush(); time.sleep(0.05)\n"
        "    out.write(picture[700:]); out.flush()\n"
        "sys.exit(3)"
    )
    source = Rpicam(stand_in(tmp_path / "rpicam-vid", talk))
    assert [source.read().shape for _ in range(3)] == [(96, 96, 3)] * 3
    with pytest.raises(CameraLost, match="code 3"):
        source.read()
    source.close()


def test_an_rpicam_that_hangs_is_ended(tmp_path: Path) -> None:
    source = Rpicam(stand_in(tmp_path / "rpicam-vid", "time.sleep(60)"), silence_s=0.3)
    with pytest.raises(CameraLost, match="ended"):
        source.read()


def test_an_rpicam_that_is_not_installed_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="not installed") as refused:
        opener("rpicam")
    assert refused.value.todo == "sudo apt install rpicam-apps-lite"
