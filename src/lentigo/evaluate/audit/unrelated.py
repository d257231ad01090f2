"""How near is near: the distances of pictures of different lesions, and what follows from them.

What counts as the same picture is decided by the distances of pairs that show different lesions
in these very images: at most one in a million of them may lie within the threshold. That alone
would be too wide, because a million pairs come from 1,400 images: among 33,000 images it lets
550 pairs pass that have nothing in common, more than there are copies. So ``NEAR_BITS`` caps it.
And tables file some copies as two lesions; ``COPIED_BITS`` keeps these from closing the search.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lentigo.data.duplicates import NEAR_BITS
from lentigo.evaluate.audit.pairs import Pair, distances
from lentigo.score.binomial import binomial_upper

UNRELATED_PAIRS = 4_000_000
FALSE_RATE = 1e-6
COPIED_BITS = 12
CAP_REASON = (
    "False pairs grow with the square of the number of images, copies do not: at one in a million "
    "they would outnumber the copies. Up to here the search also misses no near duplicate."
)
FLOOR_REASON = (
    "So close lie only copies, also where a table files them as two lesions: of 50 million pairs "
    "of different lesions in HAM10000 one does, and it is one photograph."
)


@dataclass(frozen=True)
class Strangers:
    """Which images show different lesions for certain.

    Attributes:
        lesion: (N,) numbers; -1 where the lesion is not known.
        within: (N,) numbers of sets. Without known lesions, images of one set that ``prepare``
            did not put into one group are taken for strangers; between sets nothing is known.
        group: (N,) numbers of groups.
    """

    lesion: NDArray[np.int64]
    within: NDArray[np.int64]
    group: NDArray[np.int64]

    @property
    def by(self) -> Literal["lesion_id", "group_id"]:
        """What tells: lesions where most images have one, else groups."""
        return "lesion_id" if (self.lesion >= 0).mean() >= 0.5 else "group_id"

    def are(self, a: NDArray[np.int64], b: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether rows ``a`` and ``b`` (n,) show different lesions, as far as is known."""
        if self.by == "lesion_id":
            one, other = self.lesion[a], self.lesion[b]
            return np.asarray((one >= 0) & (other >= 0) & (one != other))
        return np.asarray((self.within[a] == self.within[b]) & (self.group[a] != self.group[b]))

    @property
    def pairs(self) -> int:
        """How many pairs of strangers there are."""
        if self.by == "lesion_id":
            return _unlike(self.lesion[self.lesion >= 0])
        return sum(_unlike(self.group[self.within == k]) for k in np.unique(self.within))


def _unlike(numbers: NDArray[np.int64]) -> int:
    """Pairs of different numbers."""
    _, counts = np.unique(numbers, return_counts=True)
    return (len(numbers) ** 2 - int((counts.astype(np.int64) ** 2).sum())) // 2


@dataclass(frozen=True)
class Unrelated:
    """Distances of pairs that show different lesions.

    Attributes:
        pairs: How many were drawn.
        histogram: (257,) how many lie at each distance, 0 to 256 bits.
        by: What tells that they are different: ``lesion_id``, or ``group_id`` where lesions are
            not known; what ``prepare`` joined cannot show there, so nothing is seen below the
            cap within a set.
    """

    pairs: int
    histogram: NDArray[np.int64]
    by: Literal["lesion_id", "group_id"]

    @property
    def measured(self) -> int | None:
        """The largest distance within which lie at most ``FALSE_RATE`` of them; None: not any."""
        allowed = np.flatnonzero(np.cumsum(self.histogram) <= FALSE_RATE * self.pairs)
        return int(allowed[-1]) if len(allowed) and self.pairs else None

    @property
    def threshold(self) -> int:
        """Largest distance that counts as the same picture, in bits: between floor and cap."""
        if self.pairs == 0:
            return NEAR_BITS
        return int(np.clip(self.measured or 0, COPIED_BITS, NEAR_BITS))

    @property
    def within(self) -> int:
        """How many of the unrelated pairs lie within the threshold all the same."""
        return int(self.histogram[: self.threshold + 1].sum())

    @property
    def rate_at_most(self) -> float:
        """Upper end of the one-sided 95% interval of that share."""
        return binomial_upper(self.within, self.pairs) if self.pairs else 1.0

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        seen = np.flatnonzero(self.histogram)
        return {
            "pairs": self.pairs,
            "told_apart_by": self.by,
            "histogram": {int(d): int(n) for d, n in enumerate(self.histogram) if n},
            "closest_bits": int(seen[0]) if len(seen) else None,
            "wanted_false_rate": FALSE_RATE,
            "measured_threshold_bits": self.measured,
            "floor_bits": COPIED_BITS,
            "floor_reason": FLOOR_REASON,
            "cap_bits": NEAR_BITS,
            "cap_reason": CAP_REASON,
            "threshold_bits": self.threshold,
            "within_threshold": self.within,
            "false_rate_at_most": self.rate_at_most,
        }


@dataclass(frozen=True)
class Precision:
    """How many of the pairs seen in the pixels may be no copies.

    Every pair of images was compared, so those of different lesions that were found show how
    often the search errs; what two sets hold is taken to be as unlike as what one holds.

    Attributes:
        found: Pairs seen in the pixels, identical files left out.
        of_strangers: Those of them that show different lesions, as the tables have it.
        strangers: Pairs of different lesions that were compared.
        compared: All pairs that were compared.
    """

    found: int
    of_strangers: int
    strangers: int
    compared: int

    @property
    def false_rate_at_most(self) -> float:
        """Upper end of the one-sided 95% interval of the share of strangers that are found."""
        return binomial_upper(self.of_strangers, self.strangers)

    @property
    def false_expected(self) -> float:
        """Pairs among those found that are false, as expected from the strangers."""
        if not self.strangers:
            return float("nan")
        return min(self.of_strangers / self.strangers * self.compared, self.found)

    @property
    def false_at_most(self) -> float:
        """The same from ``false_rate_at_most``; never more than were found."""
        return min(self.false_rate_at_most * self.compared, self.found)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = self.found and self.strangers
        return {
            "found": self.found,
            "of_different_lesions": self.of_strangers,
            "pairs_of_different_lesions": self.strangers,
            "pairs_compared": self.compared,
            "false_rate_at_most": self.false_rate_at_most,
            "false_expected": self.false_expected if self.strangers else None,
            "false_at_most": self.false_at_most,
            "precision": 1 - self.false_expected / self.found if told else None,
            "precision_at_least": 1 - self.false_at_most / self.found if told else None,
        }


def precision_of(pairs: Sequence[Pair], strangers: Strangers) -> Precision:
    """Judge what ``find_pairs`` found by what is known of the lesions."""
    seen = [each for each in pairs if each.kind in {"near duplicate", "cropped copy"}]
    a, b = (np.array([getattr(p, side) for p in seen], np.int64) for side in "ab")
    n = len(strangers.lesion)
    return Precision(
        found=len(seen),
        of_strangers=int(strangers.are(a, b).sum()),
        strangers=strangers.pairs,
        compared=n * (n - 1) // 2,
    )


def measure_unrelated(
    hashes: NDArray[np.uint8],
    strangers: Strangers,
    *,
    pairs: int = UNRELATED_PAIRS,
    seed: int = 0,
) -> Unrelated:
    """Draw pairs of different lesions and set the threshold by their distances.

    Args:
        hashes: (N, 32) uint8; flat pictures (all zero) are left out.
        strangers: Which images are known to show different lesions.
        pairs: How many to draw; fewer remain where lesions are not known.
        seed: Of the draw.
    """
    shaped = np.flatnonzero(hashes.any(axis=1))
    if len(shaped) < 2:
        return Unrelated(0, np.zeros(257, np.int64), strangers.by)
    random = np.random.default_rng(seed)
    a, b = shaped[random.integers(0, len(shaped), (2, pairs))]
    keep = strangers.are(a, b)
    found = distances(hashes, a[keep], b[keep])
    return Unrelated(len(found), np.bincount(found, minlength=257), strangers.by)
