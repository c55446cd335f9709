"""Receipts that are told together: all of them, in order, soon."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from app.adapters.bunches import MOST, PART, in_bunches
from tests.fakes.observer import RecordingObserver
from tests.fakes.receipts import served


async def test_receipts_wait_for_others_and_not_for_long() -> None:
    """Nobody is told within the request; everybody is, without being asked, in order."""
    log, metrics = RecordingObserver(), RecordingObserver()
    receipts = [served(request_id=f"req-{number}") for number in range(3)]
    with in_bunches([log, metrics]) as bunches:
        for each in receipts:
            bunches.observe(each)
        assert log.receipts == []
        async with asyncio.timeout(60):
            while not metrics.receipts:
                await asyncio.sleep(0.001)
        assert log.receipts == metrics.receipts == receipts


async def test_no_bunch_holds_the_loop_for_long() -> None:
    """A part of it is told to one of them at a time, and the loop does other things in between."""
    log, metrics = RecordingObserver(), RecordingObserver()
    told = [0]
    with in_bunches([log, metrics]) as bunches:
        for number in range(MOST):
            bunches.observe(served(request_id=f"req-{number}"))
        async with asyncio.timeout(60):
            while told[-1] < 2 * MOST:
                told.append(len(log.receipts) + len(metrics.receipts))
                await asyncio.sleep(0)
    assert max(after - before for before, after in pairwise(told)) == PART
    assert log.receipts == metrics.receipts


async def test_what_comes_faster_than_it_is_told_does_not_pile_up() -> None:
    """Of the bunch before nothing waits any more when the next one begins."""
    log = RecordingObserver()
    with in_bunches([log]) as bunches:
        for number in range(MOST * 8 + 1):
            bunches.observe(served(request_id=f"req-{number}"))
        assert len(log.receipts) >= MOST * 7
    assert [each.request_id for each in log.receipts] == [f"req-{n}" for n in range(MOST * 8 + 1)]


async def test_who_asks_has_all_that_is_over() -> None:
    """As a scrape does; nobody is told twice."""
    log = RecordingObserver()
    with in_bunches([log]) as bunches:
        bunches.observe(served())
        bunches.tell()
        assert len(log.receipts) == 1
        bunches.tell()
        bunches.observe(served())
    assert len(log.receipts) == 2
