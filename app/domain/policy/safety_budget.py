"""How often a classifier of content may be called, and for how much money a day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from app.domain.policy.safety import Unchecked

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class SafetyBounds:
    """Of one worker; no tenant has more than `tenant_part` of either."""

    calls_per_s: float = 50.0
    usd_per_day: float = 10.0
    tenant_part: float = 1.0


@dataclass(frozen=True, slots=True)
class SafetyExpense:
    """What a verdict takes, and for whom."""

    tenant: str
    calls: int
    usd: float


@dataclass(slots=True)
class _Purse:
    """A bucket of calls that fills each second, and dollars of the day."""

    at: float
    calls: float
    usd: float = 0.0

    def refusal(self, asked: SafetyExpense, most: SafetyBounds, now: float) -> Unchecked | None:
        """Why there is not enough in it, by now."""
        full = _full(asked, most)
        self.calls = min(full, self.calls + (now - self.at) * most.calls_per_s)
        self.at = now
        if self.usd + asked.usd > most.usd_per_day:
            return Unchecked.BUDGET
        return Unchecked.RATE if self.calls < asked.calls else None

    def take(self, asked: SafetyExpense) -> None:
        """Take it."""
        self.calls -= asked.calls
        self.usd += asked.usd


@dataclass(slots=True)
class SafetyBudget:
    """Of one worker: what all tenants have together, and each of its own where that is less."""

    _all: _Purse | None = None
    _own: dict[str, _Purse] = field(default_factory=dict)
    _day: int = 0

    @property
    def spent_usd(self) -> float:
        """Of the day that was asked for last."""
        return 0.0 if self._all is None else self._all.usd

    def take(
        self, asked: SafetyExpense, bounds: SafetyBounds, *, now: float, unix: float
    ) -> Unchecked | None:
        """Take it, all or none; why not. `now` is monotonic, `unix` tells the day.

        As many calls as a second's may be made at once, and always those of one request.
        """
        self._begin_day(int(unix // _DAY_S))
        if self._all is None:
            self._all = _Purse(now, _full(asked, bounds))
        purses = [(self._all, bounds)]
        if bounds.tenant_part < 1:
            part = _part_of(bounds)
            new = _Purse(now, _full(asked, part))
            purses.append((self._own.setdefault(asked.tenant, new), part))
        refusals = [purse.refusal(asked, most, now) for purse, most in purses]
        reason = next((each for each in refusals if each is not None), None)
        if reason is None:
            for purse, _ in purses:
                purse.take(asked)
        return reason

    def _begin_day(self, day: int) -> None:
        if day != self._day:
            self._day = day
            self._own.clear()
            if self._all is not None:
                self._all.usd = 0.0


def _full(asked: SafetyExpense, bounds: SafetyBounds) -> float:
    return max(bounds.calls_per_s, float(asked.calls))


def _part_of(bounds: SafetyBounds) -> SafetyBounds:
    part = bounds.tenant_part
    return SafetyBounds(bounds.calls_per_s * part, bounds.usd_per_day * part)
