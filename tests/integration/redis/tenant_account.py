"""A tenant's account on a real server: what tests may ask of it, and what is kept of it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from app.adapters.clock import SystemClock
from app.adapters.redis.account import AccountScript, Settlement, account_key
from app.adapters.redis.batch import Batch
from app.adapters.redis.store import opened_store
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import Limit, LimitName, LimitRule, Mode, limit_of, scopes_of
from app.domain.quota.reservation import Amounts, Ask, Charge, Reservation
from tests.fakes.patient import patient

SCOPES = scopes_of("k1", "gpt-4o")


def limit(name: LimitName, amount: float, mode: Mode = Mode.HARD) -> Limit:
    """A limit of the whole tenant."""
    return limit_of(LimitRule(name, amount, mode), time.time())


class Account:
    """One tenant's account, fresh and seeded."""

    def __init__(self, batch: Batch, client: Redis, tenant: str) -> None:
        self.batch = batch
        self.script = AccountScript(batch)
        self.brief = AccountScript(batch, ttl_s=0.02)
        self.client = client
        self.tenant = tenant

    def ask(self, *limits: Limit, tokens: int = 10, nano_usd: int = 100, name: str = "") -> Ask:
        """A request that meets these limits."""
        return Ask(
            id=name or uuid4().hex,
            tenant=self.tenant,
            scopes=SCOPES,
            amounts=Amounts(1, tokens, nano_usd),
            limits=limits,
            days=days_around(time.time()),
            months=months_around(time.time()),
            draft=b'{"kind":"expired"}',
        )

    async def take(self, *limits: Limit, tokens: int = 10, name: str = "") -> Reservation:
        """A reservation that is granted."""
        granted = await self.script.reserve(self.ask(*limits, tokens=tokens, name=name))
        assert isinstance(granted, Reservation)
        return granted

    async def settle(self, reservation: Reservation, tokens: int, row: bytes = b"{}") -> str:
        """Charge tokens; how it went."""
        charge = Charge(Amounts(1, tokens, tokens), row)
        outcomes = await self.script.settle(self.tenant, [Settlement(reservation, charge)])
        return outcomes[0]

    async def used(self, name: LimitName) -> int:
        """How much of a limit is used."""
        _, used = await self.script.read(
            self.tenant,
            [limit(name, 10**9 if name is not LimitName.USD_PER_DAY else 1)],
            days_around(time.time()),
            months_around(time.time()),
        )
        return used[0]

    async def rows(self) -> list[tuple[bytes, bytes]]:
        """The ledger: rows and their marks."""
        entries: Any = await self.client.xrange(f"{account_key(self.tenant)}:ledger")
        return [(fields[b"row"], fields[b"mark"]) for _, fields in entries]

    async def keys(self) -> dict[bytes, object]:
        """Everything that is kept of the account, but for lifetimes."""
        kept: dict[bytes, object] = {}
        async for key in self.client.scan_iter(f"{account_key(self.tenant)}:*"):
            kept[key] = await self.client.dump(key)
        return kept


@asynccontextmanager
async def opened(url: str, *, cluster: bool = False) -> AsyncIterator[Account]:
    """A seeded account on this server, or on the cluster that it is a node of."""
    place = patient(url, cluster=cluster)
    client: Any = RedisCluster.from_url(url) if cluster else Redis.from_url(url)
    async with client, opened_store(place, SystemClock()) as store:
        one = Account(store.batch, client, uuid4().hex)
        await one.script.seed(one.tenant, [], generation="g1")
        yield one
