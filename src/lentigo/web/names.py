"""What this machine is called."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from collections.abc import Iterable

from lentigo.errors import InputError

_NOWHERE = ("192.0.2.1", 9)  # RFC 5737; asking for the way there sends nothing
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")


def own_names(extra: Iterable[str] = ()) -> frozenset[str]:
    """Names under which this machine is reached, in lower case.

    Args:
        extra: Further ones, such as that of a proxy in front.

    Raises:
        InputError: One of them is no host name.
    """
    further = {each.lower() for each in extra}
    for each in sorted(further):
        if not _NAME.fullmatch(each):
            raise InputError(
                f"{each!r} is no host name.",
                todo="--name takes what stands between // and the port, such as page.example.org.",
            )
    return frozenset({"localhost", socket.gethostname().lower(), local_name(), *further})


def local_name() -> str:
    """The name that this machine has in its own network (RFC 6762)."""
    return f"{socket.gethostname().lower().split('.', maxsplit=1)[0]}.local"


def own_addresses(host: str = "") -> set[str]:
    """Addresses of this machine, as far as it tells.

    Args:
        host: What the page is bound to.
    """
    found = {"127.0.0.1", "::1"}
    with contextlib.suppress(ValueError):
        if not ipaddress.ip_address(host).is_unspecified:
            found.add(host)
    with contextlib.suppress(OSError):
        told = socket.getaddrinfo(socket.gethostname(), None)
        found |= {str(each[4][0]).split("%")[0] for each in told}
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_NOWHERE)
        found.add(probe.getsockname()[0])
    return found


def hosts_to_open(host: str) -> list[str]:
    """What visitors write between ``//`` and the port.

    Args:
        host: What the page is bound to; all addresses of this machine where that is
            ``0.0.0.0`` or ``::``.
    """
    try:
        bound = ipaddress.ip_address(host)
    except ValueError:
        return [host]
    if not bound.is_unspecified:
        return [_shown(bound)]
    known = sorted(map(ipaddress.ip_address, own_addresses()), key=lambda each: each.packed)
    reached = [
        _shown(each)
        for each in known
        if each.version <= bound.version and not (each.is_loopback or each.is_link_local)
    ]
    return [*reached, local_name()] if reached else ["127.0.0.1"]


def _shown(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)
