"""One client's connection: what is read of it, in which order it is answered, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, cast
from urllib.parse import unquote

import pytest
import uvicorn
from hypothesis import example, given
from hypothesis import strategies as st
from uvicorn.server import ServerState

from app.api.call import UNASKED_BYTES, DataPlaneLimits, Head, HttpCall
from app.api.connection import Serving
from app.api.data_plane import DataPlane
from app.api.line import Line
from app.api.listener import ConnectionLimits
from app.api.protocol import GatewayProtocol
from app.api.readiness import Readiness
from app.api.reply import HttpReply
from app.api.strict_head import MAX_AROUND_BYTES, MAX_HEADER_BYTES, MAX_LINES
from app.errors import ClientGone
from app.gateway import Gateway
from app.ports import Call, Reply

GET = b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
LIMITS = DataPlaneLimits(max_body=1 << 20, body_s=20.0, write_stall_s=20.0, max_in_flight=10)
Act = Callable[[Call, Reply], Awaitable[None]]


def post(body: bytes, *lines: str, announced: int | None = None) -> bytes:
    length = len(body) if announced is None else announced
    more = "".join(f"{line}\r\n" for line in lines)
    head = f"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{more}\r\n"
    return head.encode() + body


class Wire:
    """A transport without a socket."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = asyncio.Event()
        self.aborted = False
        self.reading = True

    @property
    def sent(self) -> bytes:
        return b"".join(self.writes)

    @property
    def statuses(self) -> list[int]:
        return [int(part[:3]) for part in self.sent.split(b"HTTP/1.1 ")[1:]]

    def write(self, data: bytes) -> None:
        if not self.closed.is_set():
            self.writes.append(data)

    def close(self) -> None:
        self.closed.set()

    def abort(self) -> None:
        self.aborted = True
        self.closed.set()

    def is_closing(self) -> bool:
        return self.closed.is_set()

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def get_extra_info(self, _name: str) -> None:
        return None


async def answered(_call: Call, reply: Reply) -> None:
    await reply.start(200, {"content-type": "text/plain", "content-length": "2"})
    await reply.send(b"ok")
    await reply.finish()


async def read_and_answered(call: Call, reply: Reply) -> None:
    await call.body()
    await answered(call, reply)


async def never(call: Call, _reply: Reply) -> None:
    await call.body()
    await asyncio.Event().wait()


class Acting:
    """A gateway that does one thing with every call, and remembers how each ended."""

    def __init__(self, act: Act) -> None:
        self.act = act
        self.calls: list[Call] = []
        self.ends: list[BaseException | None] = []
        self.began = asyncio.Event()

    async def handle(self, call: Call, reply: Reply) -> None:
        self.calls.append(call)
        self.began.set()
        try:
            await self.act(call, reply)
        except BaseException as error:
            self.ends.append(error)
            raise
        self.ends.append(None)


class Client:
    """A connection to a gateway that does one thing."""

    def __init__(
        self,
        act: Act = answered,
        *,
        limits: DataPlaneLimits = LIMITS,
        header_s: float = 20.0,
        keep_alive_s: float = 20.0,
    ) -> None:
        self.gateway = Acting(act)
        plane = DataPlane(lambda: cast("Gateway", self.gateway), Readiness(), lambda: limits)
        self.plane = plane
        serving = Serving(plane, ConnectionLimits(header_s=header_s, keep_alive_s=keep_alive_s))
        self.state = ServerState()
        self.wire = Wire()
        self.connection = serving.connection(server_state=self.state)
        self.connection.connection_made(cast("asyncio.Transport", self.wire))

    def says(self, *parts: bytes) -> None:
        for part in parts:
            self.connection.data_received(part)

    def leaves(self) -> None:
        self.wire.closed.set()
        self.connection.connection_lost(None)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.001)

    async def quiet(self) -> None:
        """Nothing is under way any more."""
        await asyncio.sleep(0)
        await self.until(lambda: not self.state.tasks)


class TestAnswers:
    """What goes out, and in which order."""

    async def test_head_and_body_are_one_write(self) -> None:
        """Each write is a call of the system, and a packet."""
        client = Client()
        client.says(GET)
        await client.quiet()
        assert len(client.wire.writes) == 1
        assert client.wire.sent.startswith(b"HTTP/1.1 200 OK\r\n")
        assert client.wire.sent.endswith(b"\r\n\r\nok")

    @pytest.mark.parametrize("is_slow", [True, False])
    @pytest.mark.parametrize("size", [2, 64 * 1024, 64 * 1024 + 1])
    async def test_a_whole_answer_is_put_where_it_need_not_wait(
        self, size: int, *, is_slow: bool
    ) -> None:
        """Nothing of it is sent otherwise: who sends it in parts begins anew."""
        headers = {"content-type": "text/plain", "content-length": str(size)}
        is_put = size <= 64 * 1024 and not is_slow

        async def whole(_call: Call, reply: Reply) -> None:
            if is_slow:
                client.connection.pause_writing()
            assert reply.put_first(200, headers, b"x" * size) is is_put
            assert len(client.wire.writes) == is_put
            client.connection.resume_writing()
            if not is_put:
                await reply.start(200, headers)
                await reply.send(b"x" * size)
            await reply.finish()

        client = Client(whole)
        client.says(GET)
        await client.quiet()
        assert client.gateway.ends == [None]
        assert client.wire.statuses == [200]
        assert client.wire.sent.endswith(b"\r\n\r\n" + b"x" * size)
        assert not client.wire.closed.is_set()

    async def test_a_connection_has_one_request_after_the_other(self) -> None:
        """It stays open, and each answer tells its own request's id."""
        client = Client()
        for number in range(3):
            client.says(GET.replace(b"\r\n\r\n", b"\r\nx-request-id: r%d\r\n\r\n" % number))
            await client.quiet()
        assert client.wire.statuses == [200] * 3
        assert [f"x-request-id: r{n}".encode() in client.wire.writes[n] for n in range(3)] == [
            True
        ] * 3
        assert not client.wire.closed.is_set()

    async def test_pipelined_requests_are_answered_in_order(self) -> None:
        """One at a time: the second begins when the first has its answer."""
        client = Client(read_and_answered)
        client.says(post(b"one") + post(b"two") + GET)
        assert len(client.state.tasks) == 1
        await client.until(lambda: len(client.wire.writes) == 3)
        assert [call.headers.get("content-length") for call in client.gateway.calls] == [
            "3",
            "3",
            None,
        ]

    async def test_while_many_wait_nothing_is_read(self) -> None:
        """A client that sends requests faster than it takes answers fills no memory."""
        gate = asyncio.Event()

        async def waits(call: Call, reply: Reply) -> None:
            await gate.wait()
            await answered(call, reply)

        client = Client(waits)
        client.says(GET * 8)
        assert client.wire.reading
        client.says(GET * 8)
        assert not client.wire.reading
        gate.set()
        await client.until(lambda: client.wire.statuses == [200] * 16)
        assert client.wire.reading

    async def test_a_stream_begins_before_its_first_event(self) -> None:
        """Where nothing follows at once, headers do not wait for it."""
        begun = asyncio.Event()

        async def streams(_call: Call, reply: Reply) -> None:
            await reply.start(200, {"content-type": "text/event-stream"})
            await begun.wait()
            await reply.send(b"data: 1\n\n")
            await reply.finish()

        client = Client(streams)
        client.says(GET)
        await client.until(lambda: client.wire.writes)
        assert client.wire.sent.endswith(b"transfer-encoding: chunked\r\n\r\n")
        begun.set()
        await client.quiet()
        assert client.wire.sent.endswith(b"\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n")

    async def test_head_and_http_1_0_have_what_they_can_read(self) -> None:
        """No body after HEAD; no chunks in HTTP/1.0, whose body ends with the connection."""

        async def streams(_call: Call, reply: Reply) -> None:
            await reply.start(200, {"content-type": "text/event-stream"})
            await reply.send(b"data: 1\n\n")
            await reply.finish()

        client = Client()
        client.says(GET.replace(b"GET", b"HEAD"))
        await client.quiet()
        assert client.wire.sent.endswith(b"\r\n\r\n")
        assert b"content-length: 2\r\n" in client.wire.sent

        client = Client(streams)
        client.says(GET.replace(b"/1.1", b"/1.0"))
        await client.quiet()
        assert b"chunked" not in client.wire.sent
        assert client.wire.sent.endswith(b"connection: close\r\n\r\ndata: 1\n\n")
        assert client.wire.closed.is_set()

    async def test_the_last_request_closes(self) -> None:
        """As the client asked, and is told."""
        client = Client()
        client.says(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n") + GET)
        await client.quiet()
        assert client.wire.statuses == [200]
        assert b"connection: close\r\n" in client.wire.sent
        assert client.wire.closed.is_set()

    @pytest.mark.parametrize("body", [b"o", b"okay"])
    async def test_an_answer_of_another_length_than_announced_breaks_off(self, body: bytes) -> None:
        """Else the next answer would be read as its rest, or its end as the next answer."""

        async def wrong(_call: Call, reply: Reply) -> None:
            await reply.start(200, {"content-length": "2"})
            await reply.send(body)
            await reply.finish()

        client = Client(wrong)
        client.says(GET)
        await client.quiet()
        assert client.wire.aborted

    @pytest.mark.parametrize("value", ["a\r\nset-cookie: b", "a\nb", "a\0b", "a\x1bb"])
    async def test_no_value_makes_a_header_of_its_own(self, value: str) -> None:
        """What an upstream wrote is no way into the head of an answer: it is a failure of ours."""

        async def split(_call: Call, reply: Reply) -> None:
            await reply.start(200, {"x-a": value})

        client = Client(split)
        client.says(GET)
        await client.quiet()
        assert client.wire.statuses == [500]
        assert b"set-cookie" not in client.wire.sent

    async def test_who_ends_without_an_answer_ends_the_connection(self) -> None:
        """A client is not kept waiting for what nobody works on."""

        async def silent(_call: Call, _reply: Reply) -> None:
            """A defect."""

        client = Client(silent)
        client.says(GET)
        await client.quiet()
        assert client.wire.closed.is_set()
        assert client.wire.sent == b""


class TestHeads:
    """What is read of a request's headers."""

    async def test_blanks_around_a_value_are_none_of_it(self) -> None:
        """RFC 9110, 5.5: a key with a blank behind it is that key, and two values are joined."""
        client = Client()
        client.says(post(b"", "api-key: \t a key \t ", "a: b ", "a: c\t", "e: \t "))
        await client.quiet()
        (call,) = client.gateway.calls
        said = {name: call.headers[name] for name in ("api-key", "a", "e")}
        assert said == {"api-key": "a key", "a": "b, c", "e": ""}


class TestBodies:
    """Bodies come in parts, late, too large or not at all."""

    async def test_a_body_comes_in_parts(self) -> None:
        """And is whole for who asked."""
        bodies: list[bytes] = []

        async def reads(call: Call, reply: Reply) -> None:
            bodies.append(await call.body())
            await answered(call, reply)

        client = Client(reads)
        whole = post(b"abcdef")
        client.says(whole[:-4])
        await client.gateway.began.wait()
        client.says(whole[-4:-2], whole[-2:])
        await client.quiet()
        client.says(GET)
        await client.quiet()
        assert bodies == [b"abcdef", b""]

    async def test_a_client_that_expects_to_be_asked_is_asked(self) -> None:
        """Once, when somebody wants its body."""
        client = Client(read_and_answered)
        client.says(post(b"", "expect: 100-continue", announced=3))
        await client.until(lambda: client.wire.writes)
        assert client.wire.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.says(b"abc")
        await client.quiet()
        assert client.wire.statuses == [100, 200]

    async def test_a_body_that_nobody_wants_yet_is_not_collected(self) -> None:
        """A stranger costs 64 KiB and a read at most; what is wanted is read on."""
        wanted = asyncio.Event()

        async def later(call: Call, reply: Reply) -> None:
            await wanted.wait()
            await read_and_answered(call, reply)

        client = Client(later)
        body = b"x" * (4 * UNASKED_BYTES)
        whole = post(body)
        client.says(whole[: 2 * UNASKED_BYTES])
        await client.gateway.began.wait()
        assert not client.wire.reading
        wanted.set()
        await client.until(lambda: client.wire.reading)
        client.says(whole[2 * UNASKED_BYTES :])
        await client.quiet()
        assert client.wire.statuses == [200]

    async def test_after_an_early_answer_the_rest_is_thrown_away(self) -> None:
        """The next request of the connection is what comes after it."""
        client = Client(answered)
        client.says(post(b"", announced=300_000))
        await client.quiet()
        client.says(b"x" * 200_000, b"GET / HTT" + b"x" * 99_991 + GET)
        await client.quiet()
        assert client.wire.statuses == [200, 200]
        assert client.wire.reading

    @pytest.mark.parametrize("announced", [True, False])
    async def test_a_body_that_is_too_large(self, *, announced: bool) -> None:
        """Refused by its length, or as soon as it is longer."""
        client = Client(read_and_answered)
        if announced:
            client.says(post(b"", announced=LIMITS.max_body + 1))
        else:
            chunk = b"40000\r\n" + b"x" * 0x40000 + b"\r\n"
            head = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
            client.says(head)
            await client.gateway.began.wait()
            client.says(chunk, chunk, chunk, chunk, chunk)
        await client.quiet()
        assert client.wire.statuses == [413]
        assert client.wire.closed.is_set()

    async def test_a_body_that_does_not_come(self) -> None:
        """408, and the connection is over."""
        brief = DataPlaneLimits(max_body=9, body_s=0.05, write_stall_s=9, max_in_flight=9)
        client = Client(read_and_answered, limits=brief)
        client.says(post(b"x", announced=9))
        await client.quiet()
        assert client.wire.statuses == [408]
        assert client.wire.closed.is_set()


class TestLeaving:
    """Clients that go."""

    async def test_while_the_answer_is_awaited(self) -> None:
        """Whoever works for it is interrupted at once, and knows why."""
        client = Client(never)
        client.says(post(b"x"))
        await client.gateway.began.wait()
        await asyncio.sleep(0)
        client.leaves()
        await client.quiet()
        assert isinstance(client.gateway.ends[0], asyncio.CancelledError)
        assert isinstance(client.gateway.calls[0].interruption, ClientGone)
        assert client.plane.in_flight == 0

    async def test_with_another_request_behind(self) -> None:
        """Pipelined requests do not hide it, and are not begun."""
        client = Client(never)
        client.says(post(b"x") + GET * 3)
        await client.gateway.began.wait()
        await asyncio.sleep(0)
        client.leaves()
        await client.quiet()
        assert isinstance(client.gateway.ends[0], asyncio.CancelledError)
        assert len(client.gateway.calls) == 1

    async def test_in_the_middle_of_its_request(self) -> None:
        """Who reads the body is told; nothing is cancelled."""
        client = Client(read_and_answered)
        client.says(post(b"x", announced=9))
        await client.gateway.began.wait()
        await asyncio.sleep(0)
        client.leaves()
        await client.quiet()
        assert isinstance(client.gateway.ends[0], ClientGone)

    async def test_after_the_answer(self) -> None:
        """It means nothing for what is still done then."""
        goes_on = asyncio.Event()

        async def settles(call: Call, reply: Reply) -> None:
            await read_and_answered(call, reply)
            await goes_on.wait()

        client = Client(settles)
        client.says(post(b"x"))
        await client.until(lambda: client.wire.writes)
        client.leaves()
        goes_on.set()
        await client.quiet()
        assert client.gateway.ends == [None]

    async def test_half_a_close_is_one(self) -> None:
        """Who sends no more is taken for gone; nothing more is written."""
        client = Client(never)
        client.says(post(b"x"))
        await client.gateway.began.wait()
        await asyncio.sleep(0)
        client.connection.eof_received()
        client.leaves()
        await client.quiet()
        assert client.wire.sent == b""

    async def test_a_reader_that_stops_is_dropped(self) -> None:
        """After the time that a write may take."""
        brief = DataPlaneLimits(max_body=9, body_s=9, write_stall_s=0.05, max_in_flight=9)

        async def streams(_call: Call, reply: Reply) -> None:
            await reply.start(200, {"content-type": "text/event-stream"})
            await reply.send(b"data: 1\n\n")
            client.connection.pause_writing()
            await reply.send(b"data: 2\n\n")

        client = Client(streams, limits=brief)
        client.says(GET)
        await client.quiet()
        assert client.wire.aborted
        assert isinstance(client.gateway.ends[0], ClientGone)

    async def test_a_slow_reader_is_waited_for(self) -> None:
        """What is written next goes out once there is room."""

        async def streams(_call: Call, reply: Reply) -> None:
            await reply.start(200, {"content-type": "text/event-stream"})
            await reply.send(b"data: 1\n\n")
            client.connection.pause_writing()
            await reply.send(b"data: 2\n\n")
            await reply.finish()

        client = Client(streams)
        client.says(GET)
        await client.until(lambda: client.wire.writes)
        assert b"data: 2" not in client.wire.sent
        client.connection.resume_writing()
        await client.quiet()
        assert client.wire.sent.endswith(b"data: 2\n\n\r\n0\r\n\r\n")


class TestTime:
    """What takes too long."""

    @pytest.mark.parametrize(
        "said", [(), (b"GE",), (b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-a: ", b"b" * 99)]
    )
    async def test_headers_that_do_not_come(self, said: tuple[bytes, ...]) -> None:
        """From the connection, or from the first byte."""
        client = Client(header_s=0.05)
        client.says(*said)
        await client.until(client.wire.closed.is_set)
        assert client.wire.aborted
        assert not client.gateway.calls

    async def test_headers_of_a_later_request_have_as_long(self) -> None:
        """Not what is left of the pause between two."""
        client = Client(header_s=0.05, keep_alive_s=60)
        client.says(GET)
        await client.quiet()
        client.says(GET[:9])
        await client.until(client.wire.closed.is_set)
        assert client.wire.statuses == [200]

    async def test_an_idle_connection_is_closed(self) -> None:
        """Some time after its last answer, not after its first."""
        client = Client(keep_alive_s=0.3)
        loop, last = asyncio.get_running_loop(), 0.0
        for _ in range(4):
            client.says(GET)
            await client.quiet()
            last = loop.time()
            await asyncio.sleep(0.15)
        assert client.wire.statuses == [200] * 4
        await client.until(client.wire.closed.is_set)
        assert loop.time() - last >= 0.29
        assert not client.wire.aborted

    async def test_a_call_that_is_running_is_not_idle(self) -> None:
        """However long it takes."""
        gate = asyncio.Event()
        done = 0

        async def slow(call: Call, reply: Reply) -> None:
            nonlocal done
            done += 1
            if done > 1:
                await gate.wait()
            await answered(call, reply)

        client = Client(slow, keep_alive_s=0.05)
        client.says(GET)
        await client.quiet()
        client.says(GET)
        await asyncio.sleep(0.2)
        assert not client.wire.closed.is_set()
        gate.set()
        await client.quiet()
        assert client.wire.statuses == [200, 200]

    async def test_an_idle_client_that_read_nothing_is_dropped(self) -> None:
        """A close would wait for it for ever."""
        client = Client(keep_alive_s=0.05)
        client.says(GET)
        await client.quiet()
        client.connection.pause_writing()
        await client.until(client.wire.closed.is_set)
        assert client.wire.aborted

    @pytest.mark.parametrize("half", [True, False])
    async def test_a_client_that_does_not_read_the_end_is_dropped(self, *, half: bool) -> None:
        """Whoever closes: what is unsent would keep the connection open."""
        client = Client(never if half else answered, keep_alive_s=0.05)
        client.says(GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        await client.gateway.began.wait()
        if half:
            client.connection.eof_received()
        await client.until(lambda: client.wire.aborted)
        client.leaves()
        await client.quiet()

    async def test_nothing_is_kept_of_a_client_that_left(self) -> None:
        """No timer has its connection for as long as an idle one may stay."""
        client = Client(never)
        client.says(GET)
        await client.gateway.began.wait()
        client.leaves()
        await client.quiet()
        wire = weakref.ref(client.wire)
        del client
        gc.collect()
        assert wire() is None


class TestJunk:
    """Bytes that are no request."""

    async def test_after_a_request_its_answer_comes_first(self) -> None:
        """An answer that is due, or under way, is not spoiled; it is the last."""
        for begun in (True, False):
            gate = asyncio.Event()

            async def streams(
                _call: Call, reply: Reply, gate: asyncio.Event = gate, *, begun: bool = begun
            ) -> None:
                if begun:
                    await reply.start(200, {"content-type": "text/event-stream"})
                    await reply.send(b"data: 1\n\n")
                await gate.wait()
                if not begun:
                    await reply.start(200, {"content-type": "text/event-stream"})
                await reply.send(b"data: 2\n\n")
                await reply.finish()

            client = Client(streams)
            client.says(GET)
            await client.gateway.began.wait()
            client.says(b"hello there\r\n\r\n", GET)
            gate.set()
            await client.quiet()
            assert client.wire.statuses == [200]
            assert client.wire.sent.endswith(b"data: 2\n\n\r\n0\r\n\r\n")
            assert client.wire.closed.is_set()

    async def test_in_a_body_is_told(self) -> None:
        """Whoever waited for the rest learns that it does not come."""
        client = Client(read_and_answered)
        client.says(b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
        await client.gateway.began.wait()
        client.says(b"zz\r\n")
        client.leaves()
        await client.quiet()
        assert client.wire.statuses == [400]
        assert b'"code":"invalid_http"' in client.wire.sent
        assert isinstance(client.gateway.ends[0], ClientGone)

    async def test_headers_without_end(self) -> None:
        """Refused by their size."""
        client = Client()
        client.says(b"GET / HTTP/1.1\r\nhost: x\r\nx-a: ", *[b"a" * 9999] * 8, GET)
        assert MAX_HEADER_BYTES < 8 * 9999
        assert client.wire.statuses == [431]
        assert client.wire.closed.is_set()
        assert not client.gateway.calls

    @pytest.mark.parametrize("part", [b"x" * 9999, b"a: b\r\n" * 2000], ids=["one", "many"])
    async def test_trailers_without_end(self, part: bytes) -> None:
        """The parser would collect them: refused by their size, not by their time."""
        client = Client(read_and_answered)
        client.says(CHUNKED, b"1\r\na\r\n0\r\na: ", *[part] * 8)
        assert MAX_AROUND_BYTES < 8 * 9999
        assert client.wire.statuses == [400]
        assert client.wire.closed.is_set()

    async def test_extensions_without_end(self) -> None:
        """So are the words behind a chunk's size."""
        client = Client(read_and_answered)
        client.says(CHUNKED, b"1;a=", *[b"x" * 9999] * 8)
        assert client.wire.statuses == [400]

    async def test_small_chunks_are_a_body(self) -> None:
        """A byte in each is wasteful, and no offence."""
        client = Client(read_and_answered)
        client.says(CHUNKED, *[b"1\r\nx\r\n" * 1000] * 40, b"0\r\n\r\n")
        await client.quiet()
        assert client.wire.statuses == [200]

    async def test_in_a_body_whose_answer_is_out_ends_the_connection(self) -> None:
        """One request has one answer; a second would be taken for the next one's."""
        client = Client(answered)
        client.says(CHUNKED)
        await client.quiet()
        client.says(b"zz\r\n", GET)
        await client.quiet()
        assert client.wire.statuses == [200]
        assert client.wire.closed.is_set()

    @pytest.mark.parametrize("name", ["a{}", "a", "a_b"])
    async def test_too_many_lines(self, name: str) -> None:
        """By names of their own, by one, or by such as are dropped: each costs time."""
        client = Client()
        lines = "".join(f"{name.format(number)}: b\r\n" for number in range(MAX_LINES + 1))
        client.says(f"GET / HTTP/1.1\r\nhost: x\r\n{lines}\r\n".encode())
        assert client.wire.statuses == [431]
        assert not client.gateway.calls

    async def test_many_lines_of_others_are_nobodys_fault(self) -> None:
        """What one request brings is not counted for the next."""
        client = Client()
        for begin in (0, 150, 300):
            lines = "".join(f"b{number}: c\r\n" for number in range(begin, begin + 150))
            client.says(f"GET / HTTP/1.1\r\nhost: x\r\n{lines}\r\n".encode())
            await client.quiet()
        assert client.wire.statuses == [200] * 3

    async def test_an_expectation_in_http_1_0_is_ignored(self) -> None:
        """It would not understand the answer (RFC 9110, 10.1.1)."""
        client = Client(read_and_answered)
        asked = post(b"", "expect: 100-continue", announced=3).replace(b"/1.1", b"/1.0")
        client.says(asked)
        await client.gateway.began.wait()
        await asyncio.sleep(0)
        client.says(b"abc")
        await client.quiet()
        assert client.wire.statuses == [200]


class TestEnd:
    """A server that closes."""

    async def test_idle_connections_close_at_once(self) -> None:
        """Nobody waits for them."""
        client = Client()
        client.connection.shutdown()
        assert client.wire.closed.is_set()

    async def test_a_running_call_has_its_answer(self) -> None:
        """It is the connection's last, and says so."""
        client = Client()
        client.says(GET)
        client.connection.shutdown()
        await client.quiet()
        assert client.wire.statuses == [200]
        assert b"connection: close\r\n" in client.wire.sent
        assert client.wire.closed.is_set()


Seen = tuple[str, str, str, Mapping[str, str], bytes]


class Noting:
    """A plane that notes what came."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    def call(self, head: Head, line: Line) -> HttpCall:
        return HttpCall(head, head.headers, line, LIMITS, "req_1")

    async def serve(self, call: HttpCall) -> None:
        head = call.head
        try:
            body = await call.body()
        except ClientGone:
            return
        self.seen.append((head.method, head.path, head.query, head.headers, body))
        await answered(call, HttpReply(call))
        call.line.left(call.task, is_answered=call.is_answered)


def _joined_headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """As they were read of what an ASGI server gives."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" not in name:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


class NotingAsgi:
    """The same as an application of uvicorn's."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            more = message["more_body"]
        path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
        assert unquote(path) == scope["path"]
        headers = _joined_headers(scope["headers"])
        self.seen.append((scope["method"], path, query, headers, body))
        length = [(b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": length})
        await send({"type": "http.response.body", "body": b"ok"})


LINES = (
    *("a: b \t", "A: c", "x_y: z", "Host: y", "b:", " c: d", "d : e", ": f", "e: \xe9", "f: \x00"),
    *("connection: close", "Api-Key: k", "api-key: l", "content-length: 3", "content-length: x"),
    *("transfer-encoding: chunked", "expect: 100-continue"),
)
BODIES = ("", "abc", "3\r\nabc\r\n0\r\n\r\n", "3;x\r\nabc\r\n0\r\na: b\r\n\r\n")


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """One request, whole or spoiled."""
    method = draw(st.sampled_from(["GET", "POST", "HEAD", "PUT", "BREW", "post", ""]))
    target = draw(
        st.sampled_from(
            ["/", "/v1/models?a=b", "/a%2Fb", "/a?b?c#d", "*", "http://h:1/a?b", "//h/a", "/é", ""]
        )
    )
    version = draw(st.sampled_from(["HTTP/1.1"] * 5 + ["HTTP/1.0", "HTTP/2.0", "HTTP/1.9", ""]))
    lines = draw(
        st.lists(
            st.sampled_from(LINES),
            max_size=4,
        )
    )
    body = draw(
        st.sampled_from(["", "abc", "3\r\nabc\r\n0\r\n\r\n", "3;x\r\nabc\r\n0\r\na: b\r\n\r\n"])
    )
    host = draw(st.sampled_from(["host: x\r\n"] * 5 + [""]))
    end = draw(st.sampled_from(["\r\n"] * 5 + ["\n"]))
    head = f"{method} {target} {version}{end}{host}" + "".join(f"{line}{end}" for line in lines)
    return (head + end + body).encode("latin-1")


@given(requests(), st.lists(st.integers(0, 200), max_size=4))
@example(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\nconnection: close\r\n\r\nabcGET", [])
@example(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n", [3])
def test_a_request_is_read_as_by_the_server_that_was_there_before(
    request_: bytes, cuts: list[int]
) -> None:
    """However it is cut: the same method, target, headers and body, or the same refusal."""
    at = sorted({0, *(cut for cut in cuts if cut < len(request_)), len(request_)})
    parts = [request_[begin:end] for begin, end in pairwise(at)]
    asyncio.run(_compared(parts))


async def _compared(parts: list[bytes]) -> None:
    plane, asgi = Noting(), NotingAsgi()
    serving = Serving(plane, ConnectionLimits())
    config = uvicorn.Config(asgi, log_config=None, lifespan="off", ws="none", interface="asgi3")
    config.load()
    own = await _told(serving.connection(server_state=ServerState()), parts)
    before = await _told(GatewayProtocol(config, ServerState(), {}), parts)
    assert plane.seen == asgi.seen
    if (own.finals, before.finals) == ([200], [400]):
        assert plane.seen, "junk after a whole request: here its answer comes first"
    else:
        assert own.finals == before.finals
    assert own.was_closed == before.was_closed


@dataclass(frozen=True, slots=True)
class Verdict:
    finals: list[int]  # statuses that end an answer
    was_closed: bool


async def _told(protocol: Any, parts: list[bytes]) -> Verdict:
    """What a client is told; nothing goes on afterwards."""
    wire = Wire()
    protocol.connection_made(wire)
    for part in parts:
        if not wire.closed.is_set():
            protocol.data_received(part)
    for _ in range(10):
        await asyncio.sleep(0)
    verdict = Verdict([each for each in wire.statuses if each != 100], wire.closed.is_set())
    wire.closed.set()
    protocol.connection_lost(None)
    for _ in range(3):
        await asyncio.sleep(0)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return verdict
