"""A worker killed at every point between its first wait and its settlement.

Whatever it held ends by itself, and the counters, the holds and the ledger agree: what was charged
has its row, and what was lost has one that says so.
"""

from __future__ import annotations

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.adapters.clock import SystemClock
from app.adapters.redis.account import AccountScript, account_key
from app.domain.ledger.ledger_row import CHARGED, LedgerRow, RowKind, decode, marked
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import Limit, LimitName, LimitRule, limit_of
from tests.crashes.worker import STORIES, TTL_S
from tests.fakes.patient import PATIENCE_S, patient_batch, patient_client

DAY = tuple(
    limit_of(LimitRule(name, 10**6), 0.0)
    for name in (LimitName.CONCURRENCY, LimitName.REQUESTS_PER_DAY, LimitName.TOKENS_PER_DAY)
)


@dataclass(slots=True)
class Account:
    """One tenant's account, looked at from outside."""

    script: AccountScript
    redis: Redis
    tenant: str

    async def used(self, limits: tuple[Limit, ...] = DAY) -> tuple[int, ...]:
        """Running requests, and the day's requests and tokens, held ones included."""
        now = time.time()
        _, used = await self.script.read(self.tenant, limits, days_around(now), months_around(now))
        return used

    async def rows(self) -> list[LedgerRow]:
        """The ledger, with what the account noted about each row."""
        entries: Any = await self.redis.xrange(f"{account_key(self.tenant)}:ledger")
        return [
            marked(decode(fields[b"row"]), fields[b"mark"].decode(), 0.0) for _, fields in entries
        ]


@pytest.fixture
async def script(redis_url: str) -> AsyncIterator[AccountScript]:
    """The account script, on the test's Redis."""
    async with (
        patient_client(redis_url) as client,
        patient_batch(client, SystemClock()) as batch,
    ):
        yield AccountScript(batch)


async def killed(redis_url: str, tenant: str, story: str, point: int) -> str:
    """Run a worker that is killed at this point; what it printed."""
    arguments = ("-m", "tests.crashes.worker", redis_url, tenant, story, str(point))
    worker = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
    said, _ = await worker.communicate()
    assert worker.returncode == (-9 if point else 0)
    return said.decode()


async def crash(script: AccountScript, redis_url: str, story: str, point: int) -> RowKind | None:
    """Kill a worker there, and look at what it left; the kind of the only row."""
    async with Redis.from_url(redis_url) as redis:
        account = Account(script, redis, f"{story}-{point}-{uuid4().hex[:8]}")
        await script.seed(account.tenant, [], generation="g")
        await killed(redis_url, account.tenant, story, point)
        async with asyncio.timeout(PATIENCE_S):
            while (await account.used())[0]:
                await asyncio.sleep(TTL_S / 10)
        rows = await account.rows()
        _, requests, tokens = await account.used()
        charged = [row.charged for row in rows if row.kind in CHARGED]
        assert requests == len(charged)
        assert tokens == sum(each.tokens for each in charged)
        assert len(rows) <= 1
        assert await redis.hlen(f"{account_key(account.tenant)}:holds") == 0
        assert await redis.zcard(f"{account_key(account.tenant)}:expiry") == 0
        return rows[0].kind if rows else None


async def sweep(
    script: AccountScript, redis_url: str, story: str, step: int
) -> list[RowKind | None]:
    """Kill at every so many points; what was left each time, in their order."""
    unharmed = f"{story}-0-{uuid4().hex[:8]}"
    await script.seed(unharmed, [], generation="g")
    await killed(redis_url, unharmed, story, 0)  # now Redis knows the scripts: one step less
    points = int(await killed(redis_url, unharmed, story, 0)) + 2
    chosen = [*range(1, points - 1, step), points - 1, points]
    return [await crash(script, redis_url, story, point) for point in chosen]


#: What a story leaves where nobody is killed.
LEFT = {
    "whole": RowKind.SETTLED,
    "stream": RowKind.SETTLED,
    "untold": RowKind.SETTLED,
    "failed": RowKind.RELEASED,
}


def check(left: list[RowKind | None], story: str) -> None:
    """First nothing is reserved, then it expires, at last it is settled; never anything else."""
    order = [None, RowKind.EXPIRED, LEFT[story]]
    assert [order.index(kind) for kind in left] == sorted(order.index(kind) for kind in left)
    assert RowKind.EXPIRED in left
    assert left[-1] == LEFT[story]  # whoever is killed one step before may have sent it by then


@pytest.mark.parametrize("story", ["untold"])
async def test_a_killed_worker_leaves_no_hold_behind(
    script: AccountScript, redis_url: str, story: str
) -> None:
    """At every fifth point; all of them are swept by `make crashes`."""
    check(await sweep(script, redis_url, story, step=5), story)


@pytest.mark.long
@pytest.mark.parametrize("story", STORIES)
async def test_a_worker_may_be_killed_at_every_point(
    script: AccountScript, redis_url: str, story: str
) -> None:
    """Whole answers, spilled streams, broken ones, failures."""
    check(await sweep(script, redis_url, story, step=1), story)
