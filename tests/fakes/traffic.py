"""Hours of tenants as they are: offices by day, sites around the clock, nightly batches."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from app.domain.quota.anomaly import HOUR_S, slot_of
from app.domain.quota.reservation import Amounts

BERLIN = ZoneInfo("Europe/Berlin")
#: A Monday.
FIRST_HOUR = int(datetime(2026, 8, 3, tzinfo=UTC).timestamp()) // HOUR_S
WEEK = 168

#: Requests of an hour of the week.
Level = Callable[[int], float]


def office(slot: int) -> float:
    """Two humps on working days."""
    day, hour = divmod(slot, 24)
    humps = 400 * math.exp(-(((hour - 10.5) / 3) ** 2)) + 300 * math.exp(
        -(((hour - 15) / 2.5) ** 2)
    )
    return 3 if day > 4 else 5 + humps


def site(slot: int) -> float:
    """More by day than by night, on all days."""
    return 200 + 150 * math.sin((slot % 24 - 9) / 24 * 2 * math.pi)


def batch(slot: int) -> float:
    """Once a night."""
    return 3000 if slot % 24 == 2 else 0.2


def quiet(_: int) -> float:
    """A request now and then."""
    return 0.3


LEVELS: dict[str, Level] = {"office": office, "site": site, "batch": batch, "quiet": quiet}


@dataclass(frozen=True, slots=True)
class Traffic:
    """`noise` is the standard deviation of the logarithm of what is asked, hour by hour alike."""

    level: Level
    zone: tzinfo = BERLIN
    noise: float = 0.3
    seed: int = 1

    def hours(self, weeks: int, first: int = FIRST_HOUR) -> list[Amounts]:
        """So many weeks of it."""
        chance, drift, found = random.Random(self.seed), 0.0, []
        for hour in range(first, first + weeks * WEEK):
            drift = 0.7 * drift + chance.gauss(0, self.noise * math.sqrt(1 - 0.49))
            wanted = self.level(slot_of(hour, self.zone)) * math.exp(drift)
            found.append(_asked(wanted, chance))
        return found


def _asked(wanted: float, chance: random.Random) -> Amounts:
    requests = max(0, round(chance.gauss(wanted, math.sqrt(wanted))))
    some = min(requests, 50)
    tokens = sum(chance.lognormvariate(7.5, 0.8) for _ in range(some)) * requests / max(1, some)
    return Amounts(requests, int(tokens), int(tokens) * 5000)
