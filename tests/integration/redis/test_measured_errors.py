"""Evidence that replicas share, in a real Redis."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from uuid import uuid4

from app.adapters.redis.measured_errors import Measure, RedisMeasuredErrors, measuring_errors
from app.adapters.redis.store import opened_store
from app.domain.cache.error_rate import Comparison
from tests.fakes.clock import FakeClock
from tests.fakes.patient import PATIENCE_S, patient, patient_client

WIDEST = 0.1


async def replica(opened: AsyncExitStack, url: str, embedder: str = "fake") -> RedisMeasuredErrors:
    clock = FakeClock()
    store = await opened.enter_async_context(opened_store(patient(url), clock))
    measure = Measure(embedder, WIDEST)
    return await opened.enter_async_context(measuring_errors(store.batch, clock, measure))


async def test_what_one_replica_compares_tightens_all(redis_url: str) -> None:
    """None of them has enough alone; another embedder's distances mean something else."""
    tenant = f"tenant-{uuid4()}"
    async with AsyncExitStack() as opened:
        replicas = [await replica(opened, redis_url) for _ in range(3)]
        other = await replica(opened, redis_url, "another")
        for each in replicas:
            for _ in range(8):
                each.record(tenant, "m", 0.05, Comparison.DIFFERENT)
        async with asyncio.timeout(PATIENCE_S):
            while [found.samples for found in await replicas[0].listed(tenant)] != [24]:
                await asyncio.sleep(0.01)
        for each in replicas:
            await each.listed(tenant)
        assert [each.threshold(tenant, "m") for each in replicas] == [0.0] * 3
        assert list(await other.listed(tenant)) == []
        assert other.threshold(tenant, "m") == WIDEST


async def test_evidence_ends_by_itself(redis_url: str) -> None:
    """A tenant that is gone leaves nothing behind; its name is in no key."""
    tenant, embedder = f"tenant-{uuid4()}", uuid4().hex
    async with AsyncExitStack() as opened:
        errors = await replica(opened, redis_url, embedder)
        errors.record(tenant, "m", 0.05, Comparison.SAME)
        client = await opened.enter_async_context(patient_client(redis_url))

        async def lives() -> dict[str, int]:
            keys = [key async for key in client.scan_iter(f"spillgate:measured:*{embedder}*")]
            return {str(key): await client.ttl(key) for key in keys}

        async with asyncio.timeout(PATIENCE_S):
            while not (found := await lives()) or min(found.values()) < 0:
                await asyncio.sleep(0.01)
        assert all(30 * 86_400 < ttl <= 31 * 86_400 for ttl in found.values())
        assert not [key for key in found if tenant in key]
