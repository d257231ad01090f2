"""The routes that help a phone to trust the page's certificate."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from lentigo.web.refusals import Refusal
from lentigo.web.server import server_of
from lentigo.web.views import page

router = APIRouter(prefix="/trust", include_in_schema=False)
FILE = "lentigo-ca.crt"


@router.get("")
async def trust(request: Request) -> Response:
    """How to trust the certificate on Android and iOS."""
    settings = server_of(request).settings
    host = request.url.hostname or "localhost"
    known = () if settings.certificates is None else settings.certificates.names
    if known and host not in known:  # the certificate would be refused there
        host = next((each for each in known if each.endswith(".local")), known[0])
    shown = f"[{host}]" if ":" in host else host
    secure = f"https://{shown}:{settings.https_port}/"
    return page(request, "trust.html", certificates=settings.certificates, secure=secure)


@router.get(f"/{FILE}")
async def authority(request: Request) -> Response:
    """The authority's certificate; it holds no secret."""
    certificates = server_of(request).settings.certificates
    if certificates is None:
        raise Refusal(404, "trust.none")
    head = {"content-disposition": f'attachment; filename="{FILE}"'}
    kind = "application/x-x509-ca-cert"
    return Response(certificates.authority(), media_type=kind, headers=head)
