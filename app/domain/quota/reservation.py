"""What a request takes from its tenant's account before it runs, and what it has cost after.

Structs, because every request has one of each: frozen dataclasses take several times as long. They
are made of what is there before them, and so in no cycle that a collector would have to look for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final

import msgspec
from msgspec.structs import replace

from app.domain.quota.calendar import CalendarWindow
from app.domain.quota.limit import BUDGETS, SPILLED, Kind, Limit, Measure, Mode

#: The number of that part of a lease which nobody used: it is given back, requests too.
UNUSED: Final = 0
_LIVE: Final = Kind.LIVE
_TOKENS: Final = Measure.TOKENS
_NANO_USD: Final = Measure.NANO_USD
_MEASURES: Final = tuple(Measure)  # as in `Amounts`


class Amounts(msgspec.Struct, frozen=True, gc=False):
    """How much, in every measure."""

    requests: int = 0
    tokens: int = 0
    nano_usd: int = 0

    def of(self, measure: Measure) -> int:
        """The amount in one measure."""
        if measure is _TOKENS:
            return self.tokens
        return self.nano_usd if measure is _NANO_USD else self.requests


def by_limit(limits: Sequence[Limit]) -> Callable[[Sequence[int]], tuple[int, ...]]:
    """What gives each limit the one of three numbers, in the order of `Amounts`, of its measure.

    Two more numbers follow, so that it is a tuple of one limit or none, too.
    """
    return itemgetter(*(_MEASURES.index(limit.measure) for limit in limits), 0, 0)


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A reservation asked for; `id` makes asking twice the same as asking once.

    `aside`: it counts in no concurrency.

    `days` and `months` are those around now in the tenant's time zone: the account's clock picks.
    """

    id: str
    tenant: str
    scopes: tuple[str, ...]
    amounts: Amounts
    limits: tuple[Limit, ...]
    days: tuple[CalendarWindow, ...]
    months: tuple[CalendarWindow, ...]
    draft: bytes = b"{}"  # the ledger row, should the reservation expire
    aside: bool = False

    def need(self, limit: Limit) -> int:
        """What it takes of a limit."""
        amounts, measure = self.amounts, limit.measure
        if measure is _TOKENS:
            return amounts.tokens
        if measure is _NANO_USD:
            return amounts.nano_usd
        return 1 if limit.kind is _LIVE else amounts.requests

    def within(self, limits: tuple[Limit, ...]) -> Ask:
        """The same, within further limits, whose scopes it counts in, too."""
        scopes = dict.fromkeys((*self.scopes, *(limit.scope for limit in limits)))
        return replace(self, scopes=tuple(scopes), limits=(*self.limits, *limits))

    def measuring(self, limits: tuple[Limit, ...]) -> Ask:
        """The same, within further limits and the tenant's budgets, and apart from its rates.

        Whoever measures takes no request's place: neither in a window nor in concurrency.
        """
        budgets = tuple(limit for limit in self.limits if limit.kind in BUDGETS)
        return replace(self, limits=budgets, aside=True).within(limits)

    def at(self, days: tuple[CalendarWindow, ...], months: tuple[CalendarWindow, ...]) -> Ask:
        """The same at another time."""
        return replace(self, days=days, months=months)


class Part(msgspec.Struct, frozen=True, gc=False):
    """What was granted of a lease, by the lease's name; each number is another part of it."""

    lease: str
    number: int


class Reservation(msgspec.Struct, frozen=True, gc=False):
    """What was granted: `left` is what remains of each limit of the ask.

    `generation` is the account's when it was granted; a flushed account has another. `hour` is None
    where an older version granted it, or nothing is charged: it then counts in no hour.
    """

    ask: Ask
    generation: str
    day: CalendarWindow
    month: CalendarWindow
    left: tuple[int, ...] = ()
    over: tuple[int, ...] = ()  # indices of limits that it went over, none of them hard
    degraded: str | None = None  # the policy in force because the account was out of reach
    hour: CalendarWindow | None = None
    at_ms: int = 0  # when the account took it, by its clock (Unix time); 0: it is not known
    part: Part | None = None  # of a lease; None: it has a hold of its own

    @property
    def flags(self) -> tuple[str, ...]:
        """What the ledger says about it, such as `soft:tpm`."""
        limits = self.ask.limits
        over = (f"{limits[index].mode}:{limits[index].name}" for index in self.over)
        return (*over, *(("degraded",) if self.degraded else ()))

    @property
    def may_spill(self) -> bool:
        """Whether what leaving its first tier may cost is held for it."""
        limits = self.ask.limits
        return not self.over or all(limits[index].mode is not Mode.SPILL for index in self.over)

    def window(self, kind: Kind) -> CalendarWindow:
        """The calendar window that its budgets of this kind count in; of any other the day."""
        known = {Kind.HOUR: self.hour, Kind.MONTH: self.month}.get(kind)
        return known or self.day

    @property
    def spills_again(self) -> int:
        """When the last of its used up spill budgets begins anew: Unix time in milliseconds."""
        spent = (self.ask.limits[index] for index in self.over)
        ends = (self.window(each.kind).ends for each in spent if each.mode is Mode.SPILL)
        return max(ends, default=0)

    @property
    def scopes_held(self) -> tuple[str, ...]:
        """The scopes that it was taken in."""
        return self.ask.scopes if self.may_spill else self.scopes_charged(spilled=False)

    def scopes_charged(self, *, spilled: bool) -> tuple[str, ...]:
        """The scopes that its charge counts in; `spilled`: it was served outside its first tier."""
        scopes = self.ask.scopes
        if (SPILLED in scopes) is spilled:
            return scopes
        return (*scopes, SPILLED) if spilled else tuple(s for s in scopes if s != SPILLED)

    @property
    def soft(self) -> tuple[str, ...]:
        """The names of the soft limits that it went over."""
        limits = (self.ask.limits[index] for index in self.over)
        return tuple(limit.name.value for limit in limits if limit.mode is Mode.SOFT)


class Charge(msgspec.Struct, frozen=True, gc=False):
    """What a reservation is settled with; all zero gives everything back."""

    actual: Amounts
    row: bytes  # the ledger row, written in the same step; empty: there is none
    spilled: bool = False  # served outside its first tier: charged in the scope of that, too


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Which limit had no room, and for how long (seconds); None: waiting is pointless."""

    limit: Limit
    used: int
    asked: int
    wait_s: float | None

    @property
    def is_budget(self) -> bool:
        """Whether what is used up is a budget rather than a rate."""
        return self.limit.kind in BUDGETS
