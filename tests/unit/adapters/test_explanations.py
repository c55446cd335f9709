"""Explanations kept for a while: bounded in every direction, and nobody waits for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.adapters.explanations import (
    MOST_WAITING,
    Explanations,
    is_sampled,
    keeping_explanations,
    key_of,
)
from app.adapters.redis.batch import Command
from app.domain.ledger.completion import Receipt
from app.errors import StoreUnavailable
from app.settings import Explain
from tests.fakes.clock import FakeClock
from tests.fakes.receipts import served


class FakeRedis:
    """Strings in a dictionary. `away` refuses; `frozen` lets callers wait."""

    def __init__(self) -> None:
        self.kept: dict[str, Any] = {}
        self.ends: dict[str, int] = {}
        self.away = False
        self.thawed = asyncio.Event()
        self.thawed.set()

    async def call(self, command: Command) -> Any:
        await self.thawed.wait()
        if self.away:
            raise StoreUnavailable("away")
        if command[0] == "GET":
            return self.kept.get(str(command[1]))
        _, key, data, _, keep_s = command
        self.kept[str(key)], self.ends[str(key)] = data, int(keep_s)
        return b"OK"

    async def call_all(self, commands: Sequence[Command]) -> list[Any]:
        return await asyncio.gather(*map(self.call, commands), return_exceptions=True)


def of(number: int, **changes: Any) -> Receipt:
    return served(request_id=f"req-{number}", **changes)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0)


@pytest.fixture
def redis() -> FakeRedis:
    return FakeRedis()


@asynccontextmanager
async def keeping(redis: FakeRedis, **policy: Any) -> AsyncIterator[Explanations]:
    async with keeping_explanations(redis, FakeClock(), Explain(**policy)) as kept:
        yield kept


async def test_an_explanation_is_found_by_its_tenant_alone(redis: FakeRedis) -> None:
    """Two tenants may choose the same id: each has its own, an operator sees the latest."""
    async with keeping(redis, keep_s=60) as explanations:
        explanations.observe(of(1, tenant="search", started_at=10.0))
        explanations.observe(of(1, tenant="other", started_at=20.0))
        await until(lambda: explanations.kept_total == 2)
        mine = await explanations.find("req-1", ["search"])
        latest = await explanations.find("req-1", ["search", "other", "third"])
        assert mine is not None
        assert latest is not None
        assert (mine.tenant, latest.tenant) == ("search", "other")
        assert await explanations.find("req-2", ["search"]) is None
        assert set(redis.ends.values()) == {60}


async def test_strangers_and_what_is_turned_off_are_not_kept(redis: FakeRedis) -> None:
    """Whoever has no key could fill any memory."""
    async with keeping(redis) as explanations:
        explanations.observe(of(1, tenant=None))
    async with keeping(redis, keep_s=0) as explanations:
        explanations.observe(of(1))
    assert redis.kept == {}


async def test_while_redis_is_away_explanations_are_dropped_and_counted(redis: FakeRedis) -> None:
    """And kept again afterwards."""
    async with keeping(redis) as explanations:
        redis.away = True
        explanations.observe(of(1))
        await until(lambda: explanations.dropped_total == 1)
        redis.away = False
        explanations.observe(of(2))
        await until(lambda: explanations.kept_total == 1)
        assert list(redis.kept) == [key_of("search", "req-2")]


async def test_one_that_cannot_be_kept_costs_the_others_nothing(redis: FakeRedis) -> None:
    """It is dropped and counted, at the end, too."""
    async with keeping(redis) as explanations:
        for number in range(3):
            explanations.observe(of(number, nano_usd=10**30 if number == 1 else 1))
        await until(lambda: explanations.kept_total == 2)
        assert explanations.dropped_total == 1
        explanations.observe(served(request_id="\ud800"))
    assert explanations.dropped_total == 2
    assert list(redis.kept) == [key_of("search", "req-0"), key_of("search", "req-2")]


async def test_a_frozen_redis_costs_bounded_memory_and_no_time(redis: FakeRedis) -> None:
    """`observe` is no coroutine: what does not fit into the queue is dropped at once."""
    redis.thawed.clear()
    async with keeping(redis) as explanations:
        for number in range(MOST_WAITING + 50):
            explanations.observe(of(number))
        assert explanations.dropped_total == 50
        redis.thawed.set()
    assert explanations.kept_total == MOST_WAITING, "what waits at the end is written"


async def test_the_end_does_not_wait_for_a_frozen_redis(redis: FakeRedis) -> None:
    """Half a second, for what is not worth more."""
    redis.thawed.clear()
    async with asyncio.timeout(20), keeping(redis) as explanations:
        explanations.observe(of(1))
    assert redis.kept == {}


async def test_one_worker_has_only_so_many_at_a_time(redis: FakeRedis) -> None:
    """Room comes back as they expire."""
    clock, policy = FakeClock(), Explain(keep_s=10, max_records=3)
    explanations = Explanations(redis, clock, policy)
    for number in range(4):
        clock.advance(1.0)
        explanations.observe(of(number))
    assert explanations.dropped_total == 1
    clock.advance(7.5)  # the first is over 10 s old, the second is not
    explanations.observe(of(4))
    explanations.observe(of(5))
    assert explanations.dropped_total == 2


async def test_several_are_kept_as_far_as_there_is_room(redis: FakeRedis) -> None:
    """Those that came first; a stranger's takes none."""
    async with keeping(redis, max_records=2) as explanations:
        explanations.observe(of(0, tenant=None), of(1), of(2), of(3))
        assert explanations.dropped_total == 1
    assert list(redis.kept) == [key_of("search", "req-1"), key_of("search", "req-2")]


async def test_what_cannot_be_read_is_passed_over(redis: FakeRedis) -> None:
    """A worker of a later version may have written it."""
    redis.kept[key_of("search", "req-1")] = b'{"form": 2}'
    explanations = Explanations(redis, FakeClock(), Explain())
    assert await explanations.find("req-1", ["search"]) is None


@given(st.text(), st.floats(0, 1))
def test_a_sample_is_the_same_everywhere_and_grows(request_id: str, part: float) -> None:
    """Who is in a smaller sample is in every larger one; all are in the whole, none in nothing."""
    assert is_sampled(request_id, 1.0)
    assert not is_sampled(request_id, 0.0)
    if is_sampled(request_id, part):
        assert is_sampled(request_id, min(1.0, part * 1.5))


async def test_a_sample_has_the_size_that_was_asked_for(redis: FakeRedis) -> None:
    """Of 2,000 requests about a quarter."""
    async with keeping(redis, sample=0.25) as explanations:
        for number in range(2000):
            explanations.observe(of(number))
    assert 400 < len(redis.kept) < 600
    assert explanations.dropped_total == 0
