"""A server that does what servers should not: nobody gets another's answer, nor waits for long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis.asyncio.connection import AbstractConnection
from structlog.testing import capture_logs

from app.adapters.clock import SystemClock
from app.adapters.redis.batch import Batch, NotSent, Refused, batching
from app.adapters.redis.breaker import FAILURES_TO_OPEN, Breaker, State
from app.adapters.redis.connection import Place, batching_client
from app.adapters.redis.multiplexed import MOST_UNANSWERED
from app.errors import StoreUnavailable
from tests.fakes.patient import FROZEN_AFTER_S, PATIENCE_S, patient_client
from tests.fakes.scripted_redis import ScriptedRedis, bulk, scripted_redis


@dataclass(frozen=True, slots=True)
class Line:
    """A server that does as it is told, and a batch that is connected to it."""

    server: ScriptedRedis
    batch: Batch
    breaker: Breaker

    async def echo(self, value: str) -> bytes:
        """What the server gives back, which is the same unless it is told otherwise."""
        given: bytes = await self.batch.call(("ECHO", value))
        return given

    async def back(self) -> None:
        """Wait until the server is asked again and answers."""
        self.breaker.hurry()
        async with asyncio.timeout(PATIENCE_S):
            while self.breaker.state is not State.CLOSED:
                await asyncio.sleep(0.01)

    def ask(self, count: int) -> list[asyncio.Task[bytes]]:
        """Callers, each with a value of its own."""
        return [asyncio.create_task(self.echo(str(number))) for number in range(count)]


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For a socket, whose path may not be long."""
    return tmp_path_factory.mktemp("s")


@asynccontextmanager
async def connected(
    folder: Path, patience_s: float = PATIENCE_S, password: str = ""
) -> AsyncIterator[Line]:
    breaker = Breaker(SystemClock())
    async with (
        scripted_redis(folder / "s") as (server, url),
        patient_client(f"{url}?password={password}" if password else url) as client,
        batching(client, breaker, patience_s=patience_s) as batch,
    ):
        yield Line(server, batch, breaker)


@pytest.fixture
async def line(folder: Path) -> AsyncIterator[Line]:
    """One that waits for long."""
    async with connected(folder) as one:
        assert await one.echo("first") == b"first"
        yield one


@pytest.fixture
async def hasty(folder: Path) -> AsyncIterator[Line]:
    """One that does not."""
    async with connected(folder, FROZEN_AFTER_S) as one:
        assert await one.echo("first") == b"first"
        yield one


async def unknown(call: Awaitable[object]) -> None:
    """Nobody can say whether it was carried out."""
    with pytest.raises(StoreUnavailable) as told:
        await asyncio.wait_for(call, PATIENCE_S)
    assert not isinstance(told.value, NotSent | Refused)


def once(answer: bytes) -> Callable[[Sequence[bytes]], bytes]:
    """An answer to the next command; those after it are answered as they should be."""
    answers: Iterator[bytes] = iter([answer])
    return lambda command: next(answers, bulk(command[-1]))


@pytest.mark.parametrize("half", [b"", b"$", b"$5\r\nhal", b"*2\r\n$1\r\na\r\n", b"$5\r\nwhole\r"])
async def test_half_a_reply(hasty: Line, half: bytes) -> None:
    """The rest of it, which comes when nobody waits any more, is nobody's answer."""
    hasty.server.answer = once(half)
    await unknown(hasty.echo("a"))
    hasty.server.say(b"$4\r\nlate\r\n")
    assert await hasty.echo("b") == b"b"
    assert hasty.server.connections == 2


async def test_a_reply_after_its_deadline_is_not_the_next_commands(hasty: Line) -> None:
    """All that were on their way are given up with it; the connection is not used again."""
    hasty.server.answer = lambda _command: b""
    await asyncio.gather(*(unknown(asked) for asked in hasty.ask(3)))
    hasty.server.answer = once(b"")
    asked = asyncio.create_task(hasty.echo("d"))
    await hasty.server.hears(5)
    for stale in (b"0", b"1", b"2"):
        hasty.server.say(bulk(stale), connection=0)
    await asyncio.sleep(0.01)
    assert not asked.done()
    hasty.server.say(bulk(b"d"))
    assert await asked == b"d"


@pytest.mark.parametrize(
    "noise", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"$-7\r\n", b"*x\r\n", b"\x16\x03\x01\x02\x00"]
)
async def test_what_is_no_reply(line: Line, noise: bytes) -> None:
    """Whoever waits on that connection is told; the next one is a new one."""
    line.server.answer = once(noise)
    await asyncio.gather(*(unknown(asked) for asked in line.ask(3)))
    assert await line.echo("b") == b"b"
    assert line.breaker.failures_total == 1


async def test_an_error_that_nobody_can_read_is_no_reply(line: Line) -> None:
    """A cluster's word for elsewhere, without saying where."""
    line.server.answer = once(b"-MOVED\r\n")
    await unknown(line.echo("a"))
    assert await line.echo("b") == b"b"


async def test_a_reply_that_nobody_asked_for(line: Line) -> None:
    """Then nothing that comes next can be trusted to be the next one's."""
    line.server.answer = once(bulk(b"a") + bulk(b"whose?"))
    assert await line.echo("a") == b"a"
    assert await line.echo("b") == b"b"
    assert line.server.connections == 2


async def test_another_type_of_reply_is_still_its_callers(line: Line) -> None:
    """A number, nothing, a mapping: replies are told apart by their order alone."""
    answers = iter([b":7\r\n", b"_\r\n", b"%1\r\n+a\r\n:1\r\n", b"#t\r\n", b"*1\r\n:1\r\n"])
    line.server.answer = lambda _command: next(answers)
    answered: list[object] = [*await asyncio.gather(*line.ask(5))]
    assert answered == [7, None, {b"a": 1}, True, [1]]


async def test_what_is_pushed_is_nobodys_answer(line: Line) -> None:
    """A server may say something in between."""
    line.server.answer = lambda command: b">2\r\n+invalidate\r\n*0\r\n" + bulk(command[-1])
    assert await asyncio.gather(*line.ask(3)) == [b"0", b"1", b"2"]


async def test_a_server_that_ends_idle_connections(line: Line) -> None:
    """No command is lost to it, and nobody thinks worse of the server."""
    for number in range(3):
        line.server.cut()
        await asyncio.sleep(0.02)
        assert await line.echo(str(number)) == str(number).encode()
    assert line.server.connections == 4
    assert line.breaker.failures_total == 0


async def test_a_connection_that_is_killed(line: Line) -> None:
    """Of what was on its way nothing is known; it is one failure, however many waited."""
    line.server.answer = lambda _command: b""
    asked = line.ask(50)
    await line.server.hears(51)
    line.server.cut()
    await asyncio.gather(*(unknown(each) for each in asked))
    assert line.breaker.failures_total == 1
    line.server.answer = lambda command: bulk(command[-1])
    assert await line.echo("b") == b"b"


async def test_a_server_that_loads(line: Line) -> None:
    """It is lost until it has loaded, and its connections go."""
    line.server.answer = lambda _command: b"-LOADING Redis is loading the dataset in memory\r\n"
    for _ in range(FAILURES_TO_OPEN):
        await unknown(line.echo("a"))
    with pytest.raises(NotSent):
        await line.echo("b")
    line.server.answer = lambda command: bulk(command[-1])
    await line.back()
    assert await line.echo("c") == b"c"


async def test_a_wrong_password(folder: Path) -> None:
    """Nothing is sent, the server is lost after a few tries, and nobody learns the password."""
    async with connected(folder, password="hunter2") as line:
        line.server.password = "another"
        for number in range(FAILURES_TO_OPEN + 1):
            with pytest.raises(NotSent) as told:
                await line.echo("a")
            assert ("invalid username" in str(told.value.__cause__)) == (number < FAILURES_TO_OPEN)
            assert "hunter2" not in f"{told.value!r} {told.value.__cause__!r}"
        line.server.password = "hunter2"
        await line.back()
        assert await line.echo("b") == b"b"


async def test_those_who_wait_for_a_connection_are_told_together(folder: Path) -> None:
    """A crowd meets a server that is not there: one try, and nothing of theirs was sent."""
    breaker = Breaker(SystemClock())
    async with (
        patient_client(f"unix://{folder}/nobody") as client,
        batching(client, breaker, patience_s=PATIENCE_S) as batch,
    ):
        asked = (batch.call(("PING",)) for _ in range(100))
        answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(answer) for answer in answers} == {NotSent}
    assert breaker.failures_total == 1


async def test_a_defect_in_making_connections_is_told_and_outlived(folder: Path) -> None:
    """Those who waited learn that nothing was sent; the work begins again, and then it is made."""
    defects = [ValueError("a defect")]

    async def examine(connection: AbstractConnection) -> None:
        if defects:
            raise defects.pop()
        await connection.on_connect()

    async with (
        scripted_redis(folder / "s") as (_, url),
        batching_client(Place(url, examine=examine)) as client,
    ):
        with capture_logs() as logs:
            async with batching(client, Breaker(SystemClock()), patience_s=PATIENCE_S) as batch:
                with pytest.raises(NotSent):
                    await batch.call(("ECHO", "a"))
                assert await batch.call(("ECHO", "b")) == b"b"
    told = [(log["work"], log["error"]) for log in logs if "work" in log]
    assert told == [("batch", "ValueError")]


async def test_who_leaves_costs_the_others_nothing(line: Line) -> None:
    """Every third caller gives up while its answer is on its way; the others get their own."""
    line.server.answer = lambda _command: b""
    asked = line.ask(60)
    await line.server.hears(61)
    for each in asked[::3]:
        each.cancel()
    line.server.answer = lambda command: bulk(command[-1])
    later = asyncio.create_task(line.echo("later"))
    await asyncio.sleep(0)
    line.server.say(b"".join(bulk(str(number).encode()) for number in range(60)))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    for number, answer in enumerate(answers):
        if number % 3:
            assert answer == str(number).encode()
        else:
            assert isinstance(answer, asyncio.CancelledError)
    assert await later == b"later"


async def test_a_crowd_waits_here_not_in_the_socket(line: Line) -> None:
    """10,000 at once: so many are on their way and no more, and everybody gets an answer."""
    most = 0

    def answer(command: Sequence[bytes]) -> bytes:
        nonlocal most
        most = max(most, len(line.server.heard) - answered)
        return b""

    answered = 1
    line.server.answer = answer
    asked = line.ask(10_000)
    async with asyncio.timeout(PATIENCE_S):
        while answered <= 10_000:
            await line.server.hears(min(answered + MOST_UNANSWERED, 10_001))
            waiting = line.server.heard[answered:]
            answered += len(waiting)
            line.server.say(b"".join(bulk(command[-1]) for command in waiting))
    assert await asyncio.gather(*asked) == [str(number).encode() for number in range(10_000)]
    assert most <= MOST_UNANSWERED


async def test_long_commands_are_fewer_at_once(line: Line) -> None:
    """They have the server do more, and its time is counted for what is on its way."""
    line.server.answer = lambda _command: b""
    values = [f"{number:03}" + "x" * 20_000 for number in range(100)]
    asked = [asyncio.create_task(line.echo(value)) for value in values]
    await line.server.hears(4)
    await asyncio.sleep(0.05)
    assert len(line.server.heard) < 10
    line.server.answer = lambda command: bulk(command[-1])
    line.server.say(b"".join(bulk(command[-1]) for command in line.server.heard[1:]))
    assert await asyncio.gather(*asked) == [value.encode() for value in values]


async def test_a_server_that_does_not_read_is_sent_no_more(folder: Path) -> None:
    """What it does not take waits here, unsent, and is sent when it reads again."""
    async with connected(folder) as line:
        await line.echo("first")
        line.server.reads.clear()
        value = "x" * 65_536
        asked = [asyncio.create_task(line.echo(value)) for _ in range(100)]
        await asyncio.sleep(0.05)
        line.server.reads.set()
        assert set(await asyncio.gather(*asked)) == {value.encode()}

        line.server.reads.clear()
        asked = [asyncio.create_task(line.echo(value)) for _ in range(100)]
        await asyncio.sleep(0.05)
        await line.batch.close()
        answers = await asyncio.gather(*asked, return_exceptions=True)
    unsent = [isinstance(answer, NotSent) for answer in answers]
    assert 80 < sum(unsent) < 100
    assert unsent == sorted(unsent), "those who asked first were sent first"
