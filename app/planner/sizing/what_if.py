"""Traffic as it would be: grown, partly answered by a cache, or without a tenant.

Everything is drawn from one seed: the same traffic and seed give the same again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from app.planner.sizing.traffic import Recorded

#: A request that growth adds comes this long before or after the one that it is like, seconds.
_APART_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What is to be different; nothing is, by default.

    `growth` is how many times as much is asked, `cached` the share of requests that a cache
    answers, `without` the tenants that are gone.
    """

    growth: float = 1.0
    cached: float = 0.0
    without: frozenset[str] = frozenset()

    def of(self, traffic: Sequence[Recorded], seed: int) -> list[Recorded]:
        """The changed traffic, in no order."""
        draw = Random(seed)  # noqa: S311  # a simulation
        return [
            each
            for recorded in traffic
            if recorded.tenant not in self.without
            for each in self._grown(recorded, draw)
            if draw.random() >= self.cached
        ]

    def _grown(self, recorded: Recorded, draw: Random) -> Iterator[Recorded]:
        """It and its likes: as many on average as the growth says, none of them if that shrinks."""
        times = int(self.growth) + (draw.random() < self.growth % 1)
        for number in range(times):
            if number == 0:
                yield recorded
            else:
                yield recorded._replace(at=recorded.at + draw.uniform(-_APART_S, _APART_S))
