"""What this machine is called."""

from __future__ import annotations

import socket
from collections.abc import Iterable


def own_names(extra: Iterable[str] = ()) -> frozenset[str]:
    """Names under which this machine is reached, in lower case.

    Args:
        extra: Further ones, such as that of a proxy in front.
    """
    name = socket.gethostname().lower()
    short = name.split(".", maxsplit=1)[0]
    return frozenset({"localhost", name, f"{short}.local", *(each.lower() for each in extra)})
