"""How many attempts after errors the gateway can afford: asking again must not double an outage.

Each request pays for a part of a retry, and what is not used expires (Finagle: retry budgets, 20 %
and 10 s). So that a quiet gateway may retry, too, there is a reserve of a few concurrent retries
(Envoy: retry budget, minimum of 3). A reserve that only limits concurrency would allow any number
of fast failures one after the other; here its places come back only from retries that did not
fail, and all of them once anything is served. So while everything fails, retries are at most
0.2 for each request, and 3.

Moving on after a 429 to another pool of capacity is no retry and draws nothing.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_ONE: Final = 100  # a retry, in percent


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`percent` of a retry is paid for by each request and kept for `kept_s` seconds."""

    percent: int = 20
    reserve: int = 3
    kept_s: float = 10.0


class Draw(StrEnum):
    """What a retry was paid from."""

    DEPOSIT = "deposit"
    RESERVE = "reserve"


@dataclass(slots=True)
class _Deposit:
    """What the requests of one second paid and was not spent."""

    second: float
    percent: int = 0


class RetryBudget:
    """Of one process, for all its tenants and models; `now` never runs backwards."""

    __slots__ = ("_balance", "_deposits", "_lost", "_out", "policy")

    def __init__(self, policy: RetryPolicy | None = None) -> None:
        self.policy = policy or RetryPolicy()
        self._deposits: deque[_Deposit] = deque()
        self._balance = 0  # percent
        self._out = 0
        self._lost = 0

    def started(self, now: float) -> None:
        """A request came in; its attempts after errors are not further requests."""
        deposits, percent = self._deposits, self.policy.percent
        if deposits and now < deposits[-1].second + 1:
            deposits[-1].percent += percent
        else:
            self._expire(now)
            deposits.append(_Deposit(now // 1, percent))
        self._balance += percent

    def try_spend(self, now: float) -> Draw | None:
        """Pay for one more attempt after an error; None: there is nothing to pay it from.

        What is returned is to be given to `finished` once, whatever happens.
        """
        self._expire(now)
        if self._balance >= _ONE:
            self._withdraw()
            return Draw.DEPOSIT
        if self._out + self._lost < self.policy.reserve:
            self._out += 1
            return Draw.RESERVE
        return None

    def finished(self, draw: Draw, *, failed: bool) -> None:
        """The attempt ended; one that was given up, or throttled, has not failed."""
        if draw is Draw.RESERVE:
            self._out -= 1
            self._lost += failed

    def served(self) -> None:
        """Any request got its answer, at its first attempt or later: retries may help again."""
        self._lost = 0

    def left(self, now: float) -> float:
        """Retries that could begin now."""
        self._expire(now)
        return self._balance / _ONE + max(0, self.policy.reserve - self._out - self._lost)

    def _expire(self, now: float) -> None:
        while self._deposits and self._deposits[0].second <= now - self.policy.kept_s:
            self._balance -= self._deposits.popleft().percent

    def _withdraw(self) -> None:
        """The oldest first."""
        self._balance -= _ONE
        owed = _ONE
        while owed:
            oldest = self._deposits[0]
            part = min(owed, oldest.percent)
            oldest.percent -= part
            owed -= part
            if not oldest.percent:
                self._deposits.popleft()
