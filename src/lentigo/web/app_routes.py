"""Routes of the offline app; the page registers its service worker for all pages."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from lentigo.web.litert import HOW_TO_GET
from lentigo.web.offline import HOME, WORKER, pieces
from lentigo.web.refusals import Refusal
from lentigo.web.server import server_of
from lentigo.web.static import KINDS, suffix

router = APIRouter(include_in_schema=False)
_KINDS = KINDS | {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".txt": "text/plain; charset=utf-8",
}


@router.get("/app")
async def without_slash() -> Response:
    """The app's addresses are relative to its folder."""
    return RedirectResponse("/app/", 308)


# Not async: reading and digesting megabytes is for a thread beside the loop.
@router.get("/app/{name:path}")
def part(request: Request, name: str) -> Response:
    """A file of the app, from the list of its files."""
    app = server_of(request).offline
    if app.obstacle is not None:
        missing = app.obstacle == "offline.missing"
        if not missing:
            raise Refusal(404, app.obstacle)
        reason = f"LiteRT.js: {HOW_TO_GET}."
        raise Refusal(404, app.obstacle, reason=reason, why="problem.no_app")
    name = name or HOME
    found = app.parts.get(name)
    if found is None:
        raise Refusal(404, "problem.missing")
    headers = {"cache-control": "no-cache"}
    if name == WORKER:
        # It lies in /app/, and keeps the whole page.
        headers["service-worker-allowed"] = "/"
    if digest := app.digests.get(name):
        headers["etag"] = f'"{digest[:16]}"'
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
    opening = found.open
    if found.gzipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
        opening = found.gzipped
        headers |= {"content-encoding": "gzip", "vary": "Accept-Encoding"}
    kind = _KINDS.get(suffix(name), "application/octet-stream")
    # In pieces: a visitor who reads slowly holds one of them, not the whole file.
    return StreamingResponse(pieces(opening), media_type=kind, headers=headers)
