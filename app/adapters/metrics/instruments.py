"""What is counted as it happens, by family and label values.

All counting is done by the event loop's thread, so that a count is an addition and no lock is
taken; another thread may read meanwhile. Prometheus-client's own counters take one for each.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Hashable, Mapping
from itertools import repeat
from typing import Any, Final, Generic, NamedTuple, TypeVar

from app.adapters.metrics.family import Family, FamilyKind


class Exemplar(NamedTuple):
    """One of those that were counted: labels that lead to it, what it was, and when."""

    labels: Mapping[str, str]
    value: float
    timestamp: float  # Unix time


class Count:
    """A series of a counter."""

    __slots__ = ("value",)

    def __init__(self, _family: Family) -> None:
        self.value = 0.0


class Distribution:
    """A series of a histogram: how many were in each bucket, and the last example of it."""

    __slots__ = ("_bounds", "_waiting", "counts", "examples", "later", "total")

    def __init__(self, family: Family) -> None:
        self._bounds = family.buckets
        self._waiting: list[float] = []
        #: Has an amount counted by the next `catch_up`: for many, half the work of `observe`.
        self.later = self._waiting.append
        self.counts = [0] * (len(self._bounds) + 1)  # the last is above all bounds
        self.examples: list[Exemplar | None] = [None] * len(self.counts)
        self.total = 0.0

    def observe(self, amount: float, example: Mapping[str, str] | None = None) -> None:
        """Count it; `example` says where to find it."""
        bucket = bisect_left(self._bounds, amount)
        self.counts[bucket] += 1
        self.total += amount
        if example is not None:
            self.examples[bucket] = Exemplar(example, amount, time.time())

    def catch_up(self) -> None:
        """Count what waits."""
        counts, waiting = self.counts, self._waiting
        if not waiting:  # as of most series of most families
            return
        for bucket in map(bisect_left, repeat(self._bounds), waiting):
            counts[bucket] += 1
        self.total = sum(waiting, self.total)
        waiting.clear()


_Child = TypeVar("_Child", Count, Distribution)
_KINDS: Final = {FamilyKind.COUNTER: Count, FamilyKind.HISTOGRAM: Distribution}


class Children(dict[tuple[Hashable, ...], _Child], Generic[_Child]):
    """The series of a family by their label values, made when first asked for.

    Values that are written alike, such as 200 and "200", are one series: `series` has each once.
    """

    __slots__ = ("_make", "family", "series")

    def __init__(self, family: Family, make: type[_Child]) -> None:
        super().__init__()
        self.family = family
        self.series: dict[tuple[str, ...], _Child] = {}
        self._make: type[_Child] = make
        if not family.labels:
            _ = self[()]  # its one series is there from the start

    def __missing__(self, labels: tuple[Hashable, ...]) -> _Child:
        written = tuple(map(str, labels))
        if len(written) != len(self.family.labels):
            message = f"{self.family.name} has the labels {self.family.labels}, not {labels}"
            raise ValueError(message)
        child = self.series.get(written)
        if child is None:
            child = self.series[written] = self._make(self.family)
        self[labels] = child
        return child


class Instruments:
    """What counts here, each made once."""

    def __init__(self) -> None:
        self.children: dict[Family, Children[Any]] = {}

    def counters(self, family: Family) -> Children[Count]:
        """The series of a counter."""
        return self._made(family)

    def histograms(self, family: Family) -> Children[Distribution]:
        """The series of a histogram."""
        return self._made(family)

    def begin(self, family: Family, labels: tuple[str, ...]) -> None:
        """Have this series from now on, at 0; a family that nothing counts raises KeyError."""
        _ = self.children[family][labels]

    def catch_up(self) -> None:
        """Have histograms count what waits."""
        for children in self.children.values():
            if children.family.kind is FamilyKind.HISTOGRAM:
                for series in children.series.values():
                    series.catch_up()

    def _made(self, family: Family) -> Children[Any]:
        made = self.children[family] = Children(family, _KINDS[family.kind])
        return made
