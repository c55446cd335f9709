"""Which settlements cannot wait for others: somebody may be refused for want of what they free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import le
from typing import Final

import msgspec

from app.adapters.redis.account import Settlement
from app.domain.quota.limit import Kind, Limit, Measure
from app.domain.quota.reservation import Charge, Reservation, by_limit

#: Nobody waits for room where more is left than this part of a limit, and than so many requests of
#: the size take.
_AMPLE: Final = 0.1
_FEW: Final = 64
_REQUESTS: Final = Measure.REQUESTS
_TOKENS: Final = Measure.TOKENS
#: Tuples of limits that are known; beyond so many all are forgotten.
_REMEMBERED: Final = 10_000


class _Known(msgspec.Struct, frozen=True):
    """Of some limits, what is ample of each, and how amounts of each measure become those of each.

    `limits` are kept: by their identity this is known.
    """

    limits: tuple[Limit, ...]
    ample: tuple[float, ...]
    by_limit: Callable[[Sequence[int]], Sequence[int]]


class Urgency:
    """Nearly all leave much of all their limits: that is told at one look, others are looked at."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}

    def is_urgent(self, settlement: Settlement) -> bool:
        """Whether it should be sent at once."""
        reservation = settlement.reservation
        if reservation is None or reservation.part is not None:  # where leases are, much is left
            return False
        limits, amounts, left = reservation.ask.limits, reservation.ask.amounts, reservation.left
        known = self._known.get(id(limits))
        if known is None or known.limits is not limits:
            known = self._looked_at(limits)
        few = known.by_limit((_FEW, _FEW * amounts.tokens, _FEW * amounts.nano_usd))
        if any(map(le, left, known.ample)) or any(map(le, left, few)):
            return _is_urgent(reservation, settlement.charge)
        return False

    def _looked_at(self, limits: tuple[Limit, ...]) -> _Known:
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        ample = tuple(_AMPLE * limit.amount for limit in limits)
        known = self._known[id(limits)] = _Known(limits, ample, by_limit(limits))
        return known


def _is_urgent(reservation: Reservation, charge: Charge) -> bool:
    ask, amounts = reservation.ask, reservation.ask.amounts
    few_tokens, few_nano_usd = _FEW * amounts.tokens, _FEW * amounts.nano_usd
    # Degraded: of no limit it is known what is left.
    for limit, left in zip(ask.limits, reservation.left, strict=False):
        few = _FEW  # a request takes one
        if limit.measure is not _REQUESTS:
            few = few_tokens if limit.measure is _TOKENS else few_nano_usd
        if left <= few or left <= _AMPLE * limit.amount:
            is_of_requests = limit.measure is _REQUESTS and limit.kind is not Kind.LIVE
            if not (is_of_requests and charge.actual.requests):
                return True  # of requests, nothing is given back
    return False
