"""Accounts on a cluster of three; what one server does too is in `test_account.py`, run on both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from redis.asyncio.cluster import RedisCluster

from app.adapters.clock import SystemClock
from app.adapters.redis.account import AccountScript, account_key
from app.adapters.redis.batch import Batch
from app.adapters.redis.store import Place, opened_store
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import LimitName, LimitRule, limit_of, scopes_of
from app.domain.quota.reservation import Amounts, Ask, Reservation
from tests.integration.redis.cluster import NODES, Cluster

pytestmark = pytest.mark.long

PATIENCE_S = 5.0


@pytest.fixture
async def client(redis_cluster: Cluster) -> AsyncIterator[RedisCluster]:
    async with redis_cluster.client() as opened:
        yield opened


@pytest.fixture
async def batch(redis_cluster: Cluster) -> AsyncIterator[Batch]:
    place = Place(redis_cluster.url, cluster=True, patience_s=PATIENCE_S)
    async with opened_store(place, SystemClock()) as store:
        yield store.batch


def ask_of(tenant: str) -> Ask:
    """A request of a tenant that may have three."""
    now = SystemClock().unix()
    limit = limit_of(LimitRule(LimitName.CONCURRENCY, 3), now)
    return Ask(
        id=uuid4().hex,
        tenant=tenant,
        scopes=scopes_of("k1", "m1"),
        amounts=Amounts(1, 10, 10),
        limits=(limit,),
        days=days_around(now),
        months=months_around(now),
    )


async def admitted(script: AccountScript, tenants: list[str]) -> list[int]:
    """How many of ten requests at once each tenant got in, everybody's in one crowd."""
    asks = [ask_of(tenant) for tenant in tenants for _ in range(10)]
    answers = await asyncio.gather(*(script.reserve(ask) for ask in asks))
    granted = [answer.ask.tenant for answer in answers if isinstance(answer, Reservation)]
    return [granted.count(tenant) for tenant in tenants]


async def test_a_batch_is_spread_over_all_nodes(client: RedisCluster, batch: Batch) -> None:
    """Tenants live on every node; a crowd of theirs is admitted exactly, each by its own limit."""
    tenants = [uuid4().hex for _ in range(12)]
    nodes = {client.get_node_from_key(account_key(tenant)) for tenant in tenants}
    assert len(nodes) == NODES
    script = AccountScript(batch)
    await asyncio.gather(*(script.seed(tenant, [], generation="g1") for tenant in tenants))
    assert await admitted(script, tenants) == [3] * 12


async def test_a_tenants_keys_are_on_one_node(client: RedisCluster, batch: Batch) -> None:
    """However many there are: the hash tag keeps them together."""
    tenant = uuid4().hex
    script = AccountScript(batch)
    await script.seed(tenant, [], generation="g1")
    assert await admitted(script, [tenant]) == [3]
    keys = [key async for key in client.scan_iter(f"{account_key(tenant)}*")]
    assert len(keys) >= 5
    assert {client.keyslot(key) for key in keys} == {client.keyslot(account_key(tenant))}


async def test_nodes_that_forgot_their_scripts_learn_them(
    client: RedisCluster, batch: Batch
) -> None:
    """Each node when it is first asked again; nothing is taken twice by that."""
    tenants = [uuid4().hex for _ in range(12)]
    script = AccountScript(batch)
    await asyncio.gather(*(script.seed(tenant, [], generation="g1") for tenant in tenants))
    await client.script_flush()
    assert await admitted(script, tenants) == [3] * 12
