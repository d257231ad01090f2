"""Running the server until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2
import uvicorn
from fastapi import FastAPI

from lentigo.errors import InputError
from lentigo.machine import keep_freed_memory
from lentigo.web.app import make_app
from lentigo.web.patience import patient
from lentigo.web.server import Server

if TYPE_CHECKING:  # see lentigo.web.settings
    from lentigo.web.certificates import Certificates

ENDING_S = 3
# Of a small photo every piece, so that the next is answered without page faults; of a large one
# none, or each would leave some megabytes behind.
_KEPT_BYTES = 4_000_000


class _Quiet(uvicorn.Server):
    """A uvicorn that leaves the signals to whoever runs several of them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listening(host: str, port: int, option: str = "--port") -> socket.socket:
    """A socket that waits for visitors.

    Args:
        host: Name or address to bind to.
        port: 0 takes any that is free.
        option: That names another port.

    Raises:
        InputError: The address is not this machine's; the port is taken, or not ours to take.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise InputError(
                f"{host or 'An empty name'} is no address of this machine.",
                todo="--host 127.0.0.1 serves this machine alone, --host 0.0.0.0 its network.",
            ) from None
        taken = error.errno == errno.EADDRINUSE
        why = "is in use" if taken else f"cannot be had ({os.strerror(error.errno or 0)})"
        raise InputError(
            f"Port {port} of {host} {why}.", todo=f"Name another with {option}."
        ) from None


def serve(
    server: Server,
    sock: socket.socket,
    *,
    ready: Callable[[], None],
    secure: socket.socket | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        server: What is served.
        sock: From `listening`.
        ready: Called once the page answers.
        secure: A second one, served with the certificates of the settings.
    """
    asyncio.run(_serve(server, sock, secure, ready))


async def _serve(
    server: Server,
    sock: socket.socket,
    secure: socket.socket | None,
    ready: Callable[[], None],
) -> None:
    # OpenCV would spread one small photo over cores that have photos of their own.
    cv2.setNumThreads(1)
    keep_freed_memory(up_to=_KEPT_BYTES)
    server.desk.warm_up()
    app, certificates = make_app(server), server.settings.certificates
    pairs = [(_Quiet(config_of(app, server)), sock)]
    if secure is not None and certificates is not None:
        pairs.append((_Quiet(config_of(app, server, certificates)), secure))
    running = [each for each, _ in pairs]
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for each in running:
            each.should_exit = True
        if server.capture is not None:  # live pictures end, so that their visitors can be let go
            loop.run_in_executor(None, server.capture.close)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    tasks = [asyncio.create_task(each.serve([its])) for each, its in pairs]
    while not all(each.started or each.should_exit for each in running):
        await asyncio.sleep(0.01)
    ready()
    try:
        await asyncio.gather(*tasks)
    finally:
        server.close()


def config_of(
    app: FastAPI, server: Server, certificates: Certificates | None = None
) -> uvicorn.Config:
    """How uvicorn is to serve.

    Args:
        app: Of `make_app`.
        server: Its parts.
        certificates: For a secure port; None for a plain one.
    """
    return uvicorn.Config(
        app,
        ssl_certfile=certificates.chain if certificates else None,
        ssl_keyfile=certificates.key if certificates else None,
        access_log=False,
        log_level="warning",
        lifespan="off",
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=ENDING_S,
        h11_max_incomplete_event_size=32_768,
        http=patient(server.settings.limits.connections),
        ws="none",
    )
