"""The routes of the camera on the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from lentigo.web.bodies import parts_of, received
from lentigo.web.camera.capture import Capture, State
from lentigo.web.gates import Budget
from lentigo.web.pages import text_of
from lentigo.web.refusals import Refusal
from lentigo.web.results import show_result
from lentigo.web.server import server_of
from lentigo.web.views import page, words_for

router = APIRouter(prefix="/camera", include_in_schema=False)

_BOUNDARY = "picture"
_POLL_S = 0.04
_SENTENCES = {
    State.OFF: "camera.starting",
    State.STARTING: "camera.starting",
    State.LIVE: "camera.live",
    State.LOST: "camera.lost",
}


@router.get("")
async def camera_page(request: Request) -> Response:
    """The live picture, a guide, and the button; or that there is no camera."""
    if (capture := server_of(request).capture) is not None:
        capture.want()
    sentence = None if capture is None else _SENTENCES[capture.state]
    return page(request, "camera.html", capture=capture, sentence=sentence)


@router.get("/stream")
async def stream(request: Request) -> Response:
    """The live picture as a JPEG after the other, for as long as somebody looks."""
    capture, viewers = _capture(request), server_of(request).viewers
    return _Watched(
        _pictures(capture),
        viewers,
        media_type=f"multipart/x-mixed-replace; boundary={_BOUNDARY}",
    )


@router.get("/status")
async def status(request: Request) -> Response:
    """What the camera is doing, in the visitor's language."""
    capture, words = _capture(request), words_for(request)
    capture.want()
    sentence = words(_SENTENCES[capture.state])
    return JSONResponse({"state": capture.state.value, "sentence": sentence})


@router.post("/photo")
async def photo(request: Request) -> Response:
    """Take a photo and show the answer."""
    server, capture = server_of(request), _capture(request)
    async with received(request, server.settings.limits, server.bodies) as body:
        fields = parts_of(body, request.headers.get("content-type", ""))
        with server.shutters.hold(1):
            content = await asyncio.to_thread(capture.photo)
        if content is None:
            raise Refusal(
                503, "camera.lost", reason=capture.reason, why="camera.untaken", retry_after_s=2
            )
        return await show_result(request, content, "camera", text_of(fields, "scope"))


class _Watched(StreamingResponse):
    """Takes a viewer's place before its first byte, when it can still be refused."""

    def __init__(self, pictures: AsyncIterator[bytes], viewers: Budget, *, media_type: str) -> None:
        super().__init__(pictures, media_type=media_type)
        self._viewers = viewers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._viewers.hold(1):
            await super().__call__(scope, receive, send)


async def _pictures(capture: Capture) -> AsyncIterator[bytes]:
    last = 0
    while not capture.closed:
        capture.want()
        shot = capture.newest(last)
        if shot is None:
            await asyncio.sleep(_POLL_S)
            continue
        last = shot.number
        head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n"
        yield f"{head}Content-Length: {len(shot.preview)}\r\n\r\n".encode()
        yield shot.preview + b"\r\n"


def _capture(request: Request) -> Capture:
    capture = server_of(request).capture
    if capture is None:
        raise Refusal(404, "camera.none")
    return capture
