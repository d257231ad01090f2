"""What this machine is, and what it lends to a process."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys

from lentigo.errors import MissingExtraError

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def keep_freed_memory(*, up_to: int) -> None:
    """Set which memory this process keeps for its next use once it was freed, and which it returns.

    Left alone, glibc learns from every larger piece that is freed to keep pieces of that size
    (mallopt(3), M_MMAP_THRESHOLD), up to 32 MB each, and between small ones they pile up. No-op
    where the allocator is another.

    Args:
        up_to: Bytes of the largest piece that is kept; four times that may stay at a heap's end.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_TRIM_THRESHOLD, 4 * up_to)
            mallopt(_M_MMAP_THRESHOLD, up_to)


def without_litert(bits: int = 8 * struct.calcsize("P")) -> MissingExtraError:
    """What to say where LiteRT is not installed: on 32-bit systems it cannot be.

    Args:
        bits: 32 or 64, of this Python, which may be 32-bit on a 64-bit processor.
    """
    if bits == 32:
        return MissingExtraError(
            f"This is a 32-bit system ({platform.machine()}); LiteRT, which runs the model, is "
            "made for 64-bit systems only.",
            todo="A Raspberry Pi 3 or newer runs the 64-bit Raspberry Pi OS: write that to the "
            "card and install again.",
        )
    return MissingExtraError(
        "LiteRT, which runs the model, is not installed in this Python.",
        todo=f"{sys.executable} -m pip install ai-edge-litert",
    )
