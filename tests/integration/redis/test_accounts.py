"""Tenants' accounts with Redis well, slow, away, back and emptied."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.adapters.accounts.accounts import SharedAccounts, shared_accounts
from app.adapters.clock import SystemClock
from app.adapters.redis.account import UNSEEDED, AccountScript, account_key
from app.adapters.redis.batch import Batch, batching
from app.adapters.redis.breaker import FAILURES_TO_OPEN, Breaker
from app.adapters.redis.connection import redis_breaker
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.replicas import replicas
from app.domain.identity.tenant import LossPolicy, Tenant
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import LimitName, LimitRule, limits_on, scopes_of
from app.domain.quota.reservation import Amounts, Ask, Charge, Refusal, Reservation
from app.errors import QuotaUnavailable
from tests.fakes.changed import replace
from tests.fakes.patient import FROZEN_AFTER_S, PATIENCE_S, patient_client

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
CLOCK = SystemClock()


@dataclass(slots=True)
class Bank:
    """Accounts on a Redis of the test's own, and one tenant that asks."""

    accounts: SharedAccounts
    batch: Batch
    redis: Redis
    breaker: Breaker
    pid: int
    tenant: Tenant

    def ask(self, *, tokens: int = 10, shift_s: float = 0.0) -> Ask:
        """A request of this tenant; `shift_s` is how far its worker's clock is off."""
        now = time.time() + shift_s
        return Ask(
            id=uuid4().hex,
            tenant=self.tenant.name,
            scopes=scopes_of("k", "m"),
            amounts=Amounts(1, tokens, tokens),
            limits=limits_on(self.tenant.limits, "k", "m", now),
            days=days_around(now, self.tenant.zone),
            months=months_around(now, self.tenant.zone),
            draft=b'{"kind":"released"}',
        )

    async def take(self) -> Reservation:
        """A reservation that is granted."""
        granted = await self.accounts.reserve(self.ask(), self.tenant)
        assert isinstance(granted, Reservation)
        return granted

    def settle(self, reservation: Reservation, tokens: int) -> None:
        """Charge it."""
        charge = Charge(Amounts(1, tokens, tokens), b'{"kind":"settled"}')
        self.accounts.settle(reservation, charge)

    async def seed(self, generation: str = "g1") -> None:
        """Begin an empty account."""
        await AccountScript(self.batch).seed(self.tenant.name, [], generation=generation)

    async def total(self, field: str) -> int:
        """A total of today's, straight from Redis."""
        day = days_around(time.time())[1].name
        found = await self.redis.hget(f"{account_key(self.tenant.name)}:day:{day}", field)
        return int(found or 0)

    async def rows(self) -> list[bytes]:
        """The ledger."""
        redis: Any = self.redis
        entries = await redis.xrange(f"{account_key(self.tenant.name)}:ledger")
        return [fields[b"row"] for _, fields in entries]

    async def held_ids(self) -> set[bytes]:
        """The ids of all holds in Redis."""
        redis: Any = self.redis
        return set(await redis.hkeys(f"{account_key(self.tenant.name)}:holds"))

    def freeze(self) -> None:
        """Redis answers nothing any more."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it was."""
        os.kill(self.pid, signal.SIGCONT)


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Bank]:
    """A seeded account with room for 40 tokens a day and its default policy."""
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        server = await enter(embedded_redis(tmp_path))
        client = await enter(patient_client(server.url))
        admin = await enter(Redis.from_url(server.url))
        pid = int((await admin.info("server"))["process_id"])
        breaker = redis_breaker(CLOCK)
        batch = await enter(batching(client, breaker, patience_s=FROZEN_AFTER_S))
        workers = await enter(replicas(batch, "w1"))
        accounts = await enter(shared_accounts(AccountScript(batch), workers, CLOCK, drain_s=5))
        tenant = Tenant("t", limits=(LimitRule(LimitName.TOKENS_PER_DAY, 40),))
        one = Bank(accounts, batch, admin, breaker, pid, tenant)
        await one.seed()
        try:
            yield one
        finally:
            with suppress(ProcessLookupError):
                one.thaw()


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds; fail when it does not in time."""
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


def with_policy(bank: Bank, policy: LossPolicy) -> None:
    """The tenant's own choice for when Redis is away."""
    bank.tenant = Tenant("t", limits=bank.tenant.limits, redis_loss=policy)


async def test_settlements_travel_together_and_nobody_waits(bank: Bank) -> None:
    """300 of them: charged in far fewer calls, all of them once."""
    bank.tenant = Tenant("t")
    taken = await asyncio.gather(*(bank.take() for _ in range(300)))
    before = (await bank.redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
    for each in taken:
        bank.settle(each, 7)
    assert bank.accounts.unsettled == 300
    assert await bank.accounts.settled(PATIENCE_S)
    calls = (await bank.redis.info("commandstats"))["cmdstat_evalsha"]["calls"] - before
    assert calls <= 4
    assert await bank.total("committed:tokens:tenant") == 2100
    assert await bank.held_ids() == set()


async def test_a_caller_that_leaves_while_asking_holds_nothing(bank: Bank) -> None:
    """Cancelled between asking and the answer: given back, whatever Redis made of it."""
    bank.freeze()
    asking = asyncio.create_task(bank.accounts.reserve(bank.ask(), bank.tenant))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    bank.thaw()
    assert await bank.accounts.settled(PATIENCE_S)
    async with asyncio.timeout(PATIENCE_S):
        while await bank.held_ids():
            await asyncio.sleep(0.01)
    assert await bank.total("committed:requests:tenant") == 0


async def test_a_share_is_granted_while_redis_is_frozen(bank: Bank) -> None:
    """Half the limit by this only worker; five wait until Redis is given up, and then nobody.

    What was granted is charged once when it is back.
    """
    bank.freeze()
    answers = [await bank.accounts.reserve(bank.ask(), bank.tenant) for _ in range(10)]
    granted = [each for each in answers if isinstance(each, Reservation)]
    assert [each.degraded for each in granted] == ["local_share"] * 2
    assert bank.breaker.failures_total <= FAILURES_TO_OPEN + 1, "the others did not ask"
    for each in granted:
        bank.settle(each, 7)
    bank.thaw()
    assert await bank.accounts.settled(PATIENCE_S)
    assert await bank.total("committed:tokens:tenant") == 14
    assert await bank.held_ids() == set()


async def test_a_strict_tenant_is_refused_while_redis_is_frozen(bank: Bank) -> None:
    """503 and when to come back; nothing stays held of what was asked in vain."""
    with_policy(bank, LossPolicy.FAIL_CLOSED)
    bank.freeze()
    with pytest.raises(QuotaUnavailable) as refused:
        await bank.accounts.reserve(bank.ask(), bank.tenant)
    assert (refused.value.status, refused.value.retry_after_s) == (503, 1.0)
    bank.thaw()
    assert await bank.accounts.settled(PATIENCE_S)
    async with asyncio.timeout(PATIENCE_S):
        while await bank.held_ids():
            await asyncio.sleep(0.01)


async def test_a_row_that_is_sent_again_is_written_once(bank: Bank) -> None:
    """Redis had it in its buffers all along; another row that says the same is another."""
    bank.accounts.record("t", b'{"id":"a","at":1}')
    assert await bank.accounts.settled(PATIENCE_S)
    bank.freeze()
    bank.accounts.record("t", b'{"id":"b","at":2}')
    await eventually(lambda: bank.breaker.failures_total >= 2)  # each sent in vain
    bank.thaw()
    assert await bank.accounts.settled(PATIENCE_S)
    bank.accounts.record("t", b'{"id":"b","at":2}')
    assert await bank.accounts.settled(PATIENCE_S)
    assert await bank.rows() == [b'{"id":"a","at":1}', b'{"id":"b","at":2}', b'{"id":"b","at":2}']


async def test_an_open_tenant_is_served_while_redis_is_frozen(bank: Bank) -> None:
    """Beyond every limit, counted afterwards."""
    with_policy(bank, LossPolicy.FAIL_OPEN)
    bank.freeze()
    for _ in range(8):
        bank.settle(await bank.take(), 10)
    bank.thaw()
    assert await bank.accounts.settled(PATIENCE_S)
    assert await bank.total("committed:tokens:tenant") == 80
    answer = await bank.accounts.reserve(bank.ask(), bank.tenant)
    assert isinstance(answer, Refusal)


async def test_an_emptied_redis_admits_its_share_until_it_is_seeded(bank: Bank) -> None:
    """No generation is not an empty budget: the policy holds, and somebody is told."""
    before = await bank.take()
    await bank.redis.flushall()
    meanwhile = await bank.take()
    assert meanwhile.degraded == "local_share"
    assert await bank.redis.smembers(UNSEEDED) == {b"t"}
    bank.settle(before, 5)
    bank.settle(meanwhile, 6)
    await bank.seed("g2")
    assert await bank.accounts.settled(PATIENCE_S)
    assert await bank.total("committed:tokens:tenant") == 11


async def test_a_settlement_that_redis_refuses_holds_up_no_other(bank: Bank) -> None:
    """It changes nothing; those around it are charged, once each."""
    taken = [await bank.take() for _ in range(3)]
    broken: Any = None
    unsound = replace(taken[1], generation="local:fail_open", day=broken)
    for each in (taken[0], unsound, taken[2]):
        bank.settle(each, 7)
    assert await bank.accounts.settled(PATIENCE_S)
    assert bank.accounts.settlements.refused_total == 1
    assert await bank.total("committed:tokens:tenant") == 14
    assert await bank.redis.keys(f"{account_key(bank.tenant.name)}:charged:*") == []


async def test_a_clock_that_is_days_off_changes_nothing(bank: Bank) -> None:
    """The server's day counts."""
    asked = bank.ask(shift_s=-5 * 86_400)
    granted = await bank.accounts.reserve(asked, bank.tenant)
    assert isinstance(granted, Reservation)
    assert granted.day == days_around(time.time())[1]


async def test_every_worker_knows_how_many_there_are(bank: Bank) -> None:
    """Whoever comes counts, whoever leaves does not."""
    async with replicas(bank.batch, "w2") as second:
        async with asyncio.timeout(PATIENCE_S):
            while second.count != 2:
                await asyncio.sleep(0.01)
    async with replicas(bank.batch, "w3") as third:
        async with asyncio.timeout(PATIENCE_S):
            await third.beat()
        assert third.count == 2
