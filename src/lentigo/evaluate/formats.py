"""How figures are written on the page; none is written as minus zero."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from lentigo.score.estimate import Estimate

# Said elsewhere on the page, or of this machine only.
_UNLISTED = frozenset({"leaky", "finished", "prepared_path"})


def plain_facts(values: object) -> list[tuple[str, str]]:
    """Plain values as (name in words, text); nested and empty ones are left out.

    A run describes its network by a table, a bundle by a name, which is a plain value.
    """
    if not isinstance(values, Mapping):
        return []
    return [
        (key.replace("_", " ").replace("sha256", "SHA-256"), cell(value))
        for key, value in values.items()
        if key not in _UNLISTED and isinstance(value, str | int | float) and value != ""
    ]


def cell(value: object) -> str:
    """A plain value as text: digests by their head, files of this machine by their last folder."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(value)
    if Path(text).is_absolute():
        return "/".join(Path(text).parts[-2:])
    return text[:16] if len(text) == 64 and not text.strip("0123456789abcdef") else text


def count(value: int) -> str:
    """A whole number with thousands set apart; years and the like are short enough."""
    return f"{value:,}".replace(",", "\u202f") if abs(value) >= 10_000 else str(value)


def percent(value: float | None, digits: int = 1) -> str:
    """A share as per cent, or a dash."""
    return "–" if value is None else f"{value * 100:z.{digits}f}%"


def plain(value: float, digits: int = 3) -> str:
    """A bare number."""
    return f"{value:z.{digits}f}"


def figure(estimate: Estimate, digits: int = 3) -> str:
    """An estimate's value, or a dash."""
    return "–" if estimate.value is None else f"{estimate.value:z.{digits}f}"


def signed(estimate: Estimate, digits: int = 3) -> str:
    """A difference with its sign, or a dash."""
    return "–" if estimate.value is None else f"{estimate.value:+z.{digits}f}"


def interval(estimate: Estimate, digits: int = 3) -> str:
    """An estimate's interval, or why there is none."""
    if estimate.low is None or estimate.high is None:
        return "no interval" if estimate.value is not None else "undefined"
    return f"{estimate.low:z.{digits}f} to {estimate.high:z.{digits}f}"


def with_interval(estimate: Estimate) -> str:
    """``0.812 [0.790, 0.833]``, or what is missing."""
    if estimate.value is None:
        return "undefined"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f} (no interval)"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


FILTERS: dict[str, Callable[..., str]] = {
    "count": count,
    "percent": percent,
    "plain": plain,
    "figure": figure,
    "signed": signed,
    "interval": interval,
}
