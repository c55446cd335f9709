"""The account script as its callers see it, which does as a test tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence

from app.adapters.redis.account import AccountScript, Settlement
from app.adapters.redis.batch import Batch
from app.adapters.redis.breaker import Breaker
from app.adapters.redis.connection import redis_client
from app.adapters.redis.replicas import Replicas
from app.domain.quota.reservation import Ask, Refusal, Reservation
from tests.fakes.clock import FakeClock


class NoBatch(Batch):
    """A batch that nothing is asked of."""

    def __init__(self) -> None:
        nobody = redis_client("unix:///nonexistent/redis.sock")
        super().__init__(nobody, Breaker(FakeClock()))


def alone() -> Replicas:
    """A worker that knows of no other."""
    return Replicas(NoBatch(), "w")


class FakeScript(AccountScript):
    """Grants everything; `reserving` and `settling` may raise instead of it.

    `settled` is what was charged, in its order; `sent` are the sizes of what was tried.
    """

    def __init__(self) -> None:
        super().__init__(NoBatch())
        self.reserving: Callable[[Ask], None] = lambda _ask: None
        self.settling: Callable[[Sequence[Settlement]], None] = lambda _part: None
        self.settled: list[Settlement] = []
        self.sent: list[int] = []
        self.unseeded: list[str] = []

    async def reserve(self, ask: Ask) -> Reservation | Refusal:
        """Grant it."""
        await asyncio.sleep(0)
        self.reserving(ask)
        return Reservation(ask, "g1", ask.days[1], ask.months[1])

    async def settle(self, tenant: str, settlements: Iterable[Settlement]) -> list[str]:
        """Take them."""
        await asyncio.sleep(0)
        part = list(settlements)
        self.sent.append(len(part))
        self.settling(part)
        self.settled += part
        return ["settled"] * len(part)

    async def extend(self, tenant: str, ids: Sequence[str]) -> frozenset[str]:
        """All of them live."""
        return frozenset(ids)

    async def report_unseeded(self, tenant: str) -> None:
        """Keep it."""
        self.unseeded.append(tenant)
