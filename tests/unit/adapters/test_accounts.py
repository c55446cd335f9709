"""What a worker does with settlements, whatever becomes of them on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from app.adapters.accounts import SharedAccounts, shared_accounts
from app.adapters.redis.account import Settlement
from app.domain.calendar import days_around, months_around
from app.domain.reservation import Amounts, Ask, Charge, Reservation
from app.domain.tenant import Tenant
from tests.fakes.account_script import FakeScript, alone
from tests.fakes.clock import FakeClock


@dataclass(slots=True)
class Worker:
    """One worker's accounts on a script that does as it is told."""

    accounts: SharedAccounts
    script: FakeScript
    clock: FakeClock = field(default_factory=FakeClock)
    asked: int = 0

    def ask(self, tenant: str = "t") -> Ask:
        """A request without limits."""
        self.asked += 1
        days, months = days_around(self.clock.unix()), months_around(self.clock.unix())
        amounts = Amounts(1, 10, 10)
        return Ask(f"r{self.asked}", tenant, ("tenant",), amounts, (), days, months, b"{}")

    async def take(self, tenant: str = "t") -> Reservation:
        """A reservation."""
        granted = await self.accounts.reserve(self.ask(tenant), Tenant(tenant))
        assert isinstance(granted, Reservation)
        return granted

    def settle(self, reservation: Reservation) -> None:
        """Charge it."""
        row = b'{"id":"%b"}' % reservation.ask.id.encode()
        self.accounts.settle(reservation, Charge(Amounts(1, 7, 7), row))

    async def settle_some(self, count: int) -> None:
        """As many requests, from beginning to end."""
        for reservation in [await self.take() for _ in range(count)]:
            self.settle(reservation)

    @property
    def charged(self) -> list[str]:
        """The ids of what was charged, in its order."""
        return [each.reservation.ask.id for each in self.script.settled if each.reservation]


@asynccontextmanager
async def working() -> AsyncIterator[Worker]:
    """A worker whose settlements are sent."""
    script, clock = FakeScript(), FakeClock()
    async with shared_accounts(script, alone(), clock, drain_s=0) as accounts:
        yield Worker(accounts, script, clock)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    async with working() as one:
        yield one


def once(error: Exception) -> Callable[[Sequence[Settlement]], None]:
    """Fail the first time."""
    left = [error]

    def settling(_part: Sequence[Settlement]) -> None:
        if left:
            raise left.pop()

    return settling


async def test_settling_goes_on_after_what_nobody_expected(worker: Worker) -> None:
    """What waited is settled, though nothing more comes that would wake anybody."""
    worker.script.settling = once(MemoryError())
    await worker.settle_some(3)
    assert await worker.accounts.settled(5)
    assert worker.charged == ["r1", "r2", "r3"]
