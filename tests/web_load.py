"""Many visitors at once, cheap enough to leave the processor to the server."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lentigo.deploy.engine import Engine
from lentigo.deploy.runtime import BundlePredictor
from lentigo.machine import usable_cores


@dataclass
class Load:
    """What visitors met.

    Attributes:
        statuses: How often each status was answered; 0 stands for a broken connection.
        seconds: Of each answer with status 200.
        lasted_s: How long it went on.
        until: When it ends, on the monotonic clock; may be set to an earlier time meanwhile.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    lasted_s: float = 0.0
    until: float = 0.0

    @property
    def goes_on(self) -> bool:
        """Whether visitors ask for more."""
        return time.monotonic() < self.until

    @property
    def rate(self) -> float:
        """Photos answered in a second."""
        return self.statuses[200] / self.lasted_s

    def quantile_ms(self, share: float) -> float:
        """Time to an answer that this share stayed under."""
        return float(np.quantile(self.seconds, share) * 1000)


def visit(
    port: int, content: bytes, *, clients: int, seconds: float, load: Load | None = None
) -> Load:
    """Let so many clients ask one photo after the other; 503 is waited out, then asked again.

    Each asks until it was answered, and on until the time is over, however slow the machine is.
    What they meet stands in ``load`` while they ask, too.
    """
    load, began = load or Load(), time.monotonic()
    load.until = began + seconds
    # In a thread of its own: once a browser test ran in this process, Playwright's loop runs on.
    asking = _all(port, content, clients, load)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, asking).result()
    load.lasted_s = time.monotonic() - began
    return load


async def _all(port: int, content: bytes, clients: int, load: Load) -> None:
    head = (
        f"POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}\r\n"
        "Content-Type: image/jpeg\r\n\r\n"
    )
    request = head.encode() + content
    await asyncio.gather(*(_client(port, request, load) for _ in range(clients)))


async def _client(port: int, request: bytes, load: Load) -> None:
    first = True
    while first or load.goes_on:
        first = False
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            load.statuses[0] += 1
            await asyncio.sleep(0.1)
            continue
        try:
            await _ask(reader, writer, request, load)
        except (OSError, asyncio.IncompleteReadError):
            load.statuses[0] += 1
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _ask(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: bytes,
    load: Load,
) -> None:
    status = 503
    while status == 503 or load.goes_on:
        began = time.monotonic()
        writer.write(request)
        status, wait_s = await _answer(reader)
        load.statuses[status] += 1
        if status == 200:
            load.seconds.append(time.monotonic() - began)
        await asyncio.sleep(wait_s)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, float]:
    """Status, and how long the server asks to wait."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
    await reader.readexactly(int(fields["content-length"]))
    return int(head.split()[1]), float(fields.get("retry-after", 0))


def bare_rate(predictor: BundlePredictor, seconds: float) -> float:
    """Inferences in a second of LiteRT alone: an engine of one thread for each core."""
    size, cores = predictor.spec.size, usable_cores()
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)
    engines = [Engine(predictor.bundle, 1) for _ in range(cores)]
    counts, until = [0] * cores, time.monotonic() + seconds

    def run(number: int) -> None:
        while time.monotonic() < until:
            engines[number].run(image)
            counts[number] += 1

    threads = [threading.Thread(target=run, args=(number,)) for number in range(cores)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return sum(counts) / seconds


def cpu_s(pid: int | str = "self") -> float:
    """Processor time that a process took so far, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb(pid: int) -> float:
    """Resident memory of a process now."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return int(next(each for each in lines if each.startswith("VmRSS")).split()[1]) / 1024


def peak_mb(pid: int) -> float:
    """The most that it ever was."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return int(next(each for each in lines if each.startswith("VmHWM")).split()[1]) / 1024
