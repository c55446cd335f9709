"""A pay-as-you-go deployment's counters, as far as they can be known from outside.

Azure adds an estimate (prompt and output cap) to a counter that begins anew each minute, and counts
calls in windows of 1 or 10 seconds; refused calls count, too (quota page, 2026-09). What its
`x-ratelimit-*` headers say corrects the counters; what they do not say, or say as -1, changes
nothing. An effective limit below the configured one, as on a busy day, is taken from them as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Final

from app.domain.capacity.capacity import CapacityTold, WindowTold
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.peers import DeploymentNews, Peers
from app.domain.capacity.room import Room
from app.domain.capacity.spill import SpillReason
from app.domain.capacity.wait import Wait

TOKENS_WINDOW_S: Final = 60.0
CALLS_WINDOW_S: Final = 10.0
#: A limit is told again by every answer; so long without one, the configured one holds again.
_TOLD_FOR_S: Final = 3600.0
_PREDICTED, _NONE = SpillReason.PREDICTED, SpillReason.NONE


@dataclass(frozen=True, slots=True)
class PaygoCapacity:
    """Tokens and requests per minute; None where none is configured."""

    tpm: int | None = None
    rpm: int | None = None


@dataclass(frozen=True, slots=True)
class Lowered:
    """Tokens a minute that Azure lets in for now, and those that are configured."""

    tpm: int
    configured_tpm: int


class _Window:
    """One counter; it begins with the first request after its end.

    What is known of it holds until it is `due`; then it is renewed before it is looked at.
    """

    __slots__ = ("_configured", "_length", "_told_until", "due", "ends", "limit", "used")

    def __init__(self, configured: float, length_s: float) -> None:
        self._configured = self.limit = configured
        self._length = length_s
        self._told_until = inf  # when the configured limit holds again; inf: it does
        self.used = 0.0
        self.ends = self.due = -inf

    def renew(self, now: float) -> None:
        if now >= self.ends:
            self.used, self.ends = 0.0, now + self._length
        if now >= self._told_until:
            self._forget_limit()
        self.due = min(self.ends, self._told_until)

    def add(self, amount: float, now: float) -> None:
        if now >= self.due:
            self.renew(now)
        used = self.used + amount
        self.used = used if used > 0 else 0.0

    def limit_at(self, now: float) -> float:
        return self.limit if now < self._told_until else self._configured

    def told(self, told: WindowTold, now: float) -> None:
        if told.limit is not None and self._length == TOKENS_WINDOW_S:
            self.limit, self._told_until = told.limit, now + _TOLD_FOR_S
        elif now >= self._told_until:
            self._forget_limit()
        if told.reset_s is not None and 0 < told.reset_s <= self._length:
            self.ends = now + told.reset_s
            self.due = min(self.ends, self._told_until)
        if told.remaining is not None and self.limit < inf:
            self.used = max(self.used, self.limit - told.remaining)

    def _forget_limit(self) -> None:
        self.limit, self._told_until = self._configured, inf


class Paygo:
    """`now` is seconds of one clock that never runs backwards.

    It is the place of all requests, too: what they add to the counters stays there until those
    begin anew, so that there is nothing to be known of each.
    """

    __slots__ = ("_calls", "_configured_tpm", "_news", "_peers", "_tokens")

    def __init__(self, capacity: PaygoCapacity, *, peers: Peers | None = None) -> None:
        """`peers`: what was counted before a reload."""
        calls = inf if capacity.rpm is None else capacity.rpm * CALLS_WINDOW_S / 60
        self._configured_tpm = capacity.tpm
        self._tokens = _Window(inf if capacity.tpm is None else capacity.tpm, TOKENS_WINDOW_S)
        self._calls = _Window(calls, CALLS_WINDOW_S)
        self._peers = Peers() if peers is None else peers
        self._news: DeploymentNews | None = None

    def room(self, _load: Load, now: float) -> Room:
        """When neither counter is used up."""
        tokens, calls = self._tokens, self._calls
        if now >= tokens.due:
            tokens.renew(now)
        if now >= calls.due:
            calls.renew(now)
        used, limit = tokens.used, tokens.limit
        part = used / limit if limit else 0.0
        if used < limit and calls.used < calls.limit:
            return Room(now, _NONE, part, firm=False)
        at = now if used < limit else tokens.ends
        if calls.used >= calls.limit and calls.ends > at:
            at = calls.ends
        return Room(at, _PREDICTED, part, firm=False)

    def take(self, load: Load, now: float) -> Paygo:
        """Count a request."""
        demand, tokens, calls = load.demand, self._tokens, self._calls
        if now >= tokens.due:
            tokens.renew(now)
        if now >= calls.due:
            calls.renew(now)
        taken = demand.prompt + demand.output
        tokens.used += taken
        calls.used += 1
        self._peers.add(taken)
        news = self._news
        if news is None:
            news = self._news = DeploymentNews()
        news.calls += 1
        return self

    def accepted(self, told: CapacityTold, now: float) -> None:
        """A request was let in."""
        windows = told.windows
        if not windows:
            return
        tokens, calls = windows.get("tokens"), windows.get("requests")
        if tokens is not None:
            self._tokens.told(tokens, now)
        if calls is not None:
            self._calls.told(calls, now)

    def refused(self, told: CapacityTold, _wait: Wait | None, now: float) -> None:
        """One was refused, and counts all the same; the deployment is held for the wait."""
        self.accepted(told, now)

    def settle(self, used: Demand | None, now: float) -> None:
        """Azure corrects nothing here."""

    def utilization(self, now: float) -> float:
        """The used part of the minute's tokens; 0 where no limit is known."""
        tokens = self._tokens
        if now >= tokens.due:
            tokens.renew(now)
        return tokens.used / tokens.limit if tokens.limit else 0.0

    def lowered(self, now: float) -> Lowered | None:
        """What Azure lets in where that is less than configured: a temporary adjustment."""
        configured, limit = self._configured_tpm, self._tokens.limit_at(now)
        return Lowered(int(limit), configured) if configured and limit < configured else None

    def news(self, _now: float) -> DeploymentNews | None:
        """What other replicas should know since this was last asked."""
        news, self._news = self._news, None
        if news is not None:
            self._peers.tell(news)
        return news

    def hear(self, sender: str, news: DeploymentNews, now: float) -> None:
        """What another replica sent there."""
        change = self._peers.hear(sender, news, now)
        self._tokens.add(change.taken - change.returned, now)
        self._calls.add(news.calls, now)


def estimate(demand: Demand) -> int:
    """What Azure counts before a request runs: cached tokens are no discount."""
    return demand.prompt + demand.output
