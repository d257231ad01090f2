"""One capture for all viewers, which comes back by itself."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import cv2

from lentigo.web.camera.sources import CameraLost, Frame, Source

IDLE_S = 15.0
RETRY_S = (0.5, 1.0, 2.0, 4.0)
PREVIEW_PX, PREVIEW_QUALITY, PHOTO_QUALITY = 640, 70, 95

_log = logging.getLogger(__name__)


class State(Enum):
    """What a camera is doing."""

    OFF = "off"
    STARTING = "starting"
    LIVE = "live"
    LOST = "lost"


@dataclass(frozen=True)
class Shot:
    """A picture of the camera.

    Attributes:
        number: Grows with each picture.
        frame: (H, W, 3) BGR.
        preview: The same as a small JPEG.
    """

    number: int
    frame: Frame
    preview: bytes


class Capture:
    """A thread that holds the camera open while somebody looks.

    Nobody looking for ``idle_s`` switches the camera off. A camera that fails is opened again
    until it is back, and each reason is logged once as a warning.

    Args:
        open_source: Opens the camera.
        idle_s: See above.
    """

    def __init__(self, open_source: Callable[[], Source], *, idle_s: float = IDLE_S) -> None:
        self._open, self._idle_s = open_source, idle_s
        self._changed = threading.Condition()
        self._shot: Shot | None = None
        self._state, self._reason = State.OFF, ""
        self._told: set[str] = set()
        self._wanted_until = 0.0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="lentigo-camera", daemon=True)
        self._thread.start()

    @property
    def state(self) -> State:
        """What the camera is doing."""
        return self._state

    @property
    def reason(self) -> str:
        """Why it is lost, else empty."""
        return self._reason

    @property
    def closed(self) -> bool:
        """Whether it was let go for good."""
        return self._closed

    def want(self) -> None:
        """Somebody looks: switch the camera on, or keep it on."""
        with self._changed:
            self._wanted_until = time.monotonic() + self._idle_s
            self._changed.notify_all()

    def newest(self, after: int = 0) -> Shot | None:
        """The newest picture, if its number is above ``after`` and the camera is live."""
        shot = self._shot
        return shot if shot and shot.number > after and self._state is State.LIVE else None

    def photo(self, timeout_s: float = 5.0) -> bytes | None:
        """A JPEG of a picture taken after this call, or None where none came in time."""
        self.want()
        before = self._shot.number if self._shot else 0
        with self._changed:
            # The next picture may have been exposed already, the one after it was not.
            self._changed.wait_for(lambda: self.newest(before + 1) or self._closed, timeout_s)
        shot = self.newest(before)
        return None if shot is None else _jpeg(shot.frame, PHOTO_QUALITY)

    def close(self) -> None:
        """Let go of the camera for good."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join(10)

    def _run(self) -> None:
        failures = 0
        while self._await_interest():
            source = None
            try:
                self._set(State.STARTING if failures == 0 else State.LOST, self._reason)
                source = self._open()
                while self._looked_at():
                    self._publish(source.read())
                    failures = 0
                self._set(State.OFF)
            except (CameraLost, OSError, cv2.error) as error:
                self._tell(str(error))
                self._set(State.LOST, str(error))
                self._pause(RETRY_S[min(failures, len(RETRY_S) - 1)])
                failures += 1
            finally:
                if source is not None:
                    source.close()

    def _await_interest(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._looked_at())
        return not self._closed

    def _looked_at(self) -> bool:
        return not self._closed and time.monotonic() < self._wanted_until

    def _publish(self, frame: Frame) -> None:
        scale = min(1.0, PREVIEW_PX / max(frame.shape[:2]))
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        number = self._shot.number + 1 if self._shot else 1
        shot = Shot(number, frame, _jpeg(small, PREVIEW_QUALITY))
        with self._changed:
            self._shot, self._state, self._reason = shot, State.LIVE, ""
            self._changed.notify_all()

    def _tell(self, reason: str) -> None:
        # A camera that is waited for fails every few seconds, for the same reason.
        _log.log(logging.INFO if reason in self._told else logging.WARNING, "camera: %s", reason)
        self._told.add(reason)

    def _set(self, state: State, reason: str = "") -> None:
        with self._changed:
            self._state, self._reason = state, reason
            if state is State.OFF and self._shot:
                # The number goes on, the picture goes.
                self._shot = Shot(self._shot.number, self._shot.frame[:1, :1].copy(), b"")
            self._changed.notify_all()

    def _pause(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)


def _jpeg(frame: Frame, quality: int) -> bytes:
    return bytes(cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
