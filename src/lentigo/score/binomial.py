"""Exact bounds of a share, from how often something happened in independent trials."""

from __future__ import annotations

import math
from collections.abc import Callable

_STEPS = 100


def binomial_upper(count: int, trials: int, level: float = 0.95) -> float:
    """Upper end of the one-sided interval of a share (Clopper and Pearson 1934).

    With nothing seen it is close to 3 / ``trials`` at a level of 0.95.

    Args:
        count: How often it happened, 0 to ``trials``.
        trials: At least 1.
        level: Of confidence, in (0, 1).

    Returns:
        The share in (0, 1] at which so few would be seen with probability 1 - ``level``.
    """
    if count >= trials:
        return 1.0
    return _share_where(lambda share: _at_most(count, trials, share) > 1 - level)


def binomial_lower(count: int, trials: int, level: float = 0.95) -> float:
    """Lower end of the one-sided interval of a share; see ``binomial_upper``."""
    if count <= 0:
        return 0.0
    return _share_where(lambda share: _at_most(count - 1, trials, share) > level)


def clopper_pearson(count: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Two-sided exact interval of a share (Clopper and Pearson 1934).

    Args:
        count: How often it happened, 0 to ``trials``.
        trials: At least 1.
        level: Of confidence, in (0, 1).
    """
    side = (1 + level) / 2
    return binomial_lower(count, trials, side), binomial_upper(count, trials, side)


def _share_where(below: Callable[[float], bool]) -> float:
    """The share in (0, 1) up to which ``below`` holds, by halving."""
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return high


def _at_most(count: int, trials: int, share: float) -> float:
    """Probability of at most ``count`` in ``trials``, each with ``share`` in (0, 1)."""
    if share in {0.0, 1.0}:
        return float(share == 0.0 or count >= trials)
    odds = math.log(share) - math.log1p(-share)
    term = trials * math.log1p(-share)
    terms = [term]
    for k in range(count):
        term += math.log((trials - k) / (k + 1)) + odds
        terms.append(term)
    top = max(terms)
    return math.exp(top) * math.fsum(math.exp(each - top) for each in terms)
