"""How much is let in: requests by address, bytes and work at once."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lentigo.web.refusals import Refusal, busy

ADDRESSES = 4096


class Rate:
    """A bucket of tokens for each address, refilled evenly over a minute.

    Args:
        per_minute: Requests a minute; as many may come at once after a pause.
        clock: Seconds that only grow.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = per_minute, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> None:
        """Count a request of an address.

        Raises:
            Refusal: 429, too many came from there.
        """
        self.peek(address)
        tokens, now = self._tokens(address), self._clock()
        self._buckets[address] = (tokens - 1, now)
        self._buckets.move_to_end(address)
        if len(self._buckets) > ADDRESSES:  # the longest silent one has a full bucket by now
            self._buckets.popitem(last=False)

    def peek(self, address: str) -> None:
        """Refuse like `take`, but count nothing."""
        if (tokens := self._tokens(address)) < 1:
            wait_s = int((1 - tokens) * 60 / self._per_minute) + 1
            raise Refusal(429, "problem.rate", retry_after_s=wait_s)

    def _tokens(self, address: str) -> float:
        now = self._clock()
        tokens, since = self._buckets.get(address, (float(self._per_minute), now))
        return min(float(self._per_minute), tokens + (now - since) * self._per_minute / 60)


@dataclass
class Share:
    """What one holder took of a budget."""

    amount: int = 0


class Budget:
    """A number that all requests under way draw from; more than it has is 503.

    For one thread, that of the event loop.

    Args:
        total: Bytes, or places.
    """

    def __init__(self, total: int) -> None:
        self._total, self._taken = total, 0

    @property
    def taken(self) -> int:
        """What is out now."""
        return self._taken

    def check(self, amount: int) -> None:
        """Refuse like `hold`, but take nothing."""
        if self._taken + amount > self._total:
            raise busy()

    @contextmanager
    def hold(self, amount: int = 0) -> Iterator[Share]:
        """Hold ``amount``, and more by ``grow``, until the block ends.

        Raises:
            Refusal: 503, nothing is left.
        """
        share = Share()
        try:
            self.grow(share, amount)
            yield share
        finally:
            self._taken -= share.amount

    def grow(self, share: Share, amount: int) -> None:
        """Take more for a share that is held.

        Raises:
            Refusal: 503, nothing is left.
        """
        self.check(amount)
        self._taken += amount
        share.amount += amount
