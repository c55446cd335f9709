"""What measures the cache, in memory and in Redis: both keep the same promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol
from uuid import uuid4

import pytest

from app.adapters.redis.measured_errors import Measure, measuring_errors
from app.adapters.redis.store import opened_store
from app.domain.cache.error_rate import Comparison
from app.ports import HitEvidence, MeasuredErrors
from tests.fakes.clock import FakeClock
from tests.fakes.measured_errors import FakeMeasuredErrors
from tests.fakes.patient import PATIENCE_S, patient

SAME, DIFFERENT, UNDECIDED = Comparison.SAME, Comparison.DIFFERENT, Comparison.UNDECIDED
WIDEST = 0.1
DAY_S = 86_400.0


class Errors(HitEvidence, MeasuredErrors, Protocol):
    """Both ports, and what is told once."""

    bound: Callable[[str, str], float]

    async def is_news(self, tenant: str, told: str) -> bool: ...


Opening = Callable[[FakeClock], AbstractAsyncContextManager[Errors]]


@pytest.fixture(params=["memory", "redis"])
def opening(request: pytest.FixtureRequest) -> Opening:
    @asynccontextmanager
    async def in_memory(clock: FakeClock) -> AsyncIterator[Errors]:
        yield FakeMeasuredErrors(clock, widest=WIDEST)

    @asynccontextmanager
    async def in_redis(clock: FakeClock) -> AsyncIterator[Errors]:
        async with (
            opened_store(patient(url), clock) as store,
            measuring_errors(store.batch, clock, Measure("fake", WIDEST)) as errors,
        ):
            yield errors

    if request.param == "memory":
        return in_memory
    url = request.getfixturevalue("redis_url")
    return in_redis


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def errors(opening: Opening, clock: FakeClock) -> AsyncIterator[Errors]:
    async with opening(clock) as opened:
        yield opened


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid4()}"


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():
            await asyncio.sleep(0.005)


async def until_threshold(errors: Errors, tenant: str, threshold: float) -> None:
    async def holds() -> bool:
        return errors.threshold(tenant, "m") == pytest.approx(threshold)

    await until(holds)


async def recorded(errors: Errors, tenant: str, count: int, comparison: Comparison = SAME) -> None:
    """So many comparisons of prompts that are near, known everywhere."""
    before = sum(each.samples for each in await errors.listed(tenant))
    for _ in range(count):
        errors.record(tenant, "m", 0.015, comparison)

    async def are_known() -> bool:
        return sum(each.samples for each in await errors.listed(tenant)) == before + count

    await until(are_known)


async def test_nothing_was_compared(errors: Errors, tenant: str) -> None:
    """The threshold is the embedder's own, and there is nothing to list."""
    await until_threshold(errors, tenant, WIDEST)
    assert list(await errors.listed(tenant)) == []


async def test_comparisons_are_counted_by_model(errors: Errors, tenant: str) -> None:
    """Another tenant's are not among them."""
    errors.record(tenant, "m", 0.015, SAME)
    errors.record(tenant, "m", 0.05, DIFFERENT)
    errors.record(tenant, "m", 0.05, UNDECIDED)
    errors.record(tenant, "other:model", 0.0, SAME)
    errors.record(f"{tenant}x", "m", 0.0, DIFFERENT)

    async def are_known() -> bool:
        found = {each.model: each for each in await errors.listed(tenant)}
        return len(found) == 2 and found["m"].undecided == 1 and found["m"].samples == 2

    await until(are_known)
    of_m, of_other = await errors.listed(tenant)
    assert (of_m.tenant, of_m.model, of_m.samples, of_m.false_hits) == (tenant, "m", 2, 1)
    assert (of_other.samples, of_other.false_hits, of_other.widest) == (1, 0, WIDEST)
    assert of_m.low < of_m.rate == 0.5 < of_m.high


async def test_too_many_errors_tighten(errors: Errors, tenant: str) -> None:
    """By what this tenant allows; another tenant's threshold stays."""
    await recorded(errors, tenant, 30, SAME)
    await until_threshold(errors, tenant, WIDEST)
    await recorded(errors, tenant, 10, DIFFERENT)
    await until_threshold(errors, tenant, 0.0)
    assert [each.threshold for each in await errors.listed(tenant)] == [0.0]
    await until_threshold(errors, f"{tenant}x", WIDEST)


async def test_a_tenant_may_allow_more(errors: Errors, tenant: str) -> None:
    """`bound` is asked with whose and which it is."""
    asked: set[tuple[str, str]] = set()

    def bound(name: str, model: str) -> float:
        asked.add((name, model))
        return 0.9

    errors.bound = bound
    await recorded(errors, tenant, 40, DIFFERENT)
    await recorded(errors, tenant, 80, SAME)
    await until_threshold(errors, tenant, WIDEST)
    assert (tenant, "m") in asked


async def test_evidence_fades(errors: Errors, tenant: str, clock: FakeClock) -> None:
    """After 30 days, day by day."""
    await recorded(errors, tenant, 40, DIFFERENT)
    await until_threshold(errors, tenant, 0.0)
    clock.advance(20 * DAY_S)
    await recorded(errors, tenant, 10, SAME)
    assert [each.samples for each in await errors.listed(tenant)] == [50]
    clock.advance(10 * DAY_S)
    assert [each.samples for each in await errors.listed(tenant)] == [10]
    await until_threshold(errors, tenant, WIDEST)
    clock.advance(20 * DAY_S)
    assert list(await errors.listed(tenant)) == []


async def test_something_is_told_once(errors: Errors, tenant: str) -> None:
    """By tenant."""
    assert await errors.is_news(tenant, "req_1")
    assert not await errors.is_news(tenant, "req_1")
    assert await errors.is_news(tenant, "req_2")
    assert await errors.is_news(f"{tenant}x", "req_1")
