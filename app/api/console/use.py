"""What tenants have used and have left of their limits, from the accounts that requests meet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from app.api.console.services import ConsoleServices
from app.domain.identity.directory import TenantEntry
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import NANO, Limit, LimitRule, Measure, limit_of
from app.errors import StoreUnavailable


@dataclass(frozen=True, slots=True)
class Use:
    """A limit, in requests, tokens or dollars; `used` None where nobody can tell now.

    `rule` is the one that somebody set; None where a spill policy made it.
    """

    limit: Limit
    used_units: int | None
    rule: LimitRule | None = None

    @property
    def amount(self) -> float:
        """What it allows."""
        return _whole(self.limit.amount, self.limit.measure)

    @property
    def used(self) -> float | None:
        """Used and held."""
        units = self.used_units
        return None if units is None else _whole(units, self.limit.measure)

    @property
    def left(self) -> float | None:
        """What is left of it."""
        return None if self.used is None else max(0.0, self.amount - self.used)

    @property
    def part(self) -> float:
        """How much of it is used; 1 is all."""
        units, amount = self.used_units or 0, self.limit.amount
        return units / amount if amount else 1.0

    @property
    def is_money(self) -> bool:
        """Whether it is in dollars."""
        return self.limit.measure is Measure.NANO_USD


async def uses_of(services: ConsoleServices, entry: TenantEntry) -> list[Use]:
    """Of every limit of a tenant: its own, its keys' and models', and of its spill policy."""
    now, zone = services.admin.clock.unix(), ZoneInfo(entry.time_zone)
    limits = [limit_of(rule, now) for rule in entry.limits]
    spill = entry.routing.spill_limits
    rules: list[LimitRule | None] = [*entry.limits, *(None for _ in spill)]
    every = (*limits, *spill)
    if not every:
        return []
    used: Sequence[int | None]
    try:
        used = await services.accounts.read(
            entry.name, every, days_around(now, zone), months_around(now, zone)
        )
    except StoreUnavailable:
        used = [None] * len(every)
    return [Use(*each) for each in zip(every, used, rules, strict=True)]


async def fullest_of(
    services: ConsoleServices, entries: Sequence[TenantEntry]
) -> dict[str, Use | None]:
    """By tenant the limit of which most is used; None where it has none."""
    found = await asyncio.gather(*(uses_of(services, entry) for entry in entries))
    return {
        entry.name: max(uses, key=lambda use: use.part, default=None)
        for entry, uses in zip(entries, found, strict=True)
    }


def _whole(units: int, measure: Measure) -> float:
    return units / NANO if measure is Measure.NANO_USD else float(units)
