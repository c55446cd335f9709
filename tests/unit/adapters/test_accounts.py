"""What a worker does with settlements, whatever becomes of them on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from structlog.testing import capture_logs

from app.adapters.accounts import SharedAccounts, shared_accounts
from app.adapters.redis.account import Settlement, Skewed, Unseeded
from app.adapters.redis.batch import NotSent, Refused
from app.domain.calendar import days_around, months_around
from app.domain.reservation import Amounts, Ask, Charge, Reservation
from app.domain.tenant import LossPolicy, Tenant
from app.errors import QuotaUnavailable, StoreUnavailable
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


async def test_an_account_that_settlements_find_lost_is_reported(worker: Worker) -> None:
    """It is seeded without waiting for its tenant's next request."""
    worker.script.settling = once(Unseeded())
    await worker.settle_some(1)
    assert await worker.accounts.settled(5)
    assert worker.script.unseeded == ["t"]
    assert worker.charged == ["r1"]


def refusing(*ids: str) -> Callable[[Sequence[Settlement]], None]:
    """Refuse every part that has one of these in it, as a script that fails does."""

    def settling(part: Sequence[Settlement]) -> None:
        if any(each.reservation and each.reservation.ask.id in ids for each in part):
            raise Refused("user_script:1: attempt to index a nil value")

    return settling


async def test_one_that_redis_refuses_holds_up_no_other(worker: Worker) -> None:
    """All but it are charged, in few calls; its loss is told with what it takes to mend it."""
    worker.script.settling = refusing("r2", "r70")
    with capture_logs() as logs:
        await worker.settle_some(100)
        assert await worker.accounts.settled(5)
    assert worker.charged == [f"r{n}" for n in range(1, 101) if n not in {2, 70}]
    assert len(worker.script.sent) < 40
    assert [(log["event"], log["id"], log["tokens"]) for log in logs] == [
        ("settlement_refused", "r2", 7),
        ("settlement_refused", "r70", 7),
    ]
    assert worker.accounts.settlements.refused_total == 2


async def test_what_cannot_even_be_packed_holds_up_no_other(worker: Worker) -> None:
    """A row that is no text, say."""
    first, second = await worker.take(), await worker.take()
    worker.script.settling = packed
    worker.accounts.settle(first, Charge(Amounts(1, 7, 7), b"\xff"))
    worker.settle(second)
    assert await worker.accounts.settled(5)
    assert worker.charged == ["r2"]


def packed(part: Sequence[Settlement]) -> None:
    """Do what the real script does with rows."""
    for each in part:
        each.charge.row.decode()


async def test_a_store_that_is_away_refuses_nothing(worker: Worker) -> None:
    """However long it takes, all of it is charged."""
    worker.script.settling = once(StoreUnavailable("away"))
    await worker.settle_some(2)
    assert await worker.accounts.settled(5)
    assert worker.charged == ["r1", "r2"]
    assert worker.accounts.settlements.refused_total == 0


async def refused_while_away(worker: Worker, error: Exception) -> None:
    """Ask for a strict tenant that fails with this."""

    def reserving(_ask: Ask) -> None:
        raise error

    worker.script.reserving = reserving
    strict = Tenant("t", redis_loss=LossPolicy.FAIL_CLOSED)
    with pytest.raises(QuotaUnavailable):
        await worker.accounts.reserve(worker.ask(), strict)


async def test_what_may_have_been_granted_unheard_is_given_back(worker: Worker) -> None:
    """A strict tenant's request that Redis did not answer in time."""
    await refused_while_away(worker, StoreUnavailable("no answer"))
    assert await worker.accounts.settled(5)
    assert worker.charged == ["r1"]


@pytest.mark.parametrize("error", [NotSent("lost"), Skewed(1_790_000_000.0)])
async def test_what_was_never_granted_is_not_given_back(worker: Worker, error: Exception) -> None:
    """Else each refusal of a long outage would take memory until its end."""
    await refused_while_away(worker, error)
    assert worker.accounts.unsettled == 0


@pytest.mark.parametrize(
    ("error", "sent"), [(StoreUnavailable("no answer"), True), (NotSent("lost"), False)]
)
async def test_only_what_may_have_arrived_is_looked_for(
    worker: Worker, error: StoreUnavailable, *, sent: bool
) -> None:
    """A row that is sent again says since when it may be there; one that never left does not."""
    worker.script.settling = once(error)
    worker.accounts.record("t", b"{}")
    assert await worker.accounts.settled(5)
    assert [each.sent for each in worker.script.settled] == [worker.clock.unix() if sent else None]
