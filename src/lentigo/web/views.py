"""From values to HTML, in the visitor's language."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FunctionLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from lentigo.web.refusals import Refusal
from lentigo.web.server import server_of
from lentigo.web.strings import LANGUAGES, Words, choose

LANGUAGE_COOKIE = "lang"
YEAR_S = 365 * 24 * 3600


@cache
def _templates() -> Environment:
    folder = files("lentigo") / "web" / "templates"

    def load(name: str) -> str:
        return (folder / name).read_text("utf-8")

    return Environment(
        loader=FunctionLoader(load),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def words_for(request: Request) -> Words:
    """The visitor's language: asked for, remembered, or the browser's."""
    return choose(
        request.query_params.get("lang"),
        request.cookies.get(LANGUAGE_COOKIE),
        accepted=request.headers.get("accept-language", ""),
    )


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A template filled in.

    Args:
        request: Whose language is spoken.
        template: A file of the templates folder.
        status: Of HTTP.
        values: For the template, beside ``t`` (the words), ``server`` and ``path``.
    """
    words = words_for(request)
    # Links are made of it, so it stays on this server whatever it says.
    path = f"/{quote(request.scope['path']).lstrip('/')}" if request.method == "GET" else "/"
    text = (
        _templates()
        .get_template(template)
        .render(
            t=words,
            languages=LANGUAGES,
            server=server_of(request),
            path=path,
            request=request,
            **values,
        )
    )
    response = HTMLResponse(text, status)
    response.headers["content-language"] = words.language
    response.headers["vary"] = "Accept-Language, Cookie"
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(
            LANGUAGE_COOKIE, words.language, max_age=YEAR_S, samesite="strict", httponly=True
        )
    return response


def refuse(request: Request, refusal: Refusal) -> Response:
    """The answer to a request that is refused: a page for people, JSON for programs."""
    for_people = "text/html" in request.headers.get("accept", "")
    if request.url.path.startswith("/api/") or not for_people:
        content = {"error": Words()(refusal.key), "reason": refusal.reason}
        return JSONResponse(content, refusal.status, refusal.headers)
    if refusal.key == "problem.code":
        response: Response = page(
            request, "code.html", status=refusal.status, wrong=False, wanted=None
        )
    else:
        response = page(request, "problem.html", status=refusal.status, refusal=refusal)
    response.headers.update(refusal.headers)
    return response
