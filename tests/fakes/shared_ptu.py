"""A PTU that tenants share through several replicas, in simulated time: who got how much of it.

The deployment is the planner's own idea of Azure; replicas know it by what they take, hear from
each other a few milliseconds later, and are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Final, NamedTuple

from app.domain.capacity.capacity import CapacityTold
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.provisioned import Provisioned, PtuCapacity, PtuPlace
from app.domain.capacity.shares import Claim
from app.domain.capacity.wait import Wait
from app.planner.azure import Job, Ptu, PtuFacts
from app.planner.traffic import Request

TOKENS_PER_S: Final = 10_000.0
OUTPUT_RATIO: Final = 4.0
ONE_WAY_S: Final = 0.025
MESSAGE_S: Final = 0.005
_MILLISECOND: Final = 0.001
_WIDTH: Final = 0.8  # of the lognormal sizes
_MEAN_OF_UNIT: Final = 1.3771  # of a lognormal of that width and median 1


@dataclass(frozen=True, slots=True)
class Asks:
    """How a tenant asks: for this part of the PTU, in requests of so many seconds of it each.

    It asks for `on_s` seconds, then is silent for `off_s`; `rate` is what it asks for meanwhile.
    One of `feint_every` requests, if not 0, has a cap of `feint_s` seconds and no use, and is given
    up after `feint_stays_s`.
    """

    claim: Claim
    rate: float
    size_s: float = 0.1
    on_s: float = float("inf")
    off_s: float = 0.0
    feint_every: int = 0
    feint_s: float = 60.0
    feint_stays_s: float = 0.06

    def asks_at(self, now: float) -> bool:
        """Whether it is not silent."""
        return self.off_s == 0 or now % (self.on_s + self.off_s) < self.on_s


class Asked(NamedTuple):
    """A request at the time at which it was asked, in seconds of the PTU's capacity."""

    at: float
    tenant: str
    seconds: float
    number: int


class Asking(NamedTuple):
    """A request on its way: what is really answered, and after how long, if that is known."""

    request: Request
    output: int
    stays_s: float | None = None


@dataclass(slots=True)
class Tally:
    """All requests, and the numbers of those that were served."""

    requests: list[Asked] = field(default_factory=list)
    served: set[int] = field(default_factory=set)

    def part(self, tenant: str, minutes: Sequence[int]) -> float:
        """Of the capacity of these minutes in a row, what this tenant's requests used."""
        return self.between(tenant, 60 * minutes[0], 60 * minutes[-1] + 60) / (60 * len(minutes))

    def asked_part(self, tenant: str, minutes: Sequence[int]) -> float:
        """The same of what it asked for."""
        begin, end = 60 * minutes[0], 60 * minutes[-1] + 60
        return self.asked_between(tenant, begin, end) / (end - begin)

    def between(self, tenant: str, begin: float, end: float) -> float:
        """Seconds of capacity that went to this tenant's requests of this time."""
        return sum(
            each.seconds for each in self._of(tenant, begin, end) if each.number in self.served
        )

    def asked_between(self, tenant: str, begin: float, end: float) -> float:
        """The same of what it asked for."""
        return sum(each.seconds for each in self._of(tenant, begin, end))

    def _of(self, tenant: str, begin: float, end: float) -> Iterator[Asked]:
        return (each for each in self.requests if each.tenant == tenant and begin <= each.at < end)


class SharedPtu:
    """The world's event loop."""

    def __init__(self, tenants: Sequence[Asks], *, replicas: int, seed: int) -> None:
        self._random = Random(seed)
        self._numbers = count()
        self._feints = count(1)
        self._future: list[tuple[float, int, Callable[[], None]]] = []
        self._now = 0.0
        self._ptu = Ptu(PtuFacts(TOKENS_PER_S, output_ratio=OUTPUT_RATIO))
        capacity = PtuCapacity(TOKENS_PER_S, OUTPUT_RATIO)
        self._replicas = [Provisioned(capacity, str(n), 0.0) for n in range(replicas)]
        self._telling: set[int] = set()
        self._held_until = 0.0
        self.tally = Tally()
        for asks in tenants:
            self._next(asks)

    def run(self, minutes: int) -> Tally:
        """Live for so long."""
        while self._future[0][0] < 60 * minutes:
            self._now, _, happen = heappop(self._future)
            happen()
        return self.tally

    def _in(self, seconds: float, happen: Callable[[], None]) -> None:
        heappush(self._future, (self._now + seconds, next(self._numbers), happen))

    def _next(self, asks: Asks) -> None:
        gap = self._random.expovariate(asks.rate / asks.size_s)
        self._in(gap, lambda: self._arrives(asks))

    def _arrives(self, asks: Asks) -> None:
        self._next(asks)
        if not asks.asks_at(self._now):
            return
        number = next(self._numbers)
        is_feint = asks.feint_every and next(self._feints) % asks.feint_every == 0
        used, asking = self._feint(asks, number) if is_feint else self._draw(asks, number)
        replica = self._random.randrange(len(self._replicas))
        self.tally.requests.append(Asked(self._now, asks.claim.tenant, used, number))
        self._decide(replica, asks.claim, asking)

    def _draw(self, asks: Asks, number: int) -> tuple[float, Asking]:
        drawn = self._random
        used = asks.size_s * drawn.lognormvariate(0, _WIDTH) / _MEAN_OF_UNIT
        output = max(1, round(used * TOKENS_PER_S * 0.6 / OUTPUT_RATIO))
        prompt, cap = round(used * TOKENS_PER_S * 0.4), round(output * drawn.uniform(1.0, 2.0))
        return used, Asking(Request(number, 0, number, prompt, 0, cap, stream=True), output)

    def _feint(self, asks: Asks, number: int) -> tuple[float, Asking]:
        cap = round(asks.feint_s * TOKENS_PER_S / OUTPUT_RATIO)
        request = Request(number, 0, number, 1, 0, cap, stream=True)
        return 0.0, Asking(request, 0, asks.feint_stays_s)

    def _decide(self, number: int, claim: Claim, asking: Asking) -> None:
        known, now, request = self._replicas[number], self._now, asking.request
        load = Load(claim, Demand(request.prompt, request.cap or 0))
        room = known.room(load, now)
        if room.at <= now and now >= self._held_until - room.sooner_s:
            place = known.take(load, now)
            self._in(ONE_WAY_S, lambda: self._reaches(number, place, asking))
        self._tells(number)

    def _reaches(self, number: int, place: PtuPlace, asking: Asking) -> None:
        now, ptu = self._now, self._ptu
        job = ptu.offer(asking.request, now)
        if job is None:
            wait = ptu.retry_after(now)
            self._in(ONE_WAY_S, lambda: self._is_refused(number, place, wait))
            return
        self.tally.served.add(asking.request.id)
        told = CapacityTold(ptu.utilization(now))
        self._in(ONE_WAY_S, lambda: self._is_accepted(number, place, told))
        if asking.stays_s is not None:
            self._in(asking.stays_s, lambda: self._is_given_up(number, place, job))
            return
        lasts = self._random.uniform(1.0, 6.0)
        self._in(lasts, lambda: self._ends(number, place, job, asking.output))

    def _is_accepted(self, number: int, place: PtuPlace, told: CapacityTold) -> None:
        place.accepted(told, self._now)
        self._tells(number)

    def _is_refused(self, number: int, place: PtuPlace, wait: float) -> None:
        place.refused(CapacityTold(), Wait(wait, _MILLISECOND), self._now)
        self._held_until = max(self._held_until, self._now + wait)
        self._tells(number)

    def _is_given_up(self, number: int, place: PtuPlace, job: Job) -> None:
        """The gateway knows first, and closes the connection."""
        place.settle(Demand(job.request.prompt, 0), self._now)
        self._tells(number)
        self._in(ONE_WAY_S, lambda: self._ptu.complete(job, 0, self._now))

    def _ends(self, number: int, place: PtuPlace, job: Job, output: int) -> None:
        self._ptu.complete(job, output, self._now)
        used = Demand(job.request.prompt, output)

        def hears() -> None:
            place.settle(used, self._now)
            self._tells(number)

        self._in(ONE_WAY_S, hears)

    def _tells(self, number: int) -> None:
        """What came to be known meanwhile goes in one message."""
        if number not in self._telling:
            self._telling.add(number)
            self._in(MESSAGE_S, lambda: self._told(number))

    def _told(self, number: int) -> None:
        self._telling.discard(number)
        news = self._replicas[number].news(self._now)
        if news is not None:
            for other, known in enumerate(self._replicas):
                if other != number:
                    known.hear(str(number), news, self._now)
