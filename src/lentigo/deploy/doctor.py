"""Is this device able to run lentigo, and if not, what to do about it?

Imports nothing that a device may lack: what is missing is a finding, not a traceback.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Status = Literal["ok", "warning", "problem"]

MEMORY_MB = 300
"""Page, camera and model together stay below 250 MB."""

DISK_MB = 100
PYTHONS = ((3, 11), (3, 13))
_WIDE = frozenset({"x86_64", "amd64", "aarch64", "arm64"})


@dataclass(frozen=True)
class Finding:
    """What a check saw.

    Attributes:
        check: What was looked at.
        status: ``problem`` keeps lentigo from running, ``warning`` a part of it.
        found: What there is.
        todo: What to do; empty where nothing needs doing.
    """

    check: str
    status: Status
    found: str
    todo: str = ""

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def examine() -> list[Finding]:
    """All checks, in the order in which to mend what they find."""
    return [check() for check in CHECKS.values()]


def check_architecture(
    machine: str | None = None, pointer_bits: int = struct.calcsize("P") * 8
) -> Finding:
    """Is there a LiteRT for this processor and this kind of Python?"""
    machine = (machine or platform.machine()).lower()
    found = f"{machine}, {pointer_bits}-bit Python"
    if pointer_bits == 32 or machine.startswith(("armv6", "armv7", "i386", "i686")):
        return Finding(
            "architecture",
            "problem",
            found,
            "LiteRT exists for 64-bit systems only. A Raspberry Pi 3 or newer runs the 64-bit "
            "Raspberry Pi OS: write that to the card and install again.",
        )
    if machine not in _WIDE:
        return Finding(
            "architecture",
            "warning",
            found,
            "LiteRT may have no wheel for this processor; x86-64 and 64-bit ARM have one.",
        )
    return Finding("architecture", "ok", found)


def check_python(current: tuple[int, int] = sys.version_info[:2]) -> Finding:
    """Is this Python one that lentigo supports?"""
    found = ".".join(map(str, current))
    low, high = (".".join(map(str, each)) for each in PYTHONS)
    if not PYTHONS[0] <= current <= PYTHONS[1]:
        return Finding("Python", "problem", found, f"Install Python {low} to {high}.")
    return Finding("Python", "ok", found)


def check_litert() -> Finding:
    """Does the model that ships answer here?"""
    try:
        import numpy as np  # noqa: PLC0415 - may be what is missing

        from lentigo.deploy.runtime import load_default  # noqa: PLC0415 - likewise

        predictor = load_default(threads=1)
        size = predictor.spec.size
        predictor.predict(np.full((1, size, size, 3), 128, np.uint8))
    except Exception as error:  # noqa: BLE001 - whatever fails here is the finding
        return Finding(
            "LiteRT and model",
            "problem",
            f"{type(error).__name__}: {error}",
            "Install lentigo again: pip install --force-reinstall lentigo",
        )
    return Finding("LiteRT and model", "ok", f"{predictor.name} answers")


def check_memory() -> Finding:
    """Is there room for page, camera and model?"""
    available = _available_mb()
    if available is None:
        return Finding("memory", "warning", "this system does not say how much is free")
    found = f"{available} MB available"
    if available < MEMORY_MB:
        return Finding("memory", "problem", found, f"Close programs: {MEMORY_MB} MB are needed.")
    return Finding("memory", "ok", found)


def check_disk() -> Finding:
    """Can temporary files be written?"""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free >> 20
    if free < DISK_MB:
        return Finding("disk", "problem", f"{free} MB free in {folder}", "Make room on the disk.")
    return Finding("disk", "ok", f"{free} MB free in {folder}")


def check_camera(
    devices: Path = Path("/dev"), known: Path = Path("/sys/class/video4linux")
) -> Finding:
    """Is there a camera that `lentigo serve --camera` can open?"""
    nodes = [path for path in devices.glob("video*") if _is_camera(known / path.name)]
    found = [str(path) for path in sorted(nodes, key=lambda path: (len(path.name), path.name))]
    closed = [path for path in found if not os.access(path, os.R_OK | os.W_OK)]
    if closed and len(closed) == len(found):
        return Finding(
            "camera",
            "warning",
            f"{', '.join(closed)} may not be opened by this user",
            "sudo usermod --append --groups video $USER, then log in again.",
        )
    if shutil.which("rpicam-vid") or shutil.which("libcamera-vid"):
        found.append("--camera rpicam, if a camera is at the ribbon connector")
    if not found:
        return Finding(
            "camera",
            "warning",
            "none",
            "Plug one in to take photos on this device; uploads work without.",
        )
    return Finding("camera", "ok", ", ".join(found))


def _is_camera(facts: Path) -> bool:
    """Whether a video device can be one; a Pi has a dozen that decode and scale.

    Args:
        facts: Its folder under ``/sys/class/video4linux``; where that is missing, it may be.
    """
    index = facts / "index"
    if index.is_file() and index.read_text("ascii").strip() != "0":
        return False  # a second device of a USB camera, which gives no pictures
    bus = facts / "device" / "subsystem"
    return not bus.exists() or bus.resolve().name in {"usb", "pci"}


def check_certificate(folder: Path | None = None) -> Finding:
    """Has ``lentigo serve --https`` a certificate, and for how long?"""
    folder = folder or Path("~/.local/share/lentigo/certificates").expanduser()
    found = sorted(folder.rglob("*.pem")) if folder.is_dir() else []
    if not found:
        return Finding(
            "certificate",
            "warning",
            f"none in {folder}",
            "`lentigo serve --https` makes one. A phone gives a live picture to secure pages only; "
            "uploads work without.",
        )
    try:
        path, end = _first_to_end(found)
    except (ImportError, ValueError, OSError) as error:
        reason = f"{folder} cannot be read: {error}"
        return Finding("certificate", "warning", reason, f"Remove {folder}; it is made anew.")
    if end < dt.datetime.now(dt.UTC):
        ended = f"{path} ended on {end:%Y-%m-%d}"
        return Finding("certificate", "problem", ended, f"Remove {path.parent}; it is made anew.")
    return Finding("certificate", "ok", f"{path}, until {end:%Y-%m-%d}")


def _first_to_end(paths: list[Path]) -> tuple[Path, dt.datetime]:
    from cryptography import x509  # noqa: PLC0415 - may be missing

    ends = {}
    for path in paths:
        content = path.read_bytes()
        if b"BEGIN CERTIFICATE" in content:
            ends[path] = x509.load_pem_x509_certificate(content).not_valid_after_utc
    if not ends:
        raise ValueError("it holds no certificate")
    return min(ends.items(), key=lambda item: item[1])


def _available_mb() -> int | None:
    try:
        text = Path("/proc/meminfo").read_text(encoding="utf-8")
    except OSError:
        return None
    for line in text.splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return None


CHECKS: dict[str, Callable[[], Finding]] = {
    "architecture": check_architecture,
    "python": check_python,
    "litert": check_litert,
    "memory": check_memory,
    "disk": check_disk,
    "camera": check_camera,
    "certificate": check_certificate,
}
"""Every check, by the key that says where it stands."""
