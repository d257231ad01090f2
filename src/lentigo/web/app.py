"""The application: routes, guard, and what an unknown address is answered."""

from __future__ import annotations

from importlib.metadata import version

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lentigo.taxonomy import NOT_A_MEDICAL_DEVICE
from lentigo.web import api, app_routes, files, live, pages, trust
from lentigo.web.guard import Guard
from lentigo.web.refusals import Refusal
from lentigo.web.server import Server
from lentigo.web.views import refuse

_KEYS = {404: "problem.missing", 405: "problem.method"}


def make_app(server: Server) -> FastAPI:
    """The ASGI application of a server."""
    # The documentation pages that FastAPI brings fetch their scripts from elsewhere.
    app = FastAPI(
        title="lentigo",
        version=version("lentigo"),
        summary=NOT_A_MEDICAL_DEVICE,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.server = server
    for each in (api, pages, live, trust, files, app_routes):  # asked in this order
        app.include_router(each.router)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(HTTPException, _no_route)
    app.add_middleware(Guard, door=server.door, metrics=server.metrics, refuse=refuse)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)
    return refuse(request, error)


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = refuse(request, Refusal(error.status_code, _KEYS.get(error.status_code, "")))
    response.headers.update(error.headers or {})
    return response
