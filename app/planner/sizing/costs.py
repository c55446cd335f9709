"""What a number of PTUs costs, with what spills from them, and how sure the best number is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from app.planner.sizing.replay import Replayed, Weighed
from app.planner.sizing.traffic import Recorded

_DAY_S: Final = 86_400.0
_MILLION: Final = 1_000_000
#: Of a month, as Azure bills a reservation: 365 days of 24 hours in 12 parts.
HOURS_OF_A_MONTH: Final = 730.0


@dataclass(frozen=True, slots=True)
class PayGo:
    """US dollars for a million tokens."""

    input: float
    cached_input: float
    output: float

    def usd(self, request: Recorded) -> float:
        """What a request costs that spills."""
        uncached = request.prompt - request.cached
        told = uncached * self.input + request.cached * self.cached_input
        return (told + request.output * self.output) / _MILLION


@dataclass(frozen=True, slots=True)
class Term:
    """How PTUs are paid for: by the hour, or reserved for a month or a year."""

    name: str
    usd_per_ptu_hour: float


@dataclass(frozen=True, slots=True)
class Days:
    """What each request would cost that spills, summed up by the day (UTC) that it began on."""

    usd: tuple[float, ...]
    number: tuple[int, ...]
    """By request, which of the days it is in."""
    count: int

    @classmethod
    def of(cls, traffic: Weighed, price: PayGo) -> Days:
        """Of a traffic that is in order; days between its first and last without any count, too."""
        first = int(traffic.requests[0].at // _DAY_S)
        number = tuple(int(each.at // _DAY_S) - first for each in traffic.requests)
        return cls(tuple(price.usd(each) for each in traffic.requests), number, number[-1] + 1)

    def spilled(self, replayed: Replayed) -> list[float]:
        """US dollars by day for what the PTUs did not serve."""
        by_day = [0.0] * self.count
        for usd, day, served in zip(self.usd, self.number, replayed.served, strict=True):
            if not served:
                by_day[day] += usd
        return by_day


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one number of PTUs for the whole period, US dollars; `by_day` is spilling and PTUs."""

    ptus: int
    ptu_usd: float
    spill_usd: float
    by_day: tuple[float, ...]

    @property
    def usd(self) -> float:
        return self.ptu_usd + self.spill_usd


def cost(replayed: Replayed, days: Days, term: Term) -> Cost:
    """PTUs are paid for through every hour of every day, whether they work or not."""
    spilled = days.spilled(replayed)
    a_day = replayed.ptus * term.usd_per_ptu_hour * 24
    by_day = tuple(a_day + usd for usd in spilled)
    return Cost(replayed.ptus, a_day * days.count, sum(spilled), by_day)


def best(costs: Sequence[Cost]) -> Cost:
    """The cheapest; of equals that with fewest PTUs."""
    return min(costs, key=lambda each: (each.usd, each.ptus))


def confidence(costs: Sequence[Cost], *, resamples: int, seed: int) -> Mapping[int, float]:
    """By number of PTUs, in what part of resampled periods it was the best.

    A period is made of as many days, drawn with replacement from those that there were (Efron's
    bootstrap, 1979, over days: hours of one day belong together).
    """
    days, draw = range(len(costs[0].by_day)), Random(seed)  # noqa: S311  # a statistic
    won: dict[int, int] = {}
    for _ in range(resamples):
        drawn = draw.choices(days, k=len(days))
        sums = [(sum(each.by_day[day] for day in drawn), each.ptus) for each in costs]
        ptus = min(sums)[1]
        won[ptus] = won.get(ptus, 0) + 1
    return {ptus: count / resamples for ptus, count in sorted(won.items())}


def break_even(replayed: Replayed, traffic: Weighed, days: Days, term: Term) -> float | None:
    """The utilisation from which on these PTUs cost less than what they serve would as PAYGO.

    None where they never do: where even full they cost more. 1.0 is all of their capacity.
    """
    capacity = replayed.rate * days.count * _DAY_S
    used = replayed.used(traffic)
    if not used or not capacity:
        return None
    saved = sum(u for u, served in zip(days.usd, replayed.served, strict=True) if served)
    ptu_usd = replayed.ptus * term.usd_per_ptu_hour * 24 * days.count
    needed = ptu_usd / (saved / used) / capacity
    return needed if needed <= 1 else None
