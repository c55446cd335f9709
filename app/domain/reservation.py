"""What a request takes from its tenant's account before it runs, and what it has cost after."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.domain.calendar import CalendarWindow
from app.domain.limit import BUDGETS, Limit, Measure, Mode


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much, in every measure."""

    requests: int = 0
    tokens: int = 0
    nano_usd: int = 0

    def of(self, measure: Measure) -> int:
        """The amount in one measure."""
        amount: int = getattr(self, measure.value)
        return amount


@dataclass(frozen=True, slots=True)
class Ask:
    """A reservation asked for; `id` makes asking twice the same as asking once.

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

    def at(self, days: tuple[CalendarWindow, ...], months: tuple[CalendarWindow, ...]) -> Ask:
        """The same at another time."""
        return replace(self, days=days, months=months)


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was granted: `left` is what remains of each limit of the ask.

    `generation` is the account's when it was granted; a flushed account has another.
    """

    ask: Ask
    generation: str
    day: CalendarWindow
    month: CalendarWindow
    left: tuple[int, ...] = ()
    over: tuple[int, ...] = ()  # indices of soft and shadow limits that it went over
    degraded: str | None = None  # the policy in force because the account was out of reach

    @property
    def flags(self) -> tuple[str, ...]:
        """What the ledger says about it, such as `soft:tpm`."""
        limits = self.ask.limits
        over = (f"{limits[index].mode}:{limits[index].name}" for index in self.over)
        return (*over, *(("degraded",) if self.degraded else ()))

    @property
    def soft(self) -> tuple[str, ...]:
        """The names of the soft limits that it went over."""
        limits = (self.ask.limits[index] for index in self.over)
        return tuple(limit.name.value for limit in limits if limit.mode is Mode.SOFT)


@dataclass(frozen=True, slots=True)
class Charge:
    """What a reservation is settled with; all zero gives everything back."""

    actual: Amounts
    row: bytes  # the ledger row, written in the same step


@dataclass(frozen=True, slots=True)
class Refusal:
    """Which limit had no room, and for how long (seconds); None: waiting is pointless."""

    limit: Limit
    used: int
    asked: int
    wait_s: float | None

    @property
    def is_budget(self) -> bool:
        """Whether what is used up is a budget rather than a rate."""
        return self.limit.kind in BUDGETS
