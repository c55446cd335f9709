"""Evidence that is followed while its store comes and goes."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.adapters.redis.batch import Command, NotSent
from app.adapters.redis.measured_errors import (
    FOLLOWED_S,
    MOST_WAITING,
    REFRESH_S,
    Measure,
    RedisMeasuredErrors,
    measuring_errors,
)
from app.domain.cache.error_rate import Comparison
from app.domain.cache.measured import DAYS
from app.errors import StoreUnavailable
from tests.fakes.clock import FakeClock

SAME, DIFFERENT = Comparison.SAME, Comparison.DIFFERENT
WIDEST = 0.1


class Hashes:
    """As much of a Redis as is asked; `away` is how it fails."""

    def __init__(self) -> None:
        self.away: StoreUnavailable | None = None
        self.asked: Counter[str] = Counter()
        self._hashes: defaultdict[str, Counter[str]] = defaultdict(Counter)

    async def call(self, command: Command) -> Any:
        name, key, *rest = map(str, command)
        self.asked[name] += 1
        await asyncio.sleep(0)
        if self.away is not None:
            raise self.away
        if name == "HINCRBY":
            self._hashes[key][rest[0]] += int(rest[1])
        if name == "HGETALL":
            return {k.encode(): str(v).encode() for k, v in self._hashes[key].items()}
        return None


@pytest.fixture
def hashes() -> Hashes:
    return Hashes()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def errors(hashes: Hashes, clock: FakeClock) -> RedisMeasuredErrors:
    return RedisMeasuredErrors(hashes, clock, Measure("fake", WIDEST))


def wrong(errors: RedisMeasuredErrors, times: int = 30) -> None:
    for _ in range(times):
        errors.record("acme", "m", 0.01, DIFFERENT)


async def looked(errors: RedisMeasuredErrors) -> None:
    """Have it told and looked at."""
    await errors.tell()
    await errors.listed("acme")


async def test_nothing_is_served_by_meaning_before_it_was_looked_at(
    errors: RedisMeasuredErrors,
) -> None:
    """A worker that starts does not know yet how often that was wrong."""
    assert errors.threshold("acme", "m") == 0.0
    await looked(errors)
    assert errors.threshold("acme", "m") == WIDEST


async def test_while_the_store_is_away_the_last_look_holds(
    errors: RedisMeasuredErrors, hashes: Hashes
) -> None:
    """For requests and for those who look after the cache."""
    wrong(errors)
    await looked(errors)
    hashes.away = NotSent("away")
    assert errors.threshold("acme", "m") == 0.0
    assert [each.samples for each in await errors.listed("acme")] == [30]
    with pytest.raises(StoreUnavailable):
        await errors.listed("never looked at")


async def test_what_was_not_sent_is_sent_later(errors: RedisMeasuredErrors, hashes: Hashes) -> None:
    """Once, and with what came meanwhile."""
    hashes.away = NotSent("away")
    wrong(errors, 3)
    with pytest.raises(NotSent):
        await errors.tell()
    wrong(errors, 2)
    hashes.away = None
    await looked(errors)
    assert [each.false_hits for each in await errors.listed("acme")] == [5]
    assert errors.lost_total == 0


async def test_what_may_have_arrived_is_not_sent_again(
    errors: RedisMeasuredErrors, hashes: Hashes
) -> None:
    """To count twice would be worse than not at all: it is counted as lost."""
    hashes.away = StoreUnavailable("no answer")
    wrong(errors, 3)
    await errors.tell()
    hashes.away = None
    await looked(errors)
    assert (await errors.listed("acme"), errors.lost_total) == ([], 3)


async def test_what_waits_is_bounded(errors: RedisMeasuredErrors) -> None:
    """Of a store that is away for long; what is counted already goes on being counted."""
    for number in range(MOST_WAITING + 5):
        errors.record("acme", f"m{number}", 0.0, SAME)
    errors.record("acme", "m0", 0.0, SAME)
    assert errors.lost_total == 5
    assert errors.compared_total[SAME] == MOST_WAITING + 6


async def test_days_that_are_over_are_read_once(
    errors: RedisMeasuredErrors, hashes: Hashes, clock: FakeClock
) -> None:
    """Today and yesterday are looked at again, and a new day when it comes."""
    await looked(errors)
    assert hashes.asked["HGETALL"] == DAYS
    await looked(errors)
    assert hashes.asked["HGETALL"] == DAYS + 2
    clock.advance(86_400)
    await looked(errors)
    assert hashes.asked["HGETALL"] == DAYS + 4


async def test_a_changed_threshold_is_said(errors: RedisMeasuredErrors) -> None:
    """Once, with what it stands on; staying the same is not news."""
    with capture_logs() as logs:
        await looked(errors)
        wrong(errors)
        await looked(errors)
        await looked(errors)
    said = [each for each in logs if each["event"] == "semantic_threshold"]
    assert [(each["tenant"], each["threshold"], each["false_hits"]) for each in said] == [
        ("acme", 0.0, 30)
    ]


async def until(holds: Any) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


async def test_it_is_followed_in_the_background(hashes: Hashes, clock: FakeClock) -> None:
    """What others counted is seen without anybody asking; who asks nothing is not followed."""
    async with measuring_errors(hashes, clock, Measure("fake", WIDEST)) as errors:
        assert errors.threshold("acme", "m") == 0.0
        await until(lambda: errors.threshold("acme", "m") == WIDEST)
        other = RedisMeasuredErrors(hashes, clock, Measure("fake", WIDEST))
        wrong(other)
        await other.tell()
        clock.advance(REFRESH_S)
        errors.record("rival", "m", 0.0, SAME)  # wakes it before its time
        await until(lambda: errors.threshold("acme", "m") == 0.0)
        clock.advance(FOLLOWED_S + 1)
        errors.threshold("rival", "m")
        errors.record("rival", "m", 0.0, SAME)
        await until(lambda: "acme" not in errors._followed)  # noqa: SLF001  # nothing else shows it


async def test_the_last_counts_are_told_at_the_end(hashes: Hashes, clock: FakeClock) -> None:
    """A worker that ends loses nothing; one without a store ends all the same."""
    async with measuring_errors(hashes, clock, Measure("fake", WIDEST)) as errors:
        wrong(errors, 2)
    after = RedisMeasuredErrors(hashes, clock, Measure("fake", WIDEST))
    assert [each.samples for each in await after.listed("acme")] == [2]
    async with measuring_errors(hashes, clock, Measure("fake", WIDEST)) as errors:
        hashes.away = NotSent("away")
        wrong(errors, 2)
