"""Accounts that were lost, or went back in time, are what the archive says and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.adapters.archive.seeding import Seeder, seeding
from app.adapters.clock import SystemClock
from app.adapters.redis.account import AccountScript, Settlement, Unseeded, account_key
from app.adapters.redis.batch import Batch
from app.domain.identity.tenant import Tenant
from app.domain.ledger.accounts_of import Balances, balances
from app.domain.ledger.ledger_row import LedgerRow, RowKind, decode, encode
from app.domain.quota.calendar import CalendarWindow, days_around, months_around
from app.domain.quota.limit import spill_limits
from app.domain.quota.reservation import Amounts, Ask, Charge, Reservation
from tests.fakes.changed import replace
from tests.fakes.patient import PATIENCE_S, patient_batch, patient_client


async def _nothing() -> None:
    """Where nothing happens meanwhile."""


@dataclass(slots=True)
class Archived:
    """An archive of these rows; `meanwhile` happens once the rows of a look were chosen."""

    rows: list[LedgerRow] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[None]] = _nothing

    async def balances(
        self, tenant: str, days: Collection[CalendarWindow], months: Collection[CalendarWindow]
    ) -> Balances:
        """What they amount to."""
        found = balances(self.rows, [day.name for day in days], [month.name for month in months])
        await self.meanwhile()
        return found


@dataclass(slots=True)
class House:
    """One tenant, its account, and who seeds it."""

    tenant: Tenant
    script: AccountScript
    seeder: Seeder
    archive: Archived
    redis: Redis

    async def take(self) -> Reservation:
        """A reservation of ten tokens."""
        days, months = days_around(time.time()), months_around(time.time())
        ask = Ask(uuid4().hex, self.tenant.name, ("tenant",), Amounts(1, 10, 0), (), days, months)
        granted = await self.script.reserve(ask)
        assert isinstance(granted, Reservation)
        return granted

    async def settle(self, reservation: Reservation) -> str:
        """Charge seven tokens; how it went."""
        charge = self.charge(reservation)
        (outcome,) = await self.script.settle(self.tenant.name, [Settlement(reservation, charge)])
        return outcome

    def charge(self, reservation: Reservation) -> Charge:
        """Seven tokens."""
        row = LedgerRow(
            reservation.ask.id,
            RowKind.SETTLED,
            time.time(),
            self.tenant.name,
            input=7,
            day=reservation.day.name,
            hour=reservation.hour.name if reservation.hour else "",
        )
        return Charge(Amounts(1, 7, 0), encode(row))

    async def archives(self) -> None:
        """All that the ledger has by now is in the archive."""
        redis: Any = self.redis
        entries = await redis.xrange(f"{account_key(self.tenant.name)}:ledger")
        self.archive.rows = [decode(fields[b"row"]) for _, fields in entries]

    async def tokens(self) -> int:
        """What the account says of today."""
        day = days_around(time.time())[1].name
        key = f"{account_key(self.tenant.name)}:day:{day}"
        return int(await self.redis.hget(key, "committed:tokens:tenant") or 0)

    async def is_lost(self) -> None:
        """Redis forgets the account."""
        if names := await self.redis.keys(f"{account_key(self.tenant.name)}:*"):
            await self.redis.delete(*names)


def house_of(batch: Batch, client: Redis) -> House:
    """A house of a tenant of its own."""
    tenant, archive = Tenant(uuid4().hex), Archived()
    seeder = Seeder(batch, archive, SystemClock(), lambda: {tenant.name: tenant})
    return House(tenant, AccountScript(batch), seeder, archive, client)


@pytest.fixture
async def house(redis_url: str) -> AsyncIterator[House]:
    """Seeded once, empty."""
    async with (
        patient_client(redis_url) as client,
        patient_batch(client, SystemClock()) as batch,
    ):
        house = house_of(batch, client)
        await house.seeder.seed(house.tenant)
        yield house


async def test_a_lost_account_is_what_the_archive_says(house: House) -> None:
    """And what is settled afterwards."""
    await house.settle(await house.take())
    open_before = await house.take()
    await house.archives()
    await house.is_lost()
    with pytest.raises(Unseeded):
        await house.settle(open_before)
    await house.seeder.seed(house.tenant)
    assert await house.tokens() == 7
    assert await house.settle(open_before) == "adopted"
    assert await house.tokens() == 14


@pytest.mark.parametrize("hourly", [False, True], ids=["day", "hour"])
@pytest.mark.parametrize("spilled", [False, True])
async def test_a_lost_account_knows_what_was_spilled(
    house: House, *, spilled: bool, hourly: bool
) -> None:
    """From rows alone: as much of a spill budget is used as before."""
    while hourly and (left_s := 3600 - time.time() % 3600) < 10:
        await asyncio.sleep(left_s)  # so that all of it is in one hour
    budget = spill_limits(None, 1e-9) if hourly else spill_limits(1e-9)
    days, months = days_around(time.time()), months_around(time.time())

    async def take() -> Reservation:
        amounts = Amounts(1, 10, 1)
        ask = Ask(uuid4().hex, house.tenant.name, ("tenant",), amounts, (), days, months)
        granted = await house.script.reserve(ask.within(budget))
        assert isinstance(granted, Reservation)
        return granted

    first = await take()
    row = replace(decode(house.charge(first).row), nano_usd=1, spill="held" if spilled else "none")
    charge = Charge(row.charged, encode(row), row.spilled)
    await house.script.settle(house.tenant.name, [Settlement(first, charge)])
    await house.archives()
    await house.is_lost()
    await house.seeder.seed(house.tenant)
    assert (await take()).may_spill is not spilled


async def test_a_settlement_whose_answer_was_lost_is_not_charged_again_after_a_flush(
    house: House,
) -> None:
    """The archive has it: its repetition is known, whatever generation its hold was of."""
    taken = await house.take()
    assert await house.settle(taken) == "settled"
    await house.archives()
    await house.is_lost()
    await house.seeder.seed(house.tenant)
    assert await house.settle(taken) == "duplicate"
    assert await house.tokens() == 7


async def test_what_went_with_the_flush_is_charged_again(house: House) -> None:
    """Redis had it and lost it before it was archived: nobody else knows of it any more."""
    taken = await house.take()
    assert await house.settle(taken) == "settled"
    await house.is_lost()
    await house.seeder.seed(house.tenant)
    assert await house.settle(taken) == "adopted"
    assert await house.tokens() == 7


async def test_nothing_is_settled_while_an_account_that_went_back_is_looked_up(
    house: House,
) -> None:
    """What would have been charged between looking and seeding would have been overwritten."""
    await house.settle(await house.take())
    open_before = await house.take()
    await house.archives()
    outcomes: list[str] = []

    async def meanwhile() -> None:
        try:
            outcomes.append(await house.settle(open_before))
        except Unseeded:
            outcomes.append("unseeded")

    house.archive.meanwhile = meanwhile
    await house.seeder.note_rolled_back(house.tenant.name)
    seeded = house.seeder.seeded_total
    async with seeding(house.seeder):
        await eventually(lambda: house.seeder.seeded_total > seeded)
    assert outcomes == ["unseeded"]
    assert await house.settle(open_before) == "settled"
    assert await house.tokens() == 14


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds, at most PATIENCE_S."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)
