"""Orders are heard by a thread and followed on the loop; their end is one, too."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest

from app.adapters.workers.messages import Begin, Drain, Hurry, Order, Reload, line_of
from app.adapters.workers.orders import Orders, lines_of, order_to_begin

DEADLINE_S = 60.0
BEGIN = Begin(1, "a.yaml", b"models: {}\n", 3, "::1", 8080, "/run", redis_url="unix:///x")


class Pipe:
    """What the process that starts a worker writes to."""

    def __init__(self) -> None:
        self.out, self.into = os.pipe()
        self.given_up = threading.Event()

    def say(self, *orders: Order) -> None:
        os.write(self.into, b"".join(map(line_of, orders)))

    def close(self) -> None:
        os.close(self.into)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    os.close(pipe.out)


async def heard(pipe: Pipe) -> Orders:
    return Orders.heard(lines_of(pipe.out), pipe.given_up.set)


async def within(event: asyncio.Event) -> None:
    async with asyncio.timeout(DEADLINE_S):
        await event.wait()


def test_the_first_order_says_what_to_serve(pipe: Pipe) -> None:
    """As it was said; without one there is nothing to do."""
    pipe.say(BEGIN)
    lines = lines_of(pipe.out)
    assert order_to_begin(lines) == BEGIN
    pipe.close()
    assert order_to_begin(lines) is None


def test_lines_are_whole_however_they_arrive(pipe: Pipe) -> None:
    """Pieces of a pipe end anywhere."""
    sent = line_of(Reload(b"x" * 100_000)) + line_of(Drain())

    def write() -> None:
        for start in range(0, len(sent), 777):
            os.write(pipe.into, sent[start : start + 777])
        pipe.close()

    writing = threading.Thread(target=write)
    writing.start()
    assert b"".join(line + b"\n" for line in lines_of(pipe.out)) == sent
    writing.join(DEADLINE_S)


async def test_reloads_wait_and_a_drain_is_one_without_hurry(pipe: Pipe) -> None:
    """In the order of their coming."""
    orders = await heard(pipe)
    pipe.say(Reload(b"1"), Reload(b"2"), Drain())
    await within(orders.end)
    assert [orders.reloads.get_nowait() for _ in range(2)] == [b"1", b"2"]
    assert not orders.hurry.is_set()
    pipe.say(Hurry())
    await within(orders.hurry)
    assert not orders.is_orphan
    pipe.close()


async def test_the_end_of_orders_is_an_order_to_end_at_once(pipe: Pipe) -> None:
    """Whoever gave them is gone; where the loop does not turn a thread ends the process."""
    orders = await heard(pipe)
    pipe.close()
    assert await asyncio.to_thread(pipe.given_up.wait, DEADLINE_S)
    assert not orders.end.is_set() or orders.is_orphan
    await within(orders.end)
    assert orders.hurry.is_set()
    assert orders.is_orphan
