"""Who may ask: host name, origin, access code, rate; and the headers of every answer."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import logging
import re
import secrets
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lentigo.web.gates import Rate
from lentigo.web.metrics import Metrics
from lentigo.web.names import own_names
from lentigo.web.refusals import Refusal
from lentigo.web.settings import Settings

# One for each scheme: browsers let no plain page replace a cookie that a secure one has set.
COOKIES = {"http": "lentigo_code", "https": "__Host-lentigo_code"}
CODE_PATH = "/code"
# What a visitor without the code may see: the form that asks for it, and what that form needs.
OPEN_PATHS = (CODE_PATH, "/healthz", "/static/")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})
# A name or an address, and a port (RFC 9110, 7.2). What else a client may write there is not
# taken apart: parsers of addresses do not agree on it.
_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::[0-9]{1,5})?", re.IGNORECASE)

# No script, style or picture but our own; LiteRT.js compiles WebAssembly. The referrer policy
# is not "no-referrer", under which browsers hide the origin of our own forms.
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
        "img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
        "manifest-src 'self'; worker-src 'self'; form-action 'self'; frame-ancestors 'none'; "
        "base-uri 'none'"
    ),
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

_log = logging.getLogger(__name__)


class Door:
    """The checks that come before any work.

    Args:
        settings: Names, code and rates.
    """

    def __init__(self, settings: Settings) -> None:
        self._names = own_names(settings.names)
        self._code = settings.code
        self._rate = Rate(settings.limits.per_minute)
        self._tries = Rate(settings.limits.code_tries)
        # Made anew at each start, so a cookie of before lets nobody in.
        self._ticket = secrets.token_urlsafe(32)

    def check(self, request: HTTPConnection, method: str) -> None:
        """Let a request in.

        Raises:
            Refusal: 400 foreign host name, 403 foreign origin, 401 no code, 429 too many.
        """
        self._check_host(request.headers)
        if method not in SAFE_METHODS:
            self._check_origin(request)
        # Not that of `request.url`, into which some versions of Starlette let the host name write.
        path = request.scope["path"]
        if self._code is not None and not path.startswith(OPEN_PATHS) and not self.known(request):
            raise Refusal(401, "problem.code")
        if method not in SAFE_METHODS and path != CODE_PATH:
            self._rate.take(address_of(request))

    def admitted(self, request: HTTPConnection) -> bool:
        """Whether a visitor needs no code, or has given it before; to ask costs no try."""
        given = request.cookies.get(cookie_of(request), "")
        return self._code is None or _equal(given, self._ticket)

    def known(self, request: HTTPConnection) -> bool:
        """Whether a visitor is admitted, or brings the code along as a bearer of it.

        Raises:
            Refusal: 429, too many tries.
        """
        if self.admitted(request):
            return True
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return False
        return self._try(_as_typed(given), address_of(request))

    def ticket_for(self, given: str, address: str) -> str | None:
        """What lets a visitor in from now on, or None where the code is wrong.

        Raises:
            Refusal: 429, too many tries.
        """
        return self._ticket if self._try(given, address) else None

    def _try(self, given: str, address: str) -> bool:
        # A right code costs no try, so a program that sends it each time is not held up; but
        # once the tries are used up, a right one is not looked at either.
        self._tries.peek(address)
        if _equal(given, self._code or ""):
            return True
        self._tries.take(address)
        return False

    def _check_host(self, headers: Headers) -> None:
        """A page elsewhere can point its own name at our address; names we do not have end it."""
        found = _HOST.fullmatch(headers.get("host", ""))
        host = (found[1] or found[2]).lower() if found else ""
        if host in self._names:
            return
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise Refusal(400, "problem.host") from None

    def _check_origin(self, request: HTTPConnection) -> None:
        site = request.headers.get("sec-fetch-site")
        origin = request.headers.get("origin")
        foreign = site is not None and site not in _OWN_SITES
        if origin is not None:
            # Behind a proxy the visitor's scheme is not ours, so either is taken.
            host = request.headers.get("host")
            foreign |= origin not in {f"http://{host}", f"https://{host}"}
        if foreign:
            raise Refusal(403, "problem.origin")


def cookie_of(request: HTTPConnection) -> str:
    """The name of the cookie that says that a visitor has given the code."""
    return COOKIES["https" if request.scope["scheme"] == "https" else "http"]


def address_of(request: HTTPConnection) -> str:
    """Where a request comes from; an IPv6 network counts as one."""
    host = request.client.host if request.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if address.version == 6 and not address.is_loopback:
        return str(ipaddress.ip_network(f"{host}/64", strict=False))
    return host


def _as_typed(header: str) -> str:
    """A header's text, which comes as Latin-1, in the UTF-8 in which programs send it."""
    try:
        return header.encode("latin-1").decode()
    except UnicodeError:
        return header


def _equal(given: str, wanted: str) -> bool:
    # Digests have one length, so not even that of the code shows in the time.
    sides = (hashlib.sha256(each.encode()).digest() for each in (given, wanted))
    return hmac.compare_digest(*sides)


class Guard:
    """ASGI middleware: the door before, the headers after, and a sentence for what breaks.

    Args:
        app: What is guarded.
        door: Checks every request.
        metrics: Counts every answer.
        refuse: Makes the answer to a request that is refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        door: Door,
        metrics: Metrics,
        refuse: Callable[[Request, Refusal], Response],
    ) -> None:
        self._app, self._door, self._metrics, self._refuse = app, door, metrics, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            # Routes know GET alone; the body is left out where the answer is written.
            scope = {**scope, "method": "GET"}
        request, began = Request(scope, receive), False

        async def sending(message: Message) -> None:
            nonlocal began
            if message["type"] == "http.response.start":
                began = True
                self._dress(message, scope)
            await send(message)

        try:
            self._door.check(request, scope["method"])
            await self._app(scope, receive, sending)
        except Refusal as refusal:
            await self._refuse(request, refusal)(scope, receive, sending)
        except ClientDisconnect:
            return
        except Exception:  # noqa: BLE001 - whatever it is, the visitor gets a sentence
            # The traceback names no content: photos are bytes in frames, which it leaves out.
            _log.exception("%s %s", scope["method"], _route(scope))
            if not began:
                broken = self._refuse(request, Refusal(500, "problem.inside"))
                await broken(scope, receive, sending)

    def _dress(self, message: Message, scope: Scope) -> None:
        self._metrics.requests[_route(scope), message["status"]] += 1
        headers = MutableHeaders(scope=message)
        for name, value in HEADERS.items():
            headers[name] = value
        headers.setdefault("cache-control", "no-store")


def _route(scope: Scope) -> str:
    """The route's pattern: what visitors write into paths would make endless series."""
    return str(getattr(scope.get("route"), "path", "other"))
