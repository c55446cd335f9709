"""Identical requests at the same time."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from app.domain.cache.entry import Entry
from app.stages.caching.flights import Flights
from tests.fakes.entries import an_entry

KEY = ("acme", b"f" * 16)
ENTRY = an_entry()


async def test_those_that_wait_get_the_answer_of_the_first() -> None:
    """All of them, as soon as it has landed."""
    flights = Flights(patience_s=30)
    with flights.leading(KEY) as flight:
        waiting = [asyncio.ensure_future(flights.answer(KEY)) for _ in range(5)]
        await asyncio.sleep(0)
        flight.land(ENTRY)
        assert await asyncio.gather(*waiting) == [ENTRY] * 5


async def test_whoever_comes_first_or_asks_something_else_waits_for_nobody() -> None:
    """Another tenant's identical request is something else."""
    flights = Flights(patience_s=30)
    assert await flights.answer(KEY) is None
    with flights.leading(KEY):
        assert await flights.answer(("other", KEY[1])) is None
        assert await flights.answer(("acme", b"g" * 16)) is None


@pytest.mark.parametrize("landed", [None, ENTRY])
async def test_a_request_that_ends_lets_the_others_go(landed: Entry | None) -> None:
    """Whether by an answer that is not kept, an error or a cancellation; and the next may lead."""
    flights = Flights(patience_s=30)

    async def fail() -> None:
        with flights.leading(KEY) as flight:
            await asyncio.sleep(0)
            if landed is not None:
                flight.land(landed)
            raise RuntimeError

    leader = asyncio.ensure_future(fail())
    await asyncio.sleep(0)
    assert await flights.answer(KEY) is landed
    with pytest.raises(RuntimeError):
        await leader
    assert await flights.answer(KEY) is None


async def test_patience_ends() -> None:
    """A slow answer holds nobody for longer than it may, and a second leader changes nothing."""
    flights = Flights(patience_s=0.01)
    with flights.leading(KEY) as first:
        assert await flights.answer(KEY) is None
        with flights.leading(KEY) as second:
            second.land(ENTRY)
            assert await flights.answer(KEY) is None
        first.land(ENTRY)
        assert await flights.answer(KEY) == ENTRY


async def test_no_more_than_so_many_are_waited_for() -> None:
    """Beyond that each request asks for itself, so that memory is bounded."""
    flights = Flights(patience_s=30, most=1)
    with flights.leading(KEY), flights.leading(("other", KEY[1])):
        assert await flights.answer(("other", KEY[1])) is None


async def test_one_that_leaves_while_it_waits_disturbs_nobody() -> None:
    """The others still get the answer."""
    flights = Flights(patience_s=30)
    with flights.leading(KEY) as flight:
        leaver = asyncio.ensure_future(flights.answer(KEY))
        stayer = asyncio.ensure_future(flights.answer(KEY))
        await asyncio.sleep(0)
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        flight.land(ENTRY)
        assert await stayer == ENTRY


async def flown(flights: Flights, calls: list[int], entry: Entry | None) -> Entry | None:
    """One request: it waits for another's answer, or asks and gets `entry`."""
    found = await flights.answer(KEY)
    if found is not None:
        return found
    with flights.leading(KEY) as flight:
        calls.append(1)
        await asyncio.sleep(0.001)
        flight.land(entry)
        return entry


async def test_a_leader_that_leaves_is_followed_by_one_of_those_that_waited() -> None:
    """The others wait for that one: of fifty, one more asks upstream."""
    flights, calls = Flights(patience_s=30), list[int]()
    with flights.leading(KEY):
        waiting = [asyncio.ensure_future(flown(flights, calls, ENTRY)) for _ in range(50)]
        await asyncio.sleep(0)
    assert await asyncio.gather(*waiting) == [ENTRY] * 50
    assert len(calls) == 1


async def test_after_a_second_failure_each_asks_for_itself() -> None:
    """At the same time, not one after the other."""
    flights, calls = Flights(patience_s=30), list[int]()
    with flights.leading(KEY):
        waiting = [asyncio.ensure_future(flown(flights, calls, None)) for _ in range(10)]
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert len(calls) == 1
    assert await asyncio.gather(*waiting) == [None] * 10
    assert len(calls) == 10


async def test_patience_is_for_all_leaders_together() -> None:
    """Whoever waited for one waits the less for the next."""
    flights, order = Flights(patience_s=0.2), list[str]()

    async def wait(name: str) -> None:
        assert await flights.answer(KEY) is None
        order.append(name)

    with flights.leading(KEY):
        early = asyncio.ensure_future(wait("early"))
        await asyncio.sleep(0.1)
    with flights.leading(KEY):
        await asyncio.gather(early, wait("late"))
    assert order == ["early", "late"]


async def test_what_was_evicted_is_neither_joined_nor_given() -> None:
    """Whoever asks after an eviction leads anew; whoever waited before it gets nothing old."""
    now = [object()]
    flights = Flights(patience_s=30, generation=lambda _tenant: (now[0],))
    with flights.leading(KEY) as old:
        early = asyncio.ensure_future(flights.answer(KEY))
        await asyncio.sleep(0)
        now[0] = object()
        assert await flights.answer(KEY) is None
        with flights.leading(KEY) as fresh:
            old.land(ENTRY)
            assert await early is None
            late = asyncio.ensure_future(flights.answer(KEY))
            await asyncio.sleep(0)
            fresh.land(ENTRY)
            assert await late == ENTRY
    assert await flights.answer(KEY) is None


async def test_a_tenant_that_was_made_again_is_another() -> None:
    """Be it equal to the one before in all it has."""
    tenants = [["acme"]]
    flights = Flights(patience_s=30, generation=lambda _tenant: (tenants[0],))
    with flights.leading(KEY):
        tenants[0] = ["acme"]
        assert await flights.answer(KEY) is None


async def test_an_old_flight_that_ends_leaves_the_new_one_alone() -> None:
    """It is still waited for."""
    now = [object()]
    flights = Flights(patience_s=30, generation=lambda _tenant: (now[0],))
    with ExitStack() as opened:
        with flights.leading(KEY):
            now[0] = object()
            fresh = opened.enter_context(flights.leading(KEY))
        waiting = asyncio.ensure_future(flights.answer(KEY))
        await asyncio.sleep(0)
        fresh.land(ENTRY)
        assert await waiting == ENTRY
