"""Request bodies: bounded in size, in time and in sum, and never on a disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from lentigo.web.gates import Budget
from lentigo.web.refusals import Refusal, too_large
from lentigo.web.settings import MEGABYTE, Limits

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_PARTS = 16
MAX_HEAD_BYTES = 4096
# A browser shows a refusal only once it has sent what it began; so much is taken and dropped.
DRAIN_BYTES = 200 * MEGABYTE


@dataclass
class Part:
    """One field of a form.

    Attributes:
        name: Of the field.
        filename: As the visitor's browser calls the file; never used as a path.
        content: What it holds.
    """

    name: str = ""
    filename: str = ""
    content: bytes = b""


@asynccontextmanager
async def received(request: Request, limits: Limits, budget: Budget) -> AsyncIterator[bytes]:
    """The body of a request, held against the budget until the block ends.

    Raises:
        Refusal: 413 too large, 408 too slow, 503 too much at once, 400 the visitor went away.
    """
    with budget.hold() as share:
        chunks: list[bytes] = []
        size = 0
        declared = request.headers.get("content-length", "0")
        over = declared.isdigit() and int(declared) > limits.body_bytes
        try:
            async with asyncio.timeout(limits.body_s):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > limits.body_bytes or over:
                        chunks, over = [], True
                        if size > DRAIN_BYTES:
                            break
                        continue
                    budget.grow(share, len(chunk))
                    chunks.append(chunk)
        except TimeoutError:
            raise Refusal(408, "problem.slow") from None
        except ClientDisconnect:
            raise Refusal(400, "problem.malformed") from None
        if over:
            most = limits.body_bytes // MEGABYTE
            raise too_large(f"A request may have {most} MB.", "problem.bytes", megabytes=most)
        yield b"".join(chunks)


def parts_of(body: bytes, content_type: str) -> list[Part]:
    """The fields of a multipart form, or of none where the body is something else.

    Raises:
        Refusal: 400, it calls itself multipart and is not.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        return []
    boundary = options.get(b"boundary")
    if not boundary:
        raise Refusal(400, "problem.malformed", reason="The form names no boundary.")
    collector = _Collector()
    try:
        parser = MultipartParser(boundary, collector.callbacks())
        parser.write(body)
        parser.finalize()
    except (FormParserError, UnicodeDecodeError) as error:
        raise Refusal(400, "problem.malformed", reason=str(error)) from None
    if not collector.ended:
        raise Refusal(400, "problem.malformed", reason="The form is cut short.")
    return collector.parts


class _Collector:
    """What the parser calls while it walks through the form."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._pieces: list[bytes] = []
        self._key, self._value = b"", b""

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_part_data": lambda data, start, end: self._pieces.append(data[start:end]),
            "on_part_end": self._end,
            "on_header_field": self._field,
            "on_header_value": self._more,
            "on_header_end": self._header,
            "on_end": self._finish,
        }

    def _begin(self) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise FormParserError(f"The form has more than {MAX_PARTS} fields.")
        self.parts.append(Part())
        self._pieces = []

    def _field(self, data: bytes, start: int, end: int) -> None:
        self._key = self._bounded(self._key + data[start:end])

    def _more(self, data: bytes, start: int, end: int) -> None:
        self._value = self._bounded(self._value + data[start:end])

    @staticmethod
    def _bounded(head: bytes) -> bytes:
        if len(head) > MAX_HEAD_BYTES:
            raise FormParserError("A field's head is too long.")
        return head

    def _header(self) -> None:
        if self._key.lower() == b"content-disposition":
            _, options = parse_options_header(self._value)
            self.parts[-1].name = options.get(b"name", b"").decode()
            self.parts[-1].filename = options.get(b"filename", b"").decode()
        self._key, self._value = b"", b""

    def _end(self) -> None:
        self.parts[-1].content = b"".join(self._pieces)

    def _finish(self) -> None:
        self.ended = True
