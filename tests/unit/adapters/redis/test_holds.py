"""The shared board itself: its lifetime, and which of two crossing holds is in force and told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from app.adapters.clock import SystemClock
from app.adapters.redis.holds import CHANNEL, SharedHoldBoard
from app.adapters.redis.store import opened_store
from tests.fakes.patient import PATIENCE_S, patient, patient_client

NOBODY = "unix:///nonexistent/redis.sock"
CLOCK = SystemClock()


@asynccontextmanager
async def clients(url: str) -> AsyncIterator[tuple[Redis, SharedHoldBoard]]:
    """A client, and a board that is not in step yet."""
    async with patient_client(url) as client, opened_store(patient(url), CLOCK) as store:
        yield client, SharedHoldBoard(store, clock=CLOCK, deployments=list)


async def until(said: Callable[[], Awaitable[object]]) -> None:
    """Ask until it is so."""
    async with asyncio.timeout(PATIENCE_S):
        while not await said():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("error", [OSError("no address"), KeyError("key"), KeyboardInterrupt()])
async def test_a_failure_of_the_block_is_not_the_boards(error: BaseException) -> None:
    """It comes out as it was raised, so that whoever expects it recognises it."""
    async with clients(NOBODY) as (_, board):
        with pytest.raises(type(error)) as raised:
            async with board:
                raise error

    assert raised.value is error


async def test_of_two_holds_at_once_the_longer_is_told(redis_url: str) -> None:
    """The shorter one came before the longer one had been told, and must not take its place."""
    name = str(uuid4())
    async with clients(redis_url) as (client, board), board:
        board.hold(name, CLOCK.now() + 60.0)
        board.hold(name, CLOCK.now() + 2.0)
        await until(lambda: client.exists(f"spillgate:hold:{{{name}}}"))

        assert 2000 < await client.pttl(f"spillgate:hold:{{{name}}}") <= 60_000


async def test_a_shorter_hold_that_is_heard_shortens_nothing(redis_url: str) -> None:
    """Another replica told of its own before it knew of ours."""
    name, last = str(uuid4()), str(uuid4())
    async with clients(redis_url) as (client, board), board:
        end = CLOCK.now() + 10.0
        board.hold(name, end)

        async def last_is_heard() -> bool:
            for crossing in (name, last):
                await client.publish(CHANNEL, f"2000 {crossing}")
            return last in board.holds()

        await until(last_is_heard)
        assert board.holds()[name] >= end


async def test_what_cannot_be_read_is_ignored_and_logged_once_a_kind(redis_url: str) -> None:
    """Another version on the channel ends nobody, and fills no log."""
    name = str(uuid4())
    garbage = [b"v2:hello", b"", b"\xff\xfe 1", b"1.5 x", b"9" * 5000 + b" x", b"900"]
    with capture_logs() as logs:
        async with clients(redis_url) as (client, board), board:

            async def last_is_heard() -> bool:
                for message in [*garbage, f"2000 {name}".encode()]:
                    await client.publish(CHANNEL, message)
                return name in board.holds()

            await until(last_is_heard)
            await until(last_is_heard)
            assert "x" not in board.holds()
            assert "" not in board.holds()

    kinds = [log["problem"] for log in logs if log["event"] == "message_ignored"]
    assert sorted(kinds) == ["no deployment", "not a number of milliseconds", "not text"]


async def test_a_hold_that_is_heard_ends_within_reason(redis_url: str) -> None:
    """A nonsensical time is not a hold for ever."""
    name, last = str(uuid4()), str(uuid4())
    async with clients(redis_url) as (client, board), board:

        async def last_is_heard() -> bool:
            await client.publish(CHANNEL, f"{10**400} {name}")
            await client.publish(CHANNEL, f"2000 {last}")
            return last in board.holds()

        await until(last_is_heard)
        assert name not in board.holds()
