"""What is asked of the machine that lentigo runs on."""

from __future__ import annotations

import subprocess
import sys

import pytest

_FREED = """
import ctypes
from lentigo.machine import keep_freed_memory

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

def left_behind(size):
    before, taken = resident(), []
    for _ in range(8):
        pieces = [libc.malloc(size), libc.malloc(90_000)]
        ctypes.memset(pieces[0], 1, size)
        taken.append(pieces)
    for piece, _ in taken:
        libc.free(piece)
    return resident() - before

KEEP
libc.free(libc.malloc(20_000_000))  # from here on glibc would keep pieces of this size
print(left_behind(6_000_000))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator is glibc's")
def test_larger_pieces_than_asked_for_are_returned() -> None:
    def left(keep: str) -> int:
        command = [sys.executable, "-c", _FREED.replace("KEEP", keep)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    assert left("pass") > 40_000_000
    assert left("keep_freed_memory(up_to=32 << 20)") > 40_000_000
    assert left("keep_freed_memory(up_to=4_000_000)") < 4_000_000
