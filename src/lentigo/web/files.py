"""Routes of the page's own files."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from lentigo.web.refusals import Refusal
from lentigo.web.server import server_of

router = APIRouter(include_in_schema=False)


@router.get("/static/{name}")
async def static(request: Request, name: str) -> Response:
    """A file of the page, from the list made at the start."""
    asset = server_of(request).assets.get(name)
    if asset is None:
        raise Refusal(404, "problem.missing")
    headers = {"etag": asset.etag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == asset.etag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.kind, headers=headers)
