"""How far others are ahead of somebody, in sum, without looking at each of many.

Whoever is at a lower level is ahead. A few are looked at one by one. More are kept sorted by level,
with sums from the lowest on, so that a question takes two searches. These are made anew when some
have moved since; until then those that moved are put right one by one. So a question costs about
the square root of how many there are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import isqrt
from operator import attrgetter, mul
from typing import Final

import msgspec

#: Of so many sums are not worth their while; and so many may have moved, however few there are.
_FEW: Final = 12


class Rung(msgspec.Struct, frozen=True, gc=False, order=True):
    """Where one stands, what it counts for in two sums, and its rank in the second of them."""

    level: float
    guarantee: float = 0.0
    weight: float = 0.0
    rank: int = 0


class Ladder:
    """By name."""

    __slots__ = ("_guarantees", "_moved", "_rungs", "_sorted", "_weights", "get")

    def __init__(self) -> None:
        self._rungs: dict[str, Rung] = {}
        #: Where one stands; None where it does not.
        self.get = self._rungs.get
        self._moved: dict[str, Rung | None] = {}  # where it stood when the sums were made
        self._sorted: list[Rung] = []
        self._guarantees: _Sums | None = None
        self._weights: dict[int, _Sums] = {}

    def __iter__(self) -> Iterator[Rung]:
        return iter(self._rungs.values())

    def put(self, name: str, rung: Rung) -> None:
        """It stands there now."""
        if name not in self._moved:
            self._moved[name] = self._rungs.get(name)
        self._rungs[name] = rung

    def drop(self, name: str) -> None:
        """It is not there any more."""
        if name not in self._moved:
            self._moved[name] = self._rungs[name]
        del self._rungs[name]
        if len(self._moved) > 2 * len(self._rungs) + _FEW:
            self._begin()  # nobody has asked for long, and most that moved are gone

    def ahead(
        self, level: float, most: float, most_weighed: float, rank: int
    ) -> tuple[float, float]:
        """Of all ahead of `level`, each guarantee times how far, at most `most`; and of weights.

        Of these, at most `most_weighed`, of those of this rank and higher ones.
        """
        if len(self._rungs) > _FEW:
            guaranteed = self._guaranteed_of_many(level, most)
            return guaranteed, self._weighed_of_many(level, most_weighed, rank)
        guaranteed = weighed = 0.0
        for rung in self._rungs.values():
            far = level - rung.level
            if far > 0:
                # Comparisons take a quarter of what `min` does.
                guaranteed += rung.guarantee * (far if far < most else most)  # noqa: FURB136
                if rung.rank >= rank:
                    weighed += rung.weight * (
                        far if far < most_weighed else most_weighed  # noqa: FURB136
                    )
        return guaranteed, weighed

    def _guaranteed_of_many(self, level: float, most: float) -> float:
        self._settle()
        if self._guarantees is None:
            self._guarantees = _Sums(self._sorted, [rung.guarantee for rung in self._sorted])
        found = self._guarantees.ahead(level, most)
        for name, was in self._moved.items():
            now = self._rungs.get(name)
            if was is not None and was.level < level:
                found -= was.guarantee * min(most, level - was.level)
            if now is not None and now.level < level:
                found += now.guarantee * min(most, level - now.level)
        return found

    def _weighed_of_many(self, level: float, most: float, rank: int) -> float:
        self._settle()
        sums = self._weights.get(rank)
        if sums is None:
            weights = [rung.weight if rung.rank >= rank else 0.0 for rung in self._sorted]
            sums = self._weights[rank] = _Sums(self._sorted, weights)
        found = sums.ahead(level, most)
        for name, was in self._moved.items():
            now = self._rungs.get(name)
            if was is not None and was.rank >= rank and was.level < level:
                found -= was.weight * min(most, level - was.level)
            if now is not None and now.rank >= rank and now.level < level:
                found += now.weight * min(most, level - now.level)
        return found

    def _settle(self) -> None:
        if len(self._moved) > max(_FEW, isqrt(len(self._rungs))):
            self._begin()

    def _begin(self) -> None:
        self._moved.clear()
        self._sorted = sorted(self._rungs.values(), key=attrgetter("level"))
        self._guarantees = None
        self._weights = {}


class _Sums:
    """Of values at levels, from the lowest on. Levels are taken from the highest, to stay exact."""

    __slots__ = ("_levels", "_moments", "_origin", "_values")

    def __init__(self, rungs: Sequence[Rung], values: Sequence[float]) -> None:
        self._origin = rungs[-1].level if rungs else 0.0
        self._levels = [rung.level - self._origin for rung in rungs]
        self._values: list[float] = list(accumulate(values, initial=0.0))
        moments = map(mul, values, self._levels)
        self._moments: list[float] = list(accumulate(moments, initial=0.0))

    def ahead(self, level: float, most: float) -> float:
        """Each value below `level` times how far it is below, at most `most`."""
        level -= self._origin
        far = bisect_right(self._levels, level - most)
        near = max(far, bisect_left(self._levels, level))
        values, moments = self._values, self._moments
        nearer = level * (values[near] - values[far]) - (moments[near] - moments[far])
        return most * values[far] + nearer
