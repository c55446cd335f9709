"""A lease that a worker has, and how much is asked for of its kind."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from app.domain.quota.lease import LEASE_S, MANY, PERIOD_S, is_leasable
from app.domain.quota.limit import Measure
from app.domain.quota.reservation import UNUSED, Amounts, Ask, Part, Reservation

#: Below this part of what was leased, the next lease is taken.
_LOW: Final = 0.5
_MEASURES: Final = tuple(Measure)  # as in `Amounts`


class Lease:
    """Granted as a whole by the account, and in parts from here.

    Attributes:
        running: parts that are not settled yet.
        ends: when nothing is granted from it any more, by the monotonic clock.
    """

    __slots__ = ("_left", "_limits", "_parts", "ends", "running", "whole")

    def __init__(self, whole: Reservation, ends: float) -> None:
        amounts = whole.ask.amounts
        self.whole = whole
        self.ends = ends
        self.running = 0
        self._parts = UNUSED
        self._left = [amounts.requests, amounts.tokens, amounts.nano_usd]
        limits = zip(whole.ask.limits, whole.left, strict=True)
        self._limits = [(left, _MEASURES.index(limit.measure)) for limit, left in limits]

    def part(self, ask: Ask) -> Reservation | None:
        """What is asked for, if so much is left; `left` counts what nobody has of the lease."""
        amounts, left = ask.amounts, self._left
        requests, tokens = left[0] - amounts.requests, left[1] - amounts.tokens
        nano_usd = left[2] - amounts.nano_usd
        if requests < 0 or tokens < 0 or nano_usd < 0:
            return None
        self._left = left = [requests, tokens, nano_usd]
        self._parts += 1
        self.running += 1
        whole = self.whole
        return Reservation(
            ask,
            whole.generation,
            whole.day,
            whole.month,
            tuple([beyond + left[place] for beyond, place in self._limits]),
            (),
            None,
            whole.hour,
            whole.at_ms,
            Part(whole.ask.id, self._parts),
        )

    @property
    def is_low(self) -> bool:
        """Whether it is time to take the next one."""
        amounts, (requests, tokens, nano_usd) = self.whole.ask.amounts, self._left
        return (
            requests < _LOW * amounts.requests
            or tokens < _LOW * amounts.tokens
            or nano_usd < _LOW * amounts.nano_usd
        )

    def close(self) -> Reservation | None:
        """What was not used of it, to be given back; nothing is granted from it any more."""
        unused = Amounts(*self._left)
        self._left = [0, 0, 0]
        if unused == Amounts():
            return None
        ask = replace(self.whole.ask, amounts=unused)
        return replace(self.whole, ask=ask, part=Part(ask.id, UNUSED))


class Demand:
    """What is asked for of one key and model of a tenant, and the leases that there are for it.

    Attributes:
        ask: the last that was asked of the account; others differ in id, amounts and draft.
        left: what was left of each limit when the account was last asked.
        wanted: all that was asked for in the last whole period.
        again_at: when there may be a lease, after there was none.
    """

    __slots__ = (
        "_asked",
        "_began",
        "again_at",
        "ask",
        "is_leasable",
        "leases",
        "left",
        "taking",
        "wanted",
    )

    def __init__(self, ask: Ask, now: float) -> None:
        self.ask = ask
        self.left: tuple[int, ...] = ()
        self.leases: list[Lease] = []
        self.taking = False
        self.wanted = Amounts()
        self.again_at = now
        self.is_leasable = is_leasable(ask)
        self._asked = [0, 0, 0]
        self._began = now

    def note(self, amounts: Amounts, now: float) -> None:
        """So much is asked for."""
        asked = self._asked
        if now - self._began >= PERIOD_S:
            self._turn(now)
            asked = self._asked
        asked[0] += amounts.requests
        asked[1] += amounts.tokens
        asked[2] += amounts.nano_usd

    def _turn(self, now: float) -> None:
        is_next = now - self._began < 2 * PERIOD_S
        self.wanted = Amounts(*self._asked) if is_next else Amounts()
        self._asked = [0, 0, 0]
        self._began = now

    def part(self, ask: Ask, now: float) -> Reservation | None:
        """Of the first lease that has room for it."""
        for lease in self.leases:
            if now < lease.ends and (part := lease.part(ask)) is not None:
                return part
        return None

    def wants(self, now: float) -> bool:
        """Whether another lease should be taken now."""
        if self.taking or now < self.again_at or self.wanted.requests < MANY:
            return False
        if len(self.left) < len(self.ask.limits):  # all were refused, and none was told of room
            return False
        return all(each.is_low or now >= each.ends - LEASE_S / 2 for each in self.leases)

    def ended(self, now: float) -> list[Lease]:
        """Leases that nothing is granted from any more, taken out."""
        ended = [each for each in self.leases if now >= each.ends]
        if ended:
            self.leases = [each for each in self.leases if now < each.ends]
        return ended
