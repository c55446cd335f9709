"""Which question is asked how often: a few very often, most hardly ever."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from random import Random


class Zipf:
    """Ranks from 0, the rank `r` as often as 1 / (r + 1) ** exponent says."""

    def __init__(self, count: int, exponent: float = 1.1) -> None:
        """`count` ranks. Raises ValueError for none."""
        if count < 1:
            raise ValueError("Zipf needs one rank or more")
        self._sums: list[float] = list(
            accumulate(float((rank + 1) ** -exponent) for rank in range(count))
        )

    def draw(self, rng: Random) -> int:
        """A rank."""
        return bisect_left(self._sums, rng.random() * self._sums[-1])

    def share(self, rank: int) -> float:
        """Which part of all draws a rank has."""
        below = self._sums[rank - 1] if rank else 0.0
        return (self._sums[rank] - below) / self._sums[-1]
