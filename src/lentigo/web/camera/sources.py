"""Where pictures come from: a device, a video file, a Pi's camera, or a generated pattern."""

from __future__ import annotations

import math
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from lentigo.errors import InputError

Frame = NDArray[np.uint8]

WIDTH, HEIGHT, RATE_HZ = 1280, 960, 10
SILENCE_S = 5.0
"""A source that gives nothing for so long counts as gone."""
_RPICAM = ("rpicam-vid", "libcamera-vid")  # its name before 2023
_RPICAM_OPTIONS = (
    *("--codec", "mjpeg", "--quality", "90", "--output", "-", "--timeout", "0", "--nopreview"),
    *("--width", str(WIDTH), "--height", str(HEIGHT), "--framerate", str(RATE_HZ)),
)
_PICTURE_BYTES = 8_000_000
_TAKEN = "--camera takes 0, /dev/video0, clip.mp4, rpicam or pattern."


class CameraLost(Exception):  # noqa: N818 - it comes back
    """The source gives no more pictures; the reason as one sentence."""


class Source(Protocol):
    """A camera that is open."""

    def read(self) -> Frame:
        """The next picture (H, W, 3) BGR; waits for it.

        Raises:
            CameraLost: There are no more.
        """
        ...

    def close(self) -> None:
        """Let go of it; may be called twice."""
        ...


def opener(text: str) -> Callable[[], Source]:
    """What opens a source, for each time that it has to be opened.

    Args:
        text: ``pattern``, ``rpicam``, a number, a device such as ``/dev/video0``, or a file.

    Raises:
        InputError: It is none of them, no video that can be read, or ``rpicam`` without its
            program; a device that is not there now may come later.
    """
    # OpenCV would repeat at each try what is said once here, in words of its own.
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    if text == "pattern":
        return Pattern
    if text == "rpicam":
        program = _rpicam_program()
        return lambda: Rpicam(program)
    if text.isdecimal():
        return lambda: Device(int(text))
    if text.startswith("/dev/"):
        return lambda: Device(text)
    path = Path(text)
    if not path.is_file():
        raise InputError(f"There is no camera or video file {text}.", todo=_TAKEN)
    _try(path)
    return lambda: Clip(path)


class Pattern:
    """A generated spot that wanders over skin, to try the page without a camera."""

    def __init__(self) -> None:
        self._count = 0

    def read(self) -> Frame:
        """The next picture, after a tenth of a second."""
        time.sleep(1 / RATE_HZ)
        self._count += 1
        skin = np.full((HEIGHT // 2, WIDTH // 2, 3), (140, 165, 215), np.uint8)
        angle = self._count / 15
        centre = (320 + round(60 * math.cos(angle)), 240 + round(40 * math.sin(angle)))
        cv2.ellipse(skin, centre, (90, 70), 20, 0, 360, (60, 85, 140), -1, cv2.LINE_AA)
        cv2.ellipse(skin, centre, (50, 36), 60, 0, 360, (40, 55, 95), -1, cv2.LINE_AA)
        return np.asarray(cv2.GaussianBlur(skin, (0, 0), 1.5), dtype=np.uint8)

    def close(self) -> None:
        """Nothing is open."""


class Device:
    """A camera that the system knows, by number or name."""

    def __init__(self, device: int | str) -> None:
        self._capture = cv2.VideoCapture(device)
        self._device = device
        if not self._capture.isOpened():
            self._capture.release()
            raise CameraLost(f"Camera {device} cannot be opened.")
        self._capture.set(cv2.CAP_PROP_FRAME_WIDTH, WIDTH)
        self._capture.set(cv2.CAP_PROP_FRAME_HEIGHT, HEIGHT)
        # Older pictures in the driver's queue would show the past.
        self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def read(self) -> Frame:
        """The next picture."""
        good, frame = self._capture.read()
        if not good:
            raise CameraLost(f"Camera {self._device} gives no picture.")
        return np.asarray(frame, dtype=np.uint8)

    def close(self) -> None:
        """Let go of the device."""
        self._capture.release()


class Clip:
    """A video file at its own speed, over and over."""

    def __init__(self, path: Path) -> None:
        self._capture, self._path = cv2.VideoCapture(str(path)), path
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self._pause_s = 1 / rate if 1 <= rate <= 120 else 1 / RATE_HZ
        self._due = time.monotonic()

    def read(self) -> Frame:
        """The next picture, when it is due."""
        good, frame = self._capture.read()
        if not good:
            self._capture.release()
            self._capture = cv2.VideoCapture(str(self._path))
            good, frame = self._capture.read()
        if not good:
            raise CameraLost(f"{self._path.name} holds no pictures that can be read.")
        self._due = max(self._due + self._pause_s, time.monotonic() - 1)
        time.sleep(max(0.0, self._due - time.monotonic()))
        return np.asarray(frame, dtype=np.uint8)

    def close(self) -> None:
        """Close the file."""
        self._capture.release()


class Rpicam:
    """A Raspberry Pi's CSI camera: ``rpicam-vid`` as a child that writes JPEGs to a pipe.

    Args:
        program: Its path.
        silence_s: A child that gives no picture for so long is ended.
    """

    def __init__(self, program: str, *, silence_s: float = SILENCE_S) -> None:
        # Fixed words of ours, no shell.
        self._child = subprocess.Popen(  # noqa: S603
            [program, *_RPICAM_OPTIONS], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._child.stdout is not None
        self._pictures = _split(self._child.stdout)
        self._silence_s = silence_s

    def read(self) -> Frame:
        """The next picture."""
        # A child that hangs is ended, which ends the reading too.
        watch = threading.Timer(self._silence_s, self._child.kill)
        watch.start()
        try:
            content = next(self._pictures, None)
        finally:
            watch.cancel()
        if content is None:
            self.close()
            raise CameraLost(f"rpicam-vid ended with code {self._child.returncode}.")
        frame = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if frame is None:
            raise CameraLost("rpicam-vid gave a picture that cannot be decoded.")
        return np.asarray(frame, dtype=np.uint8)

    def close(self) -> None:
        """End the child."""
        self._child.kill()
        self._child.wait()
        assert self._child.stdout is not None
        self._child.stdout.close()


def _try(path: Path) -> None:
    clip = cv2.VideoCapture(str(path))
    # A photo is read as a film of one picture, and would be shown as what a camera sees now.
    first, second = (clip.read()[0] for _ in range(2))
    clip.release()
    if not second:
        what = "a single picture and no video" if first else "no video that can be read"
        raise InputError(f"{path} is {what}.", todo=_TAKEN)


def _rpicam_program() -> str:
    for name in _RPICAM:
        if found := shutil.which(name):
            return found
    raise InputError(
        "rpicam-vid, which reads the camera on the ribbon cable, is not installed.",
        todo="sudo apt install rpicam-apps-lite",
    )


def _split(stream: IO[bytes]) -> Iterator[bytes]:
    """JPEGs that follow each other; inside a scan a marker byte is stuffed, so ends are ends."""
    read, waiting = getattr(stream, "read1", stream.read), b""
    while chunk := read(65536):
        waiting += chunk
        while (end := waiting.find(b"\xff\xd9")) >= 0:
            start = waiting.find(b"\xff\xd8")
            if 0 <= start < end:
                yield waiting[start : end + 2]
            waiting = waiting[end + 2 :]
        if len(waiting) > _PICTURE_BYTES:
            raise CameraLost("rpicam-vid gave something that is no picture.")
