"""A connection that does not wait forever, and one that is sent away where there are too many."""

from __future__ import annotations

import asyncio
from asyncio import TimerHandle, Transport

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from lentigo.web.refusals import busy
from lentigo.web.strings import Words

HEAD_S = 10.0
TAKE_S = 30.0
"""Time in which a visitor has to take the 48 kB or more that lie ready for them."""


class PatientProtocol(H11Protocol):
    """uvicorn's own, with a time for a request's head to arrive and for an answer to be taken.

    It closes connections that idle, but neither those that send a header's letter now and then
    nor those that read nothing of what they asked for.
    """

    places = 0
    """Connections that are answered; twice as many are let in to be told so."""

    _late: TimerHandle | None = None
    _stuck: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Start the clock of the first head."""
        super().connection_made(transport)
        if len(self.connections) > 2 * self.places:
            transport.abort()
        elif len(self.connections) > self.places:
            self.app = _crowded
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stop the clock once a head is complete; start it where the next one begins."""
        super().data_received(data)
        if self._between():
            self._wait()
        else:
            self._stop()

    def pause_writing(self) -> None:
        """Start the clock of an answer that is not taken."""
        super().pause_writing()
        self._stuck = asyncio.get_running_loop().call_later(TAKE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop it."""
        self._free()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._stop()
        self._free()
        super().connection_lost(exc)

    def _between(self) -> bool:
        return self.cycle is None or bool(self.cycle.response_complete)

    def _wait(self) -> None:
        if self._late is None:
            self._late = asyncio.get_running_loop().call_later(HEAD_S, self._give_up)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _free(self) -> None:
        if self._stuck is not None:
            self._stuck.cancel()
            self._stuck = None

    def _give_up(self) -> None:
        self._late = None
        if not self._between():
            return
        if self.transport.get_write_buffer_size():  # it would be closed once that is taken
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.close()


def patient(places: int) -> type[PatientProtocol]:
    """The protocol of a server.

    Args:
        places: See `PatientProtocol.places`.
    """
    return type("Patient", (PatientProtocol,), {"places": places})


async def _crowded(scope: Scope, receive: Receive, send: Send) -> None:
    refusal = busy()
    content = {"error": Words()(refusal.key), "reason": refusal.reason}
    head = {**refusal.headers, "connection": "close", "cache-control": "no-store"}
    await JSONResponse(content, refusal.status, head)(scope, receive, send)
