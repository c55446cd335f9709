"""A lease that a worker has, and how much is asked for of its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import add, attrgetter, sub
from typing import Final

from msgspec.structs import replace

from app.domain.quota.lease import LEASE_S, MANY, PERIOD_S, is_leasable
from app.domain.quota.reservation import UNUSED, Amounts, Ask, Part, Reservation, by_limit

#: Below this part of what was leased, the next lease is taken.
_LOW: Final = 0.5
#: There may be the one that is granted from, and the next.
AT_ONCE: Final = 2
_requests: Final = attrgetter("requests")


def nobody(*_told: object) -> None:
    """Where nobody watches."""


class Lease:
    """Granted as a whole by the account, and in parts from here.

    Attributes:
        settled: how many of its parts are.
        ends: when nothing is granted from it any more, by the monotonic clock.
        renewed_at: when it is time to take the next one: at once, where little is left.
        told: who is told of each of its parts.
    """

    __slots__ = (
        "_by_limit",
        "_heard",
        "_left",
        "_low",
        "_parts",
        "ends",
        "renewed_at",
        "settled",
        "told",
        "whole",
    )

    def __init__(
        self, whole: Reservation, ends: float, told: Callable[[Reservation], None] = nobody
    ) -> None:
        amounts = whole.ask.amounts
        self.whole = whole
        self.ends = ends
        self.renewed_at = ends - LEASE_S / 2
        self.settled = 0
        self.told = told
        self._parts = UNUSED
        self._left = self._heard = left = (amounts.requests, amounts.tokens, amounts.nano_usd)
        self._low = tuple(_LOW * each for each in left)
        self._by_limit = by_limit(whole.ask.limits)

    def part(self, ask: Ask) -> Reservation | None:
        """What is asked for, if so much is left; `left` counts what nobody has of the lease."""
        amounts, (requests, tokens, nano_usd) = ask.amounts, self._left
        requests -= amounts.requests
        tokens -= amounts.tokens
        nano_usd -= amounts.nano_usd
        low = self._low
        if requests < low[0] or tokens < low[1] or nano_usd < low[2]:
            if requests < 0 or tokens < 0 or nano_usd < 0:
                return None
            self.renewed_at = 0.0
        self._left = left = (requests, tokens, nano_usd)
        self._parts += 1
        whole = self.whole
        return Reservation(
            ask,
            whole.generation,
            whole.day,
            whole.month,
            tuple(map(add, whole.left, self._by_limit(left))),
            (),
            None,
            whole.hour,
            whole.at_ms,
            Part(whole.ask.id, self._parts),
        )

    @property
    def unheard(self) -> Amounts:
        """What was granted of it since its news were asked for."""
        return Amounts(*map(sub, self._heard, self._left))

    def news(self) -> Amounts:
        """What was granted of it since this was asked before."""
        unheard = self.unheard
        self._heard = self._left
        return unheard

    @property
    def runs(self) -> bool:
        """Whether some of its parts are not settled yet."""
        return self.settled < self._parts

    def close(self) -> Reservation | None:
        """What was not used of it, to be given back; nothing is granted from it any more."""
        unused = Amounts(*self._left)
        self._left = (0, 0, 0)
        if unused == Amounts():
            return None
        ask = replace(self.whole.ask, amounts=unused)
        return replace(self.whole, ask=ask, part=Part(ask.id, UNUSED))


class Demand:
    """What is asked for of one key and model of a tenant, and the leases that there are for it.

    Attributes:
        ask: the last that was asked of the account; others differ in id, amounts and draft.
        left: what was left of each limit when the account was last asked; None where it was not, or
            long ago. Before the first time, `ask` lacks the row that it is written with.
        is_busy: whether enough is asked for, in the last whole period or in this one, for a lease.
        again_at: when there may be a lease, after there was none.
    """

    __slots__ = (
        "_asked",
        "_before",
        "_began",
        "again_at",
        "ask",
        "is_busy",
        "is_leasable",
        "leases",
        "left",
        "taking",
    )

    def __init__(self, ask: Ask, now: float) -> None:
        self.ask = ask
        self.left: tuple[int, ...] | None = None
        self.leases: list[Lease] = []
        self.taking = False
        self.is_busy = False
        self.again_at = now
        self.is_leasable = is_leasable(ask)
        #: In the last whole period.
        self._before = Amounts()
        #: In this one; what is granted of leases is asked of them when it is over.
        self._asked: list[Amounts] = []
        self._began = now

    def _turn(self, now: float) -> None:
        self._asked += [each.news() for each in self.leases]
        is_next = now - self._began < 2 * PERIOD_S
        self._before = _sum(self._asked) if is_next else Amounts()
        self.is_busy = self._before.requests >= MANY
        self._asked = []
        self._began = now
        if not is_next and not self.leases:
            self.left = None

    def part(self, ask: Ask, now: float) -> Reservation | None:
        """Of the older lease that has room for what is asked for, which counts in any case.

        Those before the last two are used up: the third comes when the second is half used.
        """
        if now - self._began >= PERIOD_S:
            self._turn(now)
        for lease in self.leases[-AT_ONCE:]:
            if now < lease.ends and (part := lease.part(ask)) is not None:
                lease.told(part)
                return part
        self._asked.append(ask.amounts)
        self.is_busy = self.is_busy or len(self._asked) >= MANY
        return None

    @property
    def wanted(self) -> Amounts:
        """All that was asked for in the last whole period, or in this one where that is more."""
        so_far = _sum([*self._asked, *(each.unheard for each in self.leases)])
        return max(self._before, so_far, key=_requests)

    def wants(self, now: float) -> bool:
        """Whether another lease should be taken now."""
        if self.leases:
            if now < self.leases[-1].renewed_at:  # of those before it, it is past
                return False
        elif self.left is None:
            return False
        return self.is_busy and not self.taking and now >= self.again_at

    def ended(self, now: float) -> list[Lease]:
        """Leases that nothing is granted from any more, taken out."""
        ended = [each for each in self.leases if now >= each.ends]
        if ended:
            self._asked += [each.news() for each in ended]
            self.leases = [each for each in self.leases if now < each.ends]
        return ended


def _sum(asked: Sequence[Amounts]) -> Amounts:
    return Amounts(
        sum([each.requests for each in asked]),
        sum([each.tokens for each in asked]),
        sum([each.nano_usd for each in asked]),
    )
