"""How far an hour's usage is from what a tenant's hours are like, in robust standard deviations.

Like hours are those of the same hour of the week in the tenant's time zone. Median and MAD (the
median of the distances from it) take no notice of single hours, so that one spike does not hide
the next. A MAD of few values is too small by chance; the factors for that are those of Croux and
Rousseeuw (1992).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from functools import lru_cache
from statistics import median
from types import MappingProxyType
from typing import Final

from app.domain.quota.limit import NANO
from app.domain.quota.reservation import Amounts

HOUR_S: Final = 3600
HOURS_OF_DAY: Final = 24
DAYS_OF_WEEK: Final = 7
HOURS_OF_WEEK: Final = DAYS_OF_WEEK * HOURS_OF_DAY
#: Makes the MAD of normally distributed values their standard deviation.
_NORMAL: Final = 1.4826
#: By how much it is too small, by the number of values.
_FEW: Final = (1.0, 1.0, 1.196, 1.495, 1.363, 1.206, 1.200, 1.140, 1.129, 1.107)
#: A deviation is at least this part of the median: half as much again is no anomaly at score 5.
_LEAST_PART: Final = 0.1
#: Zones whose hours are remembered.
_REMEMBERED: Final = 256


class UsageMeasure(StrEnum):
    """What is compared; a closed set."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    DOLLARS = "dollars"


#: What an hour must at least have more than usual to be told of; dollars are US dollars.
LEAST: Final[Mapping[UsageMeasure, float]] = MappingProxyType(
    {UsageMeasure.REQUESTS: 200.0, UsageMeasure.TOKENS: 500_000.0, UsageMeasure.DOLLARS: 5.0}
)


class History(StrEnum):
    """What an hour is compared with; a closed set."""

    WEEK = "hour_of_week"
    DAY = "hour_of_day"


@dataclass(frozen=True, slots=True)
class AnomalyRules:
    """From which score on an hour is told of, and what it is compared with.

    `least` is as in `LEAST`. With fewer weeks than `least_history_weeks`, hours of the day are
    compared.
    """

    score: float = 5.0
    history_weeks: int = 8
    least_history_weeks: int = 3
    least: Mapping[UsageMeasure, float] = field(default_factory=lambda: LEAST)


@dataclass(frozen=True, slots=True)
class Usual:
    """What like hours come to, and what is called one deviation from it."""

    centre: float
    spread: float

    def score(self, value: float) -> float:
        """How many deviations it is off."""
        return (value - self.centre) / self.spread


@dataclass(frozen=True, slots=True)
class Expectation:
    """What an hour should come to: by like hours, and by those that are an hour beside them.

    Whoever begins an hour earlier, or goes by another clock when summer time begins, is none.
    """

    usual: Usual
    beside: tuple[Usual, ...]
    history: History
    samples: int

    def score(self, value: float) -> float:
        """How many deviations it is off, by the nearest; negative where it is less than usual."""
        scores = [each.score(value) for each in (self.usual, *self.beside)]
        if min(scores) < 0 < max(scores):
            return 0.0  # between two that are usual
        return min(scores, key=abs)


def expectations(
    before: Sequence[Amounts], hour: int, zone: tzinfo, rules: AnomalyRules
) -> dict[UsageMeasure, Expectation]:
    """What an hour (Unix time in hours) should come to; nothing for what too little is known of.

    `before` are the tenant's hours up to it, oldest first, none left out.
    """
    slots = _slots(hour - len(before), len(before), zone)
    found: dict[UsageMeasure, Expectation] = {}
    for measure in UsageMeasure:
        values = [value_of(each, measure) for each in before]
        floor = rules.least[measure] / rules.score
        hours = _LikeHours(values, slots, floor)
        if (expected := hours.expectation(slot_of(hour, zone), rules)) is not None:
            found[measure] = expected
    return found


def value_of(amounts: Amounts, measure: UsageMeasure) -> float:
    """In requests, tokens or US dollars."""
    if measure is UsageMeasure.DOLLARS:
        return amounts.nano_usd / NANO
    return float(amounts.requests if measure is UsageMeasure.REQUESTS else amounts.tokens)


def slot_of(hour: int, zone: tzinfo) -> int:
    """Which hour of the week it is there, from 0 (Monday, midnight) to 167."""
    local = datetime.fromtimestamp(hour * HOUR_S, zone)
    return local.weekday() * HOURS_OF_DAY + local.hour


@lru_cache(_REMEMBERED)
def _slots(first: int, count: int, zone: tzinfo) -> tuple[int, ...]:
    return tuple(slot_of(hour, zone) for hour in range(first, first + count))


@dataclass(frozen=True, slots=True)
class _LikeHours:
    """Hours of one measure with their places in the week; `floor` is the least deviation."""

    values: Sequence[float]
    slots: Sequence[int]
    floor: float

    def expectation(self, slot: int, rules: AnomalyRules) -> Expectation | None:
        weekly = self._by(HOURS_OF_WEEK, History.WEEK, slot, rules.least_history_weeks)
        return weekly or self._by(HOURS_OF_DAY, History.DAY, slot, DAYS_OF_WEEK)

    def _by(self, cycle: int, history: History, slot: int, least: int) -> Expectation | None:
        groups: dict[int, list[float]] = {}
        for value, its_slot in zip(self.values, self.slots, strict=True):
            groups.setdefault(its_slot % cycle, []).append(value)
        here = groups.get(slot % cycle, [])
        if len(here) < least:
            return None
        part = max(_LEAST_PART, _usual_part(list(groups.values())))
        beside = [groups.get((slot + shift) % cycle) for shift in (-1, 1)]
        return Expectation(
            self._usual(here, part),
            tuple(self._usual(values, part) for values in beside if values),
            history,
            len(here),
        )

    def _usual(self, values: Sequence[float], part: float) -> Usual:
        centre = median(values)
        spread = _NORMAL * _deviation(values, centre)
        return Usual(centre, max(spread, part * centre, self.floor))


def _usual_part(groups: Sequence[Sequence[float]]) -> float:
    """How far busy hours are from their like, as a part of these: more than one group can tell."""
    centres = [(median(values), values) for values in groups]
    busy = sorted(centre for centre, _ in centres if centre > 0)
    if not busy:
        return 0.0
    least = busy[len(busy) // 2]
    parts = [
        abs(value - centre) / centre * _few(len(values))
        for centre, values in centres
        if centre >= least
        for value in values
    ]
    return _NORMAL * median(parts)


def _deviation(values: Sequence[float], centre: float) -> float:
    return median(abs(value - centre) for value in values) * _few(len(values))


def _few(count: int) -> float:
    return _FEW[count] if count < len(_FEW) else count / (count - 0.8)


@dataclass(frozen=True, slots=True)
class Deviation:
    """One measure of an hour, in requests, tokens or US dollars; `usual` is the median."""

    measure: UsageMeasure
    score: float
    value: float
    usual: float
    history: History
    samples: int


@dataclass(frozen=True, slots=True)
class HourFound:
    """A tenant's hour (Unix time in hours) beside what it should come to."""

    tenant: str
    hour: int
    under_way: bool
    deviations: tuple[Deviation, ...]

    @property
    def highest(self) -> float:
        """The highest score of a measure; 0 where none is known."""
        return max((each.score for each in self.deviations), default=0.0)

    def is_told(self, rules: AnomalyRules) -> bool:
        """Whether somebody should know: some measure is far above what is usual."""
        return self.highest >= rules.score


@dataclass(frozen=True, slots=True)
class AnomalyReport:
    """When it was looked (Unix seconds; 0: never), and an hour of each tenant that is known."""

    at: float = 0.0
    hours: tuple[HourFound, ...] = ()


def deviations(
    amounts: Amounts, expected: Mapping[UsageMeasure, Expectation]
) -> tuple[Deviation, ...]:
    """What an hour comes to, beside what it should, by measure."""
    return tuple(
        Deviation(
            measure=measure,
            score=each.score(value_of(amounts, measure)),
            value=value_of(amounts, measure),
            usual=each.usual.centre,
            history=each.history,
            samples=each.samples,
        )
        for measure, each in expected.items()
    )
