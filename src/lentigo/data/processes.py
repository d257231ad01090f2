"""Where worker processes come from.

They are forked from a server that has imported what they need and nothing else (``forkserver``;
where there is none they are started afresh), because forking this process is unsafe once a
library such as TensorFlow has started threads.

Imports nothing heavy, so that the server's imports run beside those of this process.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import BaseContext

_FORKS = "forkserver" in multiprocessing.get_all_start_methods()
_NEEDED = "lentigo.data.pool"


def get_ready() -> None:
    """Start what processes are forked from, if it is not there yet."""
    if _FORKS:
        from multiprocessing import forkserver  # noqa: PLC0415 - not on every system

        multiprocessing.get_context("forkserver").set_forkserver_preload([_NEEDED])
        forkserver.ensure_running()


def context() -> BaseContext:
    """How processes are started."""
    return multiprocessing.get_context("forkserver" if _FORKS else "spawn")
