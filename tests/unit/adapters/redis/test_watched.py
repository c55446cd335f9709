"""All ways to Redis, seen together."""

from __future__ import annotations

from app.adapters.redis.breaker import Breaker
from app.adapters.redis.watched import Breakers
from tests.fakes.clock import FakeClock


def test_a_dependency_answers_where_all_of_its_ways_do() -> None:
    """A cluster's lost node is the dependency's, and nobody else's."""
    breakers = Breakers(lambda way: way.partition(" ")[0])
    one, other, cache = (Breaker(FakeClock()) for _ in range(3))
    with (
        breakers.watching("accounts a:1", one),
        breakers.watching("accounts b:1", other),
        breakers.watching("cache", cache),
    ):
        assert breakers.answering() == {"accounts": True, "cache": True}
        for _ in range(5):
            other.failed()
        one.failed()
        assert breakers.answering() == {"accounts": False, "cache": True}
        assert breakers.failures() == {"accounts": 6, "cache": 0}


def test_what_failed_stays_counted_when_its_way_is_closed() -> None:
    """A counter never falls; what is closed is neither up nor down."""
    breakers, breaker = Breakers(str), Breaker(FakeClock())
    with breakers.watching("redis", breaker):
        breaker.failed()
    assert breakers.answering() == {}
    assert breakers.failures() == {"redis": 1}
    with breakers.watching("redis", Breaker(FakeClock())):
        assert breakers.failures() == {"redis": 1}


def test_a_way_that_nobody_uses_is_not_told_as_lost_for_ever() -> None:
    """Its breaker stays open until somebody asks; that is no news of the store."""
    clock = FakeClock()
    breakers, breaker = Breakers(str), Breaker(clock)
    with breakers.watching("redis", breaker):
        for _ in range(5):
            breaker.failed()
        clock.advance(5)
        assert breakers.answering() == {"redis": False}
        assert breaker.admits()
        clock.advance(60)
        assert breakers.answering() == {"redis": False}, "a probe is under way"
        breaker.abandoned()
        assert breakers.answering() == {"redis": True}
