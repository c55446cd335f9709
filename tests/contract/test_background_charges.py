"""What every memory of charges in the background promises, the tests' own included."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from app.adapters.clock import SystemClock
from app.adapters.redis.background_charges import background_charges
from app.adapters.redis.store import opened_store
from app.domain.ledger.background_charge import BackgroundCharge
from app.domain.quota.calendar import days_around, months_around
from app.ports import BackgroundCharges
from tests.fakes.background_charges import FakeBackgroundCharges
from tests.fakes.ledger_rows import ledger_row
from tests.fakes.patient import patient

DAY, MONTH = days_around(1e9)[1], months_around(1e9)[1]


def charge(id_: str) -> BackgroundCharge:
    """One with everything that there is to be kept."""
    row = ledger_row(id_, flags=("estimated",), tags={"project": "é"})
    return BackgroundCharge(row, ("", "key:k1"), DAY, MONTH, DAY)


class Memory:
    """Charges, and what was taken out of them."""

    def __init__(self, charges: BackgroundCharges) -> None:
        self.charges = charges
        self.tenant = f"tenant-{uuid4()}"
        self.taken: list[BackgroundCharge] = []

    def take(self, response_id: str, tenant: str = "") -> None:
        """Ask for one; it comes some time."""
        self.charges.take(tenant or self.tenant, response_id, self.taken.append)

    async def told(self) -> list[BackgroundCharge]:
        """What was taken, once all that was asked before has been answered."""
        last = f"resp_{uuid4()}"
        self.charges.keep(self.tenant, last, charge(last))
        self.take(last)
        async with asyncio.timeout(20):
            while not self.taken or self.taken[-1].row.id != last:
                await asyncio.sleep(0)
        return self.taken[:-1]


@pytest.fixture(params=["fake", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """Where charges are kept, or by what if not in Redis."""
    shared = request.param == "redis"
    return str(request.getfixturevalue("redis_url") if shared else request.param)


@pytest.fixture
async def memory(url: str) -> AsyncIterator[Memory]:
    if url == "fake":
        yield Memory(FakeBackgroundCharges())
        return
    async with (
        opened_store(patient(url), SystemClock()) as store,
        background_charges(store.batch) as charges,
    ):
        yield Memory(charges)


async def test_a_charge_is_given_once(memory: Memory) -> None:
    """Just as it was kept, however often it is asked for."""
    memory.charges.keep(memory.tenant, "resp_1", charge("r1"))
    memory.charges.keep(memory.tenant, "resp_2", charge("r2"))
    for _ in range(3):
        memory.take("resp_1")
    assert await memory.told() == [charge("r1")]


async def test_no_tenant_is_given_anothers(memory: Memory) -> None:
    """An id is only worth something together with its tenant."""
    memory.charges.keep(memory.tenant, "resp_1", charge("r1"))
    memory.take("resp_1", f"{memory.tenant}-other")
    memory.take("resp_")
    assert await memory.told() == []
