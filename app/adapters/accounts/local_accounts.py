"""Accounts in one worker's memory: what it may grant while the shared ones are out of reach.

A worker grants its share of each limit, a part of it divided by the workers that were last seen,
so that all of them together go over a limit by that part at most, in each of its windows.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from dataclasses import replace as with_changes
from typing import Final

from msgspec.structs import replace

from app.domain.quota.calendar import CalendarWindow, hour_of
from app.domain.quota.limit import Kind, Limit, LimitName, Measure, Mode
from app.domain.quota.reservation import Amounts, Ask, Refusal, Reservation
from app.ports import Clock

#: How long to wait for another request to end, seconds.
_LIVE_WAIT_S: Final = 1.0

Account = tuple[str, str]  # tenant and scope


class LocalAccounts:
    """Limits of one process; nothing is awaited, so nothing comes between check and taking."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._live: Counter[Account] = Counter()
        # By name, as in Redis: neither another share nor another amount is an empty window.
        self._windows: dict[tuple[Account, LimitName], deque[tuple[float, int]]] = {}
        self._totals: defaultdict[CalendarWindow, Counter[tuple[Account, Measure]]]
        self._totals = defaultdict(Counter)
        self._held: dict[str, Reservation] = {}

    def reserve(self, ask: Ask, share: float | None, policy: str) -> Reservation | Refusal:
        """Grant within `share` of each limit (0 to 1); None checks nothing and only counts."""
        if ask.id in self._held:
            return self._held[ask.id]
        granted = self._granted(ask, policy)
        self._forget_ended()
        limits = () if share is None else tuple(_scaled(limit, share) for limit in ask.limits)
        over: list[int] = []
        for index, limit in enumerate(limits):
            refusal = self._refusal(granted, limit)
            if refusal is not None and limit.mode is Mode.HARD:
                return replace(refusal, limit=ask.limits[index])
            if refusal is not None:
                over.append(index)
        granted = replace(granted, over=tuple(over))
        self._take(granted, limits)
        return granted

    def settle(self, reservation: Reservation, actual: Amounts, *, spilled: bool = False) -> None:
        """Count what was used instead of what was held; once."""
        if self._held.pop(reservation.ask.id, None) is None:
            return
        held, charged = reservation.scopes_held, reservation.scopes_charged(spilled=spilled)
        self._add(reservation, held, reservation.ask.amounts, -1)
        self._add(reservation, charged, actual, 1)
        for scope in held if not reservation.ask.aside else ():
            self._live[reservation.ask.tenant, scope] -= 1
        self._live = +self._live

    @property
    def granted(self) -> int:
        """Reservations that are not settled yet."""
        return len(self._held)

    def _granted(self, ask: Ask, policy: str) -> Reservation:
        day, month = self._current(ask.days), self._current(ask.months)
        hour = hour_of(day, self._clock.unix())
        return Reservation(ask, f"local:{policy}", day, month, degraded=policy, hour=hour)

    def _current(self, windows: tuple[CalendarWindow, ...]) -> CalendarWindow:
        now = self._clock.unix() * 1000
        return next(each for each in windows if each.starts <= now < each.ends)

    def _refusal(self, granted: Reservation, limit: Limit) -> Refusal | None:
        ask, window = granted.ask, granted.window(limit.kind)
        need = 1 if limit.kind is Kind.LIVE else ask.amounts.of(limit.measure)
        used = self._used((ask.tenant, limit.scope), limit, window)
        if need == 0 or used + need <= limit.amount:
            return None
        if need > limit.amount:
            return Refusal(limit, used, need, wait_s=None)
        if limit.kind is Kind.LIVE:
            return Refusal(limit, used, need, _LIVE_WAIT_S)
        if limit.kind is Kind.WINDOW:
            excess = used + need - limit.amount
            return Refusal(limit, used, need, self._wait((ask.tenant, limit.scope), limit, excess))
        return Refusal(limit, used, need, window.ends / 1000 - self._clock.unix())

    def _used(self, account: Account, limit: Limit, window: CalendarWindow) -> int:
        if limit.kind is Kind.LIVE:
            return self._live[account]
        if limit.kind is Kind.WINDOW:
            return sum(amount for _, amount in self._window(account, limit))
        return self._totals[window][account, limit.measure]

    def _window(self, account: Account, limit: Limit) -> deque[tuple[float, int]]:
        """What was taken in the last `window_ms`, oldest first."""
        kept = self._windows.setdefault((account, limit.name), deque())
        oldest = self._clock.now() - limit.window_ms / 1000
        while kept and kept[0][0] <= oldest:
            kept.popleft()
        return kept

    def _wait(self, account: Account, limit: Limit, excess: int) -> float:
        for taken_at, amount in self._window(account, limit):
            excess -= amount
            if excess <= 0:
                return taken_at + limit.window_ms / 1000 - self._clock.now()
        return limit.window_ms / 1000

    def _take(self, granted: Reservation, limits: tuple[Limit, ...]) -> None:
        ask = granted.ask
        self._held[ask.id] = granted
        self._add(granted, granted.scopes_held, ask.amounts, 1)
        for scope in granted.scopes_held if not ask.aside else ():
            self._live[ask.tenant, scope] += 1
        for limit in limits:
            if limit.kind is Kind.WINDOW:
                taken = (self._clock.now(), ask.amounts.of(limit.measure))
                self._window((ask.tenant, limit.scope), limit).append(taken)

    def _add(
        self, reservation: Reservation, scopes: tuple[str, ...], amounts: Amounts, sign: int
    ) -> None:
        for window in filter(None, (reservation.hour, reservation.day, reservation.month)):
            for scope in scopes:
                for measure in Measure:
                    account = (reservation.ask.tenant, scope)
                    self._totals[window][account, measure] += sign * amounts.of(measure)

    def _forget_ended(self) -> None:
        now_ms = self._clock.unix() * 1000
        for window in [each for each in self._totals if each.ends < now_ms]:
            del self._totals[window]


def _scaled(limit: Limit, share: float) -> Limit:
    return with_changes(limit, amount=int(limit.amount * share))
