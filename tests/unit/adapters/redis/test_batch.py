"""Commands that travel together, on a real server: each caller gets its own answer, and in time."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from app.adapters.clock import SystemClock
from app.adapters.redis.batch import Batch, NotSent, Refused, Script, batching
from app.adapters.redis.breaker import Breaker, State
from app.adapters.redis.connection import (
    CONNECT_TIMEOUT_S,
    Place,
    batching_client,
    redis_breaker,
)
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.multiplexed import MOST_UNANSWERED
from app.errors import StoreUnavailable
from tests.fakes.changed import replace
from tests.fakes.patient import FROZEN_AFTER_S, PATIENCE_S, patient_batch, patient_client


@dataclass(frozen=True, slots=True)
class Sender:
    """An open batch, and what it is made of."""

    batch: Batch
    client: Redis
    breaker: Breaker

    async def call(self, *command: str | int) -> object:
        return await self.batch.call(command)


@asynccontextmanager
async def sending(url: str, patience_s: float = PATIENCE_S) -> AsyncIterator[Sender]:
    """A batch to this server, which has greeted its first connection."""
    breaker = redis_breaker(SystemClock())
    async with (
        patient_client(url) as client,
        batching(client, breaker, patience_s=patience_s) as batch,
    ):
        await batch.call(("PING",))
        yield Sender(batch, client, breaker)


@pytest.fixture
async def sender(redis_url: str) -> AsyncIterator[Sender]:
    async with sending(redis_url) as opened:
        yield opened


@pytest.fixture
async def own_url(tmp_path: Path) -> AsyncIterator[str]:
    """A server that nobody else uses."""
    binaries = installed_binaries()
    if binaries.server is None:
        pytest.skip("no embedded Redis server for this machine")
    async with embedded_redis(tmp_path, binaries=replace(binaries, search=None)) as server:
        yield server.url


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """A process that neither answers nor dies."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def pid_of(sender: Sender) -> int:
    return int((await sender.client.info("server"))["process_id"])


async def reads(sender: Sender) -> int:
    """How often the server has read from any connection."""
    return int((await sender.client.info("stats"))["total_reads_processed"])


async def test_a_crowd_shares_writes(own_url: str) -> None:
    """300 callers at once: a few writes for all of them, and everybody's own answer."""
    async with sending(own_url) as sender:
        await reads(sender)  # by a connection that greets first
        before = await reads(sender)
        answers = await asyncio.gather(*(sender.call("ECHO", str(i)) for i in range(300)))
        assert answers == [str(i).encode() for i in range(300)]
        assert await reads(sender) - before < 10


async def test_nobody_waits_until_another_is_answered(sender: Sender) -> None:
    """What is asked while a command is on its way goes out behind it, on the same connection."""
    key = uuid4().hex
    blocked = asyncio.create_task(sender.call("BLPOP", key, 0))
    await asyncio.sleep(0.01)
    behind = asyncio.create_task(sender.call("ECHO", "x"))
    await asyncio.sleep(0.01)
    assert not blocked.done()
    await sender.client.rpush(key, "now")
    assert await asyncio.wait_for(blocked, PATIENCE_S) == [key.encode(), b"now"]
    assert await asyncio.wait_for(behind, PATIENCE_S) == b"x"


async def test_answers_are_read_as_redis_py_reads_them(sender: Sender) -> None:
    """As mappings and truths, where it does."""
    key = uuid4().hex
    assert await sender.call("SET", key, 1, "NX", "EX", 60) is True
    assert await sender.call("SET", key, 1, "NX", "EX", 60) is None
    assert (await sender.batch.call(("INFO", "replication")))["role"] == "master"
    assert await sender.call("XADD", f"{key}:s", "1-1", "a", "b") == b"1-1"
    assert await sender.call("XRANGE", f"{key}:s", "-", "+") == [(b"1-1", {b"a": b"b"})]
    assert await sender.call("DEL", key, f"{key}:s") == 2


async def test_commands_go_out_in_the_order_they_were_asked(sender: Sender) -> None:
    """What one caller asks before another is carried out before it, within a batch."""
    key = uuid4().hex
    await asyncio.gather(*(sender.call("RPUSH", key, i) for i in range(60)))
    assert await sender.call("LRANGE", key, 0, -1) == [str(i).encode() for i in range(60)]
    await sender.call("DEL", key)


async def test_one_caller_asks_many_things_together(sender: Sender) -> None:
    """Answers are in the order of the commands; one that is refused keeps none of the others."""
    key = uuid4().hex
    commands = [("RPUSH", key, 1), ("INCR", key), ("LLEN", key), ("DEL", key)]
    first, refused, *others = await sender.batch.call_all(commands)
    assert [first, *others] == [1, 1, 1]
    assert isinstance(refused, Refused)


async def test_of_a_lost_store_many_things_are_not_asked(own_url: str) -> None:
    """Each of them is told so."""
    async with sending(own_url, FROZEN_AFTER_S) as sender:
        with frozen(await pid_of(sender)):
            answers = await sender.batch.call_all([("PING",)] * 3)
            assert {type(each) for each in answers} == {StoreUnavailable}
            while sender.breaker.state is State.CLOSED:
                sender.breaker.failed()
            answers = await sender.batch.call_all([("PING",)] * 3)
            assert {type(each) for each in answers} == {NotSent}


async def test_who_gave_up_before_it_was_sent_sends_nothing(sender: Sender) -> None:
    """A command that nobody waits for any more does not travel; its neighbours do."""
    key = uuid4().hex
    given_up = asyncio.create_task(sender.call("SET", f"{key}:a", 1))
    kept = asyncio.create_task(sender.call("SET", f"{key}:b", 1))
    await asyncio.sleep(0)
    given_up.cancel()
    assert await kept is True
    assert await sender.call("EXISTS", f"{key}:a") == 0
    await sender.call("DEL", f"{key}:b")


@pytest.mark.parametrize("turns", range(1, 8))
async def test_who_gave_up_on_the_way_leaves_no_answer_behind(sender: Sender, turns: int) -> None:
    """At whatever moment a caller leaves, the others get their own answers."""
    callers = [asyncio.create_task(sender.call("ECHO", f"a{i}")) for i in range(8)]
    for _ in range(turns):
        await asyncio.sleep(0)
    callers[3].cancel()
    later = await asyncio.gather(*(sender.call("ECHO", f"b{i}") for i in range(8)))
    assert later == [f"b{i}".encode() for i in range(8)]
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert [answers[i] for i in (2, 4)] == [b"a2", b"a4"]


async def test_an_error_is_its_callers_alone(sender: Sender) -> None:
    """A command that the server refuses: the others in its batch never know."""
    wrong, right = await asyncio.gather(
        sender.call("INCR", "k", "too", "many"), sender.call("ECHO", "x"), return_exceptions=True
    )
    assert isinstance(wrong, Refused)
    assert right == b"x"
    assert sender.breaker.state is State.CLOSED


async def test_a_command_that_the_server_cannot_take_now_is_not_refused(sender: Sender) -> None:
    """Its words for that say something of the server: the same may well be taken later."""
    script = "return redis.error_reply('MISCONF Errors writing to the AOF file')"
    with pytest.raises(StoreUnavailable) as told:
        await sender.call("EVAL", script, 0)
    assert not isinstance(told.value, Refused)


async def test_what_is_no_command_is_its_callers_own_defect(sender: Sender) -> None:
    """He is told at once, and nobody else."""
    wrong: Any = ("ECHO", None)
    answers = await asyncio.gather(
        sender.call("ECHO", "a"),
        sender.call("ECHO", "\ud800"),
        sender.batch.call(wrong),
        sender.call("ECHO", "b"),
        return_exceptions=True,
    )
    assert [answers[0], answers[3]] == [b"a", b"b"]
    assert isinstance(answers[1], ValueError)
    assert isinstance(answers[2], TypeError)


async def test_a_script_is_loaded_again(own_url: str) -> None:
    """A server that forgot its scripts, as one does that restarts, learns them from the first."""
    script = Script("account.lua", "account_limits.lua", "account_seldom.lua")
    read = b'{"operation": "read", "days": [], "months": [], "limits": []}'
    async with sending(own_url) as sender:
        for _ in range(2):
            await sender.client.script_flush()
            asked = (sender.batch.script(script, "spillgate:{a}", read) for _ in range(3))
            answers = await asyncio.gather(*asked)
            assert all(b'"skewed"' in answer for answer in answers)
        assert await sender.client.script_exists(script.sha) == [True]


async def test_a_frozen_server_costs_an_operations_time(own_url: str) -> None:
    """Its patience at first, nothing once the breaker is open; it is used again when it is back."""
    async with sending(own_url, FROZEN_AFTER_S) as sender:
        with frozen(await pid_of(sender)):
            for number in range(5):
                began = time.monotonic()
                with pytest.raises(StoreUnavailable) as told:
                    await sender.call("PING")
                # The first was on its way; the others found no connection that is greeted.
                assert isinstance(told.value, NotSent) == (number > 0)
                assert number or time.monotonic() - began > 0.9 * FROZEN_AFTER_S
                assert time.monotonic() - began < PATIENCE_S / 2
            for _ in range(100):
                with pytest.raises(NotSent):
                    await sender.call("PING")
        async with asyncio.timeout(20):
            while sender.breaker.state is not State.CLOSED:
                await asyncio.sleep(0.01)
        assert await sender.call("ECHO", "x") == b"x"


@pytest.mark.parametrize("turns", range(6))
async def test_our_own_crowd_is_no_server_that_cannot_be_reached(
    redis_url: str, turns: int
) -> None:
    """The loop is busy for long at some moment of connecting: that is not the server's failure."""
    breaker = redis_breaker(SystemClock())
    async with batching_client(Place(redis_url)) as client, batching(client, breaker) as batch:
        asked = asyncio.create_task(batch.call(("ECHO", "x")))
        for _ in range(turns):
            await asyncio.sleep(0)
        time.sleep(1.2 * CONNECT_TIMEOUT_S)  # noqa: ASYNC251  # what is tested
        assert await asked == b"x"
    assert breaker.failures_total == 0


async def test_nobody_waits_for_a_batch_that_is_closed(own_url: str) -> None:
    """Those on the way, those in the queue and those who come later are told, not forgotten."""
    async with patient_client(own_url) as client:
        with ExitStack() as ice:
            async with patient_batch(client, SystemClock()) as batch:
                pid = (await batch.call(("INFO", "server")))["process_id"]
                ice.enter_context(frozen(pid))
                callers = [asyncio.create_task(batch.call(("PING",))) for _ in range(500)]
                await asyncio.sleep(0.01)
            answers = await asyncio.wait_for(asyncio.gather(*callers, return_exceptions=True), 20)
        assert all(isinstance(answer, StoreUnavailable) for answer in answers)
        # As many as may be on their way were sent, and may be carried out yet.
        unsent = [isinstance(answer, NotSent) for answer in answers]
        assert unsent == MOST_UNANSWERED * [False] + (500 - MOST_UNANSWERED) * [True]
        with pytest.raises(NotSent):
            await asyncio.wait_for(batch.call(("PING",)), 20)


async def test_who_leaves_while_it_connects_leaves_nothing_open(redis_url: str) -> None:
    """At whatever moment, one included that redis-py takes no notice of: Python 3.11's own defect.

    A connection that is let go of without being closed warns of it, which fails a test.
    """
    for turns in range(60):
        async with patient_client(redis_url) as client:
            leaving = batching(client, redis_breaker(SystemClock()), patience_s=PATIENCE_S)
            async with leaving as batch:
                asked = asyncio.create_task(batch.call(("PING",)))
                for _ in range(turns):
                    await asyncio.sleep(0)
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
