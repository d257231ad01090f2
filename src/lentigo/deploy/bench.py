"""How fast a bundle answers on this very device, and the row to share."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from lentigo.deploy.bundle import Bundle
from lentigo.deploy.engine import Engine
from lentigo.errors import InputError
from lentigo.machine import usable_cores

THREADS = (1, 2, 4)
_WARM_UP = 10


@dataclass(frozen=True)
class Device:
    """What a figure was measured on; nothing that names its owner.

    Attributes:
        model: Board or processor, as the system calls it.
        architecture: Such as ``aarch64``.
        cores: That this process may use.
        memory_mb: Of the whole device; None where the system does not say.
        system: Name and version of the operating system.
        python: Its version.
        litert: Its version.
    """

    model: str
    architecture: str
    cores: int
    memory_mb: int | None
    system: str
    python: str
    litert: str


@dataclass(frozen=True)
class Latency:
    """Milliseconds from a prepared image to its answer.

    Attributes:
        threads: The graph was computed with.
        first_ms: Loading the graph and answering once.
        p50_ms: Median of the rounds after warming up.
        p95_ms: Their 95th percentile.
    """

    threads: int
    first_ms: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class BenchResult:
    """One bundle on one device.

    Attributes:
        device: The device.
        bundle: The model's name.
        quantization: Of the graph.
        size_px: Side of its input.
        bytes: Of graph and description.
        rounds: Answers a line rests on.
        latencies: A line for each number of threads.
        peak_mb: Most memory this process has held; None where the system does not say.
        lentigo: Version.
    """

    device: Device
    bundle: str
    quantization: str
    size_px: int
    bytes: int
    rounds: int
    latencies: tuple[Latency, ...]
    peak_mb: float | None
    lentigo: str

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @property
    def row(self) -> str:
        """A line of Markdown for the table of contributed measurements."""
        d = self.device
        by_threads = {
            each.threads: f"{each.p50_ms:.1f} / {each.p95_ms:.1f}" for each in self.latencies
        }
        cells = [
            d.model, d.architecture, str(d.cores), _or_dash(d.memory_mb, "MB"), self.bundle,
            f"{self.size_px}", self.quantization, f"{self.bytes / 1e6:.2f} MB",
            *(by_threads.get(count, "–") for count in THREADS),
            _or_dash(self.peak_mb, "MB"), d.python, d.litert, self.lentigo,
        ]  # fmt: skip
        return "| " + " | ".join(cells) + " |"


ROW_HEADER = (
    "| device | architecture | cores | memory | model | pixels | quantization | size "
    "| 1 thread p50 / p95, ms | 2 threads | 4 threads | peak memory | Python | LiteRT | lentigo |"
)


def bench(bundle: Bundle, *, threads: Sequence[int] = THREADS, rounds: int = 100) -> BenchResult:
    """Measure a bundle on this device.

    The graph alone is measured: decoding a photograph costs some milliseconds more. Random
    pixels stand for an image, whose content does not change the work.

    Args:
        bundle: What to measure.
        threads: Each number of threads to measure with, at least 1.
        rounds: Answers a number of threads, at least 1.

    Raises:
        InputError: No threads or rounds.
        BundleError: LiteRT refuses the graph.
    """
    if rounds < 1 or not threads or min(threads) < 1:
        raise InputError("A measurement needs at least one thread and one round.")
    size = bundle.info.spec.size
    image = np.random.default_rng(0).integers(0, 256, (size, size, 3), dtype=np.uint8)
    latencies = tuple(_latency(bundle, image, count, rounds) for count in threads)
    return BenchResult(
        device=this_device(),
        bundle=bundle.info.name,
        quantization=bundle.info.quantization,
        size_px=size,
        bytes=len(bundle.graph),
        rounds=rounds,
        latencies=latencies,
        peak_mb=peak_memory_mb(),
        lentigo=version("lentigo"),
    )


def _latency(bundle: Bundle, image: np.ndarray, threads: int, rounds: int) -> Latency:
    began = time.perf_counter()
    engine = Engine(bundle, threads)
    engine.run(image)
    first = time.perf_counter() - began
    for _ in range(_WARM_UP):
        engine.run(image)
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        engine.run(image)
        taken.append(time.perf_counter() - start)
    p50, p95 = np.percentile(taken, [50, 95]) * 1000
    return Latency(threads, round(first * 1000, 2), round(float(p50), 3), round(float(p95), 3))


def this_device() -> Device:
    """The device that this runs on."""
    return Device(
        model=_model(),
        architecture=platform.machine(),
        cores=usable_cores(),
        memory_mb=_memory_mb("MemTotal"),
        system=_system(),
        python=platform.python_version(),
        litert=version("ai-edge-litert"),
    )


def peak_memory_mb() -> float | None:
    """The most memory that this process has held; None where the system does not say."""
    # On Linux getrusage begins with what the parent held; this line does not.
    for line in _text(Path("/proc/self/status")).splitlines():
        if line.startswith("VmHWM:"):
            return round(int(line.split()[1]) / 1024, 1)
    try:
        import resource  # noqa: PLC0415 - Windows has none
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts kilobytes, macOS bytes.
    return round(peak / (1e6 if sys.platform == "darwin" else 1024), 1)


def _model() -> str:
    board = _text(Path("/proc/device-tree/model")).rstrip("\0").strip()
    if board:
        return board
    for line in _text(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _system() -> str:
    for line in _text(Path("/etc/os-release")).splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip().strip('"')
    return f"{platform.system()} {platform.release()}"


def _memory_mb(field: str) -> int | None:
    for line in _text(Path("/proc/meminfo")).splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) // 1024
    if field == "MemTotal" and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) // (1 << 20)
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _or_dash(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:.0f} {unit}"
