"""The pages for people."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from lentigo.web.bodies import Part, parts_of, received
from lentigo.web.guard import CODE_PATH, address_of, cookie_of
from lentigo.web.refusals import Refusal
from lentigo.web.results import show_result, show_told
from lentigo.web.server import server_of
from lentigo.web.told import TOLD_BYTES
from lentigo.web.views import page

router = APIRouter(include_in_schema=False)
_BOUNDED = 4096
_PAGES = ("/", "/camera", "/series", "/model", "/api", "/trust", "/app/")
"""Where a visitor may have wanted to go before the code was asked for."""


@router.get("/")
async def home(request: Request) -> Response:
    """Where a photo is handed in."""
    return page(request, "home.html", lost=False)


@router.get("/result")
@router.get("/result/language")
async def no_result(_: Request) -> Response:
    """A result is not kept, so its address leads back to the form."""
    return RedirectResponse("/", 303)


@router.post("/result")
async def result(request: Request) -> Response:
    """The answer about the photo of a form."""
    server = server_of(request)
    async with received(request, server.settings.limits, server.bodies) as body:
        fields = parts_of(body, request.headers.get("content-type", ""))
        photo = next((each for each in fields if each.name == "photo" and each.content), None)
        if photo is None:
            raise Refusal(400, "problem.no_photo")
        scope = text_of(fields, "scope")
        return await show_result(request, photo.content, photo.filename, scope)


@router.post("/result/language")
async def other_language(request: Request) -> Response:
    """An answer as its page hands it back, in the language of the query.

    What this process did not sign, and what is damaged or too large, leads back to the form with
    a sentence: most often the server has been started anew since.
    """
    server = server_of(request)
    limits = replace(server.settings.limits, body_bytes=TOLD_BYTES)
    try:
        async with received(request, limits, server.bodies) as body:
            fields = parts_of(body, request.headers.get("content-type", ""))
            told = server.seal.opened(content_of(fields, "told"), server.desk.info)
            if told is not None:
                return show_told(request, told)
    except Refusal as refusal:
        if refusal.status not in (400, 413):
            raise
    return page(request, "home.html", status=400, lost=True)


@router.get("/series")
async def series(request: Request) -> Response:
    """What the visitor's own browser keeps; the server knows nothing of it."""
    return page(request, "series.html")


@router.get("/model")
async def model(request: Request) -> Response:
    """What the bundle says about itself."""
    desk = server_of(request).desk
    return page(request, "model.html", info=desk.info, card=desk.card)


@router.get("/api")
async def interface(request: Request) -> Response:
    """The interface for programs, out of its own document."""
    return page(request, "api.html", document=request.app.openapi())


@router.get(CODE_PATH)
async def ask_code(request: Request) -> Response:
    """The form again, where somebody opens the address that it was sent to."""
    if server_of(request).door.admitted(request):
        return RedirectResponse("/", 303)
    return page(request, "code.html", status=401, wrong=False, wanted="/")


@router.post(CODE_PATH)
async def code(request: Request) -> Response:
    """Let a visitor in who knows the access code."""
    server = server_of(request)
    async with received(request, server.settings.limits, server.bodies) as body:
        fields = parts_of(body[:_BOUNDED], request.headers.get("content-type", ""))
    # A form can be made elsewhere, so it leads to pages of ours and nowhere else.
    wanted = next((each for each in _PAGES if each == text_of(fields, "wanted")), "/")
    ticket = server.door.ticket_for(text_of(fields, "code"), address_of(request))
    if ticket is None:
        return page(request, "code.html", status=401, wrong=True, wanted=wanted)
    response = RedirectResponse(wanted, 303)
    secure, name = request.url.scheme == "https", cookie_of(request)
    response.set_cookie(name, ticket, httponly=True, samesite="strict", secure=secure)
    return response


def text_of(fields: list[Part], name: str) -> str:
    """A short field of a form as text; empty where it is missing."""
    return content_of(fields, name)[:_BOUNDED].decode("utf-8", "replace")


def content_of(fields: list[Part], name: str) -> bytes:
    """A field of a form as it came; empty where it is missing."""
    return next((each.content for each in fields if each.name == name), b"")
