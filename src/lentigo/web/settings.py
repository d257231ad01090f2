"""What a server is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a page without https does without cryptography's 10 MB
    from lentigo.web.certificates import Certificates

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Limits:
    """What one server takes upon itself, so that no visitor can take all of it.

    The memory that a photo costs while it is decoded is bounded, not only its pixels
    (`lentigo.image.cost`). JPEGs and PNGs are shrunk while they are decoded, so 40 megapixels fit;
    a WebP cannot be, nor a progressive JPEG's coefficients, nor an interlaced PNG: these are
    taken up to what the bound leaves.

    Attributes:
        body_bytes: Of one request.
        bodies_bytes: Of all requests under way together.
        body_s: Time in which a body has to arrive.
        pixels: Of one photo.
        decoding_bytes: That one photo may take while it is decoded.
        waiting: Photos that wait for their turn; more are answered 503.
        per_minute: Photos and other state-changing requests of one address.
        code_tries: Access codes tried by one address in a minute.
        connections: At once; more are answered 503.
        viewers: Live pictures of the camera at once.
    """

    body_bytes: int = 20 * MEGABYTE
    bodies_bytes: int = 60 * MEGABYTE
    body_s: float = 60.0
    pixels: int = 40_000_000
    decoding_bytes: int = 110 * MEGABYTE
    waiting: int = 96
    per_minute: int = 120
    code_tries: int = 5
    connections: int = 256
    viewers: int = 16


@dataclass(frozen=True)
class Settings:
    """How a server serves.

    Attributes:
        names: Host names that it answers to beside its addresses and the machine's own name.
        code: Access code that visitors have to give; None lets everybody in.
        keep: Folder that photos and answers are stored in; None stores nothing.
        https_port: Where the same page is served securely; None where it is not.
        certificates: What the secure port speaks with; None where there is none.
        limits: What it takes upon itself.
    """

    names: tuple[str, ...] = ()
    code: str | None = field(default=None, repr=False)
    keep: Path | None = None
    https_port: int | None = None
    certificates: Certificates | None = field(default=None, repr=False)
    limits: Limits = field(default_factory=Limits)
