"""The last minutes of what was counted, taken while somebody looks."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from app.api.admin.services import MetricsPage
from app.api.console.figures.reading import Sample, sample_of

#: A sample is good for so long, whoever asks.
FRESH_S: Final = 1.0
#: So many are kept: five minutes of looking.
MOST: Final = 150
#: What "now" is: rates are over so many seconds, or as many as there are.
NOW_S: Final = 60.0
_TEXT: Final = "text/plain"


@dataclass(frozen=True, slots=True)
class Window:
    """Samples of some time, the oldest first; at least one."""

    samples: Sequence[Sample]

    @property
    def now(self) -> Sample:
        """The last one."""
        return self.samples[-1]

    @property
    def first(self) -> Sample:
        """The one that `now` is compared with: a minute older, or as old as there is one."""
        after = self.now.at - NOW_S
        return next((each for each in self.samples if each.at >= after), self.now)

    @property
    def length_s(self) -> float:
        """How long it is between both; 0 where there is but one."""
        return self.now.at - self.first.at

    def grown(self, family: str, **where: str) -> float:
        """By how much; a counter that began anew counts from 0."""
        return _grown(self.first.total(family, **where), self.now.total(family, **where))

    def grown_by(self, family: str, label: str, **where: str) -> dict[str, float]:
        """The same by the values of a label, the largest first; what has not grown is left out."""
        before = self.first.by(family, label, **where)
        after = self.now.by(family, label, **where)
        found = {name: _grown(before.get(name, 0.0), value) for name, value in after.items()}
        return {k: v for k, v in sorted(found.items(), key=lambda pair: -pair[1]) if v > 0}

    def rate(self, family: str, **where: str) -> float | None:
        """So many a second; None while there is nothing to compare with."""
        return self.grown(family, **where) / self.length_s if self.length_s else None

    def rates(self, family: str, **where: str) -> list[float]:
        """The same between each two samples."""
        totals = [(each.at, each.total(family, **where)) for each in self.samples]
        return [
            _grown(before, after) / (then - at)
            for (at, before), (then, after) in pairwise(totals)
            if then > at
        ]

    def values(self, family: str, **where: str) -> list[float]:
        """A gauge at each sample."""
        return [each.total(family, **where) for each in self.samples]

    def quantile(self, family: str, part: float, **where: str) -> float | None:
        """Of a histogram in the last minute; None where nothing was counted in it."""
        before = self.first.by(f"{family}_bucket", "le", **where)
        after = self.now.by(f"{family}_bucket", "le", **where)
        grown = {float(le): _grown(before.get(le, 0.0), value) for le, value in after.items()}
        return quantile_of(grown, part)


class History:
    """Samples are taken when somebody asks, one for all who ask at the same time."""

    def __init__(self, page: MetricsPage | None, now: Callable[[], float]) -> None:
        """`page` is what `/metrics` answers with; None: nothing is counted here."""
        self._page = page
        self._now = now
        self._turn = asyncio.Lock()
        self._samples: deque[Sample] = deque([Sample(now())], MOST)
        self._is_begun = False

    async def window(self) -> Window:
        """Up to now."""
        async with self._turn:
            if not self._is_begun or self._now() - self._samples[-1].at >= FRESH_S:
                await self._take()
            return Window(tuple(self._samples))

    async def _take(self) -> None:
        if self._page is None:
            return
        at = self._now()
        _, page = await self._page(_TEXT)
        sample = await asyncio.to_thread(sample_of, page.decode(), at)
        if not self._is_begun or at - self._samples[-1].at > NOW_S:
            self._samples.clear()  # nobody has looked: what is between is not known
        self._is_begun = True
        self._samples.append(sample)


def quantile_of(buckets: dict[float, float], part: float) -> float | None:
    """Within cumulative buckets by their upper bounds, as Prometheus' histogram_quantile.

    Above the last finite bound it is that bound.
    """
    bounds = sorted(buckets)
    total = buckets[bounds[-1]] if bounds else 0.0
    if total <= 0:
        return None
    wanted, below, lower = part * total, 0.0, 0.0
    for bound in bounds:
        if buckets[bound] >= wanted:
            if bound == float("inf"):
                return lower
            inside = buckets[bound] - below
            return lower + (bound - lower) * ((wanted - below) / inside if inside else 1.0)
        below, lower = buckets[bound], bound
    return lower


def _grown(before: float, after: float) -> float:
    return after - before if after >= before else after
