"""Charges of responses in the background on a real server, and without one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from msgspec.structs import replace

from app.adapters.clock import SystemClock
from app.adapters.redis.account import Settlement, account_key
from app.adapters.redis.background_charges import RedisBackgroundCharges, background_charges
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.response_owners import KEPT_S
from app.adapters.redis.store import Place, opened_store
from app.domain.ledger.background_charge import BackgroundCharge
from app.domain.ledger.ledger_row import encode
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import LimitName
from app.domain.quota.reservation import Charge
from app.domain.quota.usage import Usage
from tests.fakes.ledger_rows import ledger_row
from tests.fakes.patient import FROZEN_AFTER_S, PATIENCE_S, patient_client
from tests.integration.redis.frozen import FrozenAtWill
from tests.integration.redis.tenant_account import Account

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
NOBODY = "unix:///nonexistent/redis.sock"
DAY, MONTH = days_around(time.time())[1], months_around(time.time())[1]
CHARGE = BackgroundCharge(ledger_row("r1"), ("",), DAY, MONTH)


@asynccontextmanager
async def opened(url: str, patience_s: float = PATIENCE_S) -> AsyncIterator[RedisBackgroundCharges]:
    """One replica's."""
    async with (
        opened_store(Place(url, patience_s=patience_s), SystemClock()) as store,
        background_charges(store.batch) as charges,
    ):
        yield charges


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fail when it does not come about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.002)


async def test_replicas_share_them(redis_url: str) -> None:
    """Kept by one, taken by another, for 30 days, under a key without the id."""
    tenant, taken = str(uuid4()), list[BackgroundCharge]()
    async with opened(redis_url) as first, opened(redis_url) as second:
        first.keep(tenant, "resp_1", CHARGE)
        await until(lambda: first.kept_total == 1)
        async with patient_client(redis_url) as client:
            (key,) = [key async for key in client.scan_iter(f"{account_key(tenant)}:*")]
            assert KEPT_S - 10 < await client.ttl(key) <= KEPT_S
        assert b"resp_1" not in key
        second.take(tenant, "resp_1", taken.append)
        await until(lambda: bool(taken))
        assert (taken, second.taken_total, first.lost_total) == ([CHARGE], 1, 0)


async def test_one_that_is_being_kept_when_all_ends_is_kept(redis_url: str) -> None:
    """Whoever stops has a second for it."""
    tenant, taken = str(uuid4()), list[BackgroundCharge]()
    async with opened(redis_url) as first:
        first.keep(tenant, "resp_1", CHARGE)
    async with opened(redis_url) as second:
        second.take(tenant, "resp_1", taken.append)
        await until(lambda: bool(taken))


async def test_without_redis_it_is_lost_and_counted() -> None:
    """What nobody could keep stays as it was charged; what nobody could ask for is asked again."""
    async with opened(NOBODY) as charges:
        charges.keep("search", "resp_1", CHARGE)
        charges.take("search", "resp_1", lambda _charge: pytest.fail("nobody has it"))
        await until(lambda: charges.lost_total == 1)
    assert (charges.kept_total, charges.lost_total) == (0, 1)


async def test_nobody_waits_for_a_redis_that_is_frozen(own_redis: FrozenAtWill) -> None:
    """Of what may have been given without our hearing of it nobody knows: it is lost, too."""
    async with opened(own_redis.url, FROZEN_AFTER_S) as charges:
        charges.keep("search", "resp_1", CHARGE)
        await until(lambda: charges.kept_total == 1)
        own_redis.freeze()
        charges.keep("search", "resp_2", CHARGE)
        charges.take("search", "resp_1", lambda _charge: pytest.fail("nobody heard of it"))
        await until(lambda: charges.lost_total == 2)
        own_redis.thaw()


async def test_what_cannot_be_read_is_lost(redis_url: str) -> None:
    """Of another version, or damaged."""
    tenant = str(uuid4())
    async with opened(redis_url) as charges, patient_client(redis_url) as client:
        charges.keep(tenant, "resp_1", CHARGE)
        await until(lambda: charges.kept_total == 1)
        (key,) = [key async for key in client.scan_iter(f"{account_key(tenant)}:*")]
        await client.set(key, b"odd")
        charges.take(tenant, "resp_1", lambda _charge: pytest.fail("it cannot be read"))
        await until(lambda: charges.lost_total == 1)


@pytest.mark.parametrize("usage", [Usage(input=4, output=1), Usage(input=4, output=5_000)])
async def test_a_correction_is_charged_once(account: Account, usage: Usage) -> None:
    """Below zero or above: totals of the day and month are what was used, and one request's."""
    taken = await account.take(tokens=100)
    estimate = replace(ledger_row(taken.ask.id), input=10, output=90, nano_usd=100)
    assert await account.settle(taken, 100, encode(estimate)) == "settled"
    charge = BackgroundCharge.of(estimate, taken)
    row = charge.correction(usage, 70, time.time())
    correction = Settlement(charge.reservation(row), Charge(row.charged, encode(row)))
    for outcome in ("adopted", "duplicate"):
        assert await account.script.settle(account.tenant, [correction]) == [outcome]
    tokens = usage.input + usage.output
    assert await account.used(LimitName.TOKENS_PER_DAY) == tokens
    assert await account.used(LimitName.TOKENS_PER_MONTH) == tokens
    assert await account.used(LimitName.USD_PER_DAY) == 70
    assert await account.used(LimitName.REQUESTS_PER_DAY) == 1
