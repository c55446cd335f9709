"""Identical requests at the same time."""

from __future__ import annotations

import asyncio

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
