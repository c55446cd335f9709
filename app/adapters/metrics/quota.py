"""The used part of every tenant's limits, from what reservations tell of them."""

from __future__ import annotations

from typing import Final

from app.adapters.metrics.names import TenantLabels
from app.domain.quota.quota_use import QuotaUse, name_of, refused_use, uses_of
from app.domain.quota.reservation import Ask, Refusal, Reservation
from app.ports import Clock

#: Reservations that wait to be looked at: those of as many keys and models.
_MOST_NEWS: Final = 256


class QuotaUses:
    """By tenant and limit the fullest scope: the tenant's own, or one of its keys and models.

    Each request brings news, and nearly all of them are out of date when somebody asks: of the same
    limits only the last are looked at, and not before.
    """

    def __init__(self, tenants: TenantLabels, clock: Clock) -> None:
        """`clock` tells when a window's use fades, and when a budget's ends."""
        self._tenants = tenants
        self._clock = clock
        self._known: dict[tuple[str, str], tuple[str, QuotaUse]] = {}  # and whose it is
        #: By the identity of their limits, which they keep alive; and when they were granted.
        self._news: dict[int, tuple[Reservation, float]] = {}

    def watch(self, reservation: Reservation) -> None:
        """Note what was granted; costs no I/O."""
        news = self._news
        news[id(reservation.ask.limits)] = (reservation, self._clock.unix())
        if len(news) >= _MOST_NEWS:
            self._look()

    def _look(self) -> None:
        """Take note of all news."""
        for reservation, at in self._news.values():
            self._take(reservation, at)
        self._news.clear()

    def _take(self, reservation: Reservation, now: float) -> None:
        whose = reservation.ask.tenant
        tenant = self._tenants(whose)
        for name, use in uses_of(reservation, now):
            if self._tells_more(self._known.get((tenant, name)), whose, use, now):
                self._known[tenant, name] = (whose, use)

    def refused(self, ask: Ask, refusal: Refusal) -> None:
        """Note what was refused: until something is granted in that scope, it is used up."""
        self._look()
        use = refused_use(ask, refusal, self._clock.unix())
        if use is not None:
            key = self._tenants(ask.tenant), name_of(refusal.limit)
            self._known[key] = (ask.tenant, use)

    @staticmethod
    def _tells_more(
        known: tuple[str, QuotaUse] | None, whose: str, use: QuotaUse, now: float
    ) -> bool:
        """News of what is told already, or of something fuller."""
        if known is None:
            return True
        is_same = known[0] == whose and known[1].scope == use.scope
        return is_same or use.part >= known[1].part_at(now)

    def read(self) -> dict[tuple[str, ...], float]:
        """By tenant and limit; 0 where nothing is left of what was used."""
        self._look()
        now = self._clock.unix()
        return {labels: use.part_at(now) for labels, (_, use) in self._known.items()}
