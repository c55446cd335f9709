"""What goes wrong on one connection to an upstream, and what must not come of it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from app.adapters.upstream import Connections, HttpTransport
from app.adapters.upstream.answer_parser import MOST_FIELDS, MOST_HEAD_BYTES, MOST_INTERIM
from app.adapters.upstream.connection import HIGH_WATER_BYTES, READ_BYTES
from app.domain.routing.deployment import Timeouts
from app.errors import (
    UpstreamDisconnected,
    UpstreamMisconfigured,
    UpstreamProtocolError,
    UpstreamTimeout,
)
from app.ports import UpstreamResponse
from tests.fakes.scripted_upstream import CHUNKED, OK, Line, Script, answers_for_ever, server, until

PATIENCE_S = 20.0
MIB = 2**20


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    async with HttpTransport() as open_transport:
        yield open_transport


async def post(
    transport: HttpTransport, url: str, body: bytes = b"{}", *, total_s: float = 60.0
) -> UpstreamResponse:
    limits = Timeouts(connect=20.0, first_byte=total_s, total=total_s)
    return await transport.send("POST", url, {"api-key": "k"}, body, timeouts=limits)


async def whole(response: UpstreamResponse) -> bytes:
    parts = []
    try:
        while data := await response.read(PATIENCE_S):
            parts.append(data)
    finally:
        response.close()
    return b"".join(parts)


def saying(*answers: bytes) -> Script:
    """Each request gets the next answer, in one piece; after the last one the line stays open."""

    async def says(line: Line) -> None:
        for answer in answers:
            await line.request()
            await line.say(answer)
        await line.gone()

    return says


class TestReuse:
    """A connection is asked again only where it is known whose bytes come next."""

    @pytest.mark.parametrize(
        "answer",
        [
            OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
            OK + b"x",
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            CHUNKED + b"2\r\nok\r\n0\r\n\r\n0\r\n\r\n",
        ],
        ids=["another answer", "a byte", "said to close", "of old", "two ends"],
    )
    async def test_a_spent_connection_is_closed(
        self, transport: HttpTransport, answer: bytes
    ) -> None:
        """The answer counts, what follows it does not, and nothing is asked there again."""
        async with server(saying(answer)) as upstream:
            for _ in range(3):
                assert await whole(await post(transport, upstream.url)) == b"ok"
            assert [len(line.requests) for line in upstream.lines] == [1, 1, 1]
            await until(lambda: upstream.open == 0)

    @pytest.mark.parametrize(
        "answer",
        [
            OK,
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
            CHUNKED + b"2;ext=1\r\nok\r\n0\r\nx: y\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        ],
    )
    async def test_others_are_kept(self, transport: HttpTransport, answer: bytes) -> None:
        """However the end of an answer was told."""
        async with server(saying(answer, answer)) as upstream:
            first = await whole(await post(transport, upstream.url))
            assert await whole(await post(transport, upstream.url)) == first
            assert len(upstream.lines) == 1

    async def test_bytes_that_nobody_asked_for(self, transport: HttpTransport) -> None:
        """A server that talks while it waits has lost count: its line is not used again."""
        talk = asyncio.Event()

        async def talks(line: Line) -> None:
            await line.request()
            await line.say(OK)
            await talk.wait()
            await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            await line.gone()

        async with server(talks) as upstream:
            await whole(await post(transport, upstream.url))
            talk.set()
            await until(lambda: transport.connections() == Connections(0, 0))
            assert await whole(await post(transport, upstream.url)) == b"ok"

    async def test_an_answer_that_is_here_frees_its_connection_unread(
        self, transport: HttpTransport
    ) -> None:
        """Who leaves when all has come takes nothing along; what came can be read later on."""
        async with server(answers_for_ever) as upstream:
            unread = await post(transport, upstream.url)
            left = await post(transport, upstream.url)
            left.close()
            assert transport.connections() == Connections(0, 1)
            assert await whole(await post(transport, upstream.url)) == b"ok"
            assert await whole(unread) == b"ok"
            assert len(upstream.lines) == 1

    async def test_nobody_waits_longer_than_is_fresh(self) -> None:
        """A connection that waited too long is closed, whether anybody asks or not."""
        async with (
            HttpTransport(keep_alive_s=0.05) as transport,
            server(answers_for_ever) as upstream,
        ):
            for _ in range(2):
                await whole(await post(transport, upstream.url))
                await until(lambda: upstream.open == 0)
            assert transport.connections() == Connections(0, 0)
            assert len(upstream.lines) == 2

    async def test_no_connection_lives_for_ever(self) -> None:
        """One that is old is not kept, for its name may lead elsewhere by now."""
        async with HttpTransport(max_age_s=0.0) as transport, server(answers_for_ever) as upstream:
            for _ in range(3):
                await whole(await post(transport, upstream.url))
            assert len(upstream.lines) == 3

    async def test_the_last_one_back_is_the_first_one_out(self, transport: HttpTransport) -> None:
        """So that those that are not needed grow old."""
        async with server(answers_for_ever) as upstream:
            await asyncio.gather(*(_asked(transport, upstream.url) for _ in range(5)))
            opened = len(upstream.lines)
            for _ in range(20):
                await _asked(transport, upstream.url)
            served = sorted(len(line.requests) for line in upstream.lines)
            assert (len(served), served[-1] - 1) == (opened, 20)

    async def test_servers_are_told_apart(self, transport: HttpTransport) -> None:
        """By their host and port: no request goes to another server's connection."""
        async with server(answers_for_ever) as one, server(answers_for_ever) as other:
            for upstream in (one, other, one, other):
                await _asked(transport, upstream.url)
            assert [len(each.lines[0].requests) for each in (one, other)] == [2, 2]


async def _asked(transport: HttpTransport, url: str) -> bytes:
    return await whole(await post(transport, url))


class TestHeads:
    """What is read before the body is bounded."""

    @pytest.mark.parametrize(
        "head",
        [
            b"x: " + b"y" * MOST_HEAD_BYTES + b"\r\n",
            b"".join(b"x-%d: y\r\n" % number for number in range(MOST_FIELDS + 1)),
            b"x: y\r\n" * (MOST_HEAD_BYTES // 2),
        ],
        ids=["one large field", "too many", "the same one again and again"],
    )
    async def test_too_large_a_head(self, transport: HttpTransport, head: bytes) -> None:
        """It is refused, as it is where it never ends."""
        endless = OK[:17] + head * (2 * MOST_HEAD_BYTES // len(head) + 1)
        for answer in (OK.replace(b"\r\n\r\n", b"\r\n" + head + b"\r\n"), endless):
            async with server(saying(answer)) as upstream:
                with pytest.raises(UpstreamProtocolError):
                    await post(transport, upstream.url)
                await until(lambda up=upstream: up.open == 0)  # type: ignore[misc]  # a bool

    async def test_a_large_head(self, transport: HttpTransport) -> None:
        """A head within the bounds comes through, in however many pieces."""
        value = b"y" * (MOST_HEAD_BYTES - 200)
        answer = b"HTTP/1.1 200 OK\r\nx: " + value + b"\r\nContent-Length: 2\r\n\r\nok"

        async def dribbles(line: Line) -> None:
            await line.request()
            for at in range(0, len(answer), 1000):
                await line.say(answer[at : at + 1000])
                await asyncio.sleep(0)
            await line.gone()

        async with server(dribbles) as upstream:
            response = await post(transport, upstream.url)
            assert (response.headers["x"], await whole(response)) == (value.decode(), b"ok")

    async def test_early_hints_without_an_end(self, transport: HttpTransport) -> None:
        """A server that only ever hints is no server."""
        hint = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        async with server(saying(hint * (MOST_INTERIM + 1) + OK)) as upstream:
            with pytest.raises(UpstreamProtocolError):
                await post(transport, upstream.url)
        async with server(saying(hint * MOST_INTERIM + OK)) as upstream:
            assert await whole(await post(transport, upstream.url)) == b"ok"

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nx: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
            b"HTTP/1.1 200 OK\r\nx : a\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nx: a\0b\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
        ],
        ids=[
            "upgraded unasked",
            "coded twice",
            "coded",
            "two lengths",
            "a folded line",
            "bare line feeds",
            "a space before the colon",
            "a null",
            "a length beyond numbers",
            "a length below zero",
        ],
    )
    async def test_framing_that_can_be_read_two_ways(
        self, transport: HttpTransport, answer: bytes
    ) -> None:
        """What another parser might cut elsewhere is not cut at all."""
        async with server(saying(answer)) as upstream:
            with pytest.raises(UpstreamProtocolError):
                await post(transport, upstream.url)
            await until(lambda: upstream.open == 0)


class TestBodies:
    """What comes after the head."""

    @pytest.mark.parametrize(
        "end",
        [b"0\r\nx: " + b"y" * 5 * MOST_HEAD_BYTES, b"1;" + b"x" * 5 * MOST_HEAD_BYTES],
        ids=["trailers", "a chunk's extension"],
    )
    async def test_much_that_is_no_body(self, transport: HttpTransport, end: bytes) -> None:
        """Bytes that nobody reads are not collected without a bound."""
        async with server(saying(CHUNKED + b"2\r\nok\r\n" + end)) as upstream:
            response = await post(transport, upstream.url)
            assert await response.read(PATIENCE_S) == b"ok"
            with pytest.raises(UpstreamProtocolError):
                await response.read(PATIENCE_S)
            await until(lambda: upstream.open == 0)

    async def test_framing_is_no_sign_of_life(self, transport: HttpTransport) -> None:
        """A reader's patience ends, however many bytes come that are no part of the body."""

        async def goes_on_and_on(line: Line) -> None:
            await line.request()
            await line.say(CHUNKED, b"1;")
            while not line.reader.at_eof():
                await line.say(b"x")
                await asyncio.sleep(0.01)

        async with server(goes_on_and_on) as upstream:
            response = await post(transport, upstream.url)
            with pytest.raises(TimeoutError):
                await response.read(0.2)
            response.close()
            await until(lambda: upstream.open == 0)

    async def test_a_flood_has_an_end(self, transport: HttpTransport) -> None:
        """A call is over in its time even where there is always something to read."""

        async def floods(line: Line) -> None:
            await line.request()
            await line.say(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                await line.say(bytes(64 * 1024))

        async with server(floods) as upstream:
            response = await post(transport, upstream.url, total_s=1.0)
            with pytest.raises(UpstreamTimeout):
                await _read_slowly(response)
            response.close()
            await until(lambda: upstream.open == 0)

    async def test_a_body_and_then_nonsense(self, transport: HttpTransport) -> None:
        """What was well framed is given, then it is said what came after it."""
        async with server(saying(CHUNKED + b"5\r\nhello\r\nzz\r\n")) as upstream:
            response = await post(transport, upstream.url)
            assert await response.read(PATIENCE_S) == b"hello"
            for _ in range(2):
                with pytest.raises(UpstreamProtocolError):
                    await response.read(PATIENCE_S)

    @pytest.mark.parametrize("how", ["close", "reset"])
    async def test_a_body_until_the_close(self, transport: HttpTransport, how: str) -> None:
        """A close is its end; a reset is a break."""
        read = asyncio.Event()

        async def until_closed(line: Line) -> None:
            await line.request()
            await line.say(b"HTTP/1.1 200 OK\r\n\r\nhello")
            await read.wait()
            if how == "reset":
                line.reset()

        async with server(until_closed) as upstream:
            response = await post(transport, upstream.url)
            assert await response.read(PATIENCE_S) == b"hello"
            read.set()
            if how == "close":
                assert await response.read(PATIENCE_S) == b""
            else:
                with pytest.raises(UpstreamDisconnected):
                    await response.read(PATIENCE_S)

    async def test_a_half_closed_line(self, transport: HttpTransport) -> None:
        """An upstream that says all it has to say and stops talking has answered."""

        async def stops_talking(line: Line) -> None:
            await line.request()
            await line.say(OK)
            line.writer.write_eof()
            await line.gone()

        async with server(stops_talking) as upstream:
            for _ in range(3):
                assert await whole(await post(transport, upstream.url)) == b"ok"
                await until(lambda: upstream.open == 0)
            assert transport.connections() == Connections(0, 0)

    async def test_a_half_closed_line_in_the_middle(self, transport: HttpTransport) -> None:
        """Where more was announced, it has broken off."""

        async def stops_talking(line: Line) -> None:
            await line.request()
            await line.say(CHUNKED, b"5\r\nhello\r\n")
            line.writer.write_eof()
            await line.gone()

        async with server(stops_talking) as upstream:
            response = await post(transport, upstream.url)
            with pytest.raises(UpstreamDisconnected):
                await whole(response)
            await until(lambda: upstream.open == 0)

    async def test_frames_that_come_together_are_one_read(self, transport: HttpTransport) -> None:
        """What one read of the socket brought wakes its reader once."""
        frames = b"".join(b"9\r\ndata: %d\n\n\r\n" % number for number in range(10))
        async with server(saying(CHUNKED + frames + b"0\r\n\r\n")) as upstream:
            response = await post(transport, upstream.url)
            await until(lambda: transport.connections().idle == 1)
            body = await response.read(PATIENCE_S)
            assert (body[:9], body.count(b"\n\n")) == (b"data: 0\n\n", 10)
            assert await response.read(PATIENCE_S) == b""

    async def test_a_reader_that_stalls_holds_the_upstream_back(
        self, transport: HttpTransport
    ) -> None:
        """A body of 64 MiB waits at the upstream, but for a little."""
        sent = 0

        async def floods(line: Line) -> None:
            nonlocal sent
            await line.request()
            await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
            while sent < 64 * MIB:
                await line.say(bytes(64 * 1024))
                sent += 64 * 1024
            await line.gone()

        async with server(floods) as upstream:
            response = await post(transport, upstream.url)
            await until_still(lambda: sent)
            assert sent < 32 * MIB  # what fits between two sockets
            most, size = 0, 0
            while size < 64 * MIB:
                data = await response.read(PATIENCE_S)
                most, size = max(most, len(data)), size + len(data)
            assert most <= HIGH_WATER_BYTES + READ_BYTES
            assert await response.read(PATIENCE_S) == b""


async def until_still(value: object, *, for_s: float = 0.3) -> None:
    """Return once a figure has not changed for a while."""
    assert callable(value)
    async with asyncio.timeout(60):
        last, since = value(), asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - since < for_s:
            await asyncio.sleep(0.02)
            if value() != last:
                last, since = value(), asyncio.get_running_loop().time()


async def _read_slowly(response: UpstreamResponse) -> None:
    """For so long that the next bytes are always there."""
    async with asyncio.timeout(60):
        while await response.read(PATIENCE_S):
            await asyncio.sleep(0.02)


class TestUploads:
    """Bodies that are larger than what sockets take at once."""

    BODY = bytes(range(256)) * (24 * MIB // 256)

    async def test_a_slow_upstream_gets_all_of_it(self, transport: HttpTransport) -> None:
        """As fast as it reads, and the connection is kept."""
        async with server(answers_for_ever) as upstream:
            for _ in range(2):
                assert await whole(await post(transport, upstream.url, self.BODY)) == b"ok"
            sent = upstream.lines[0].requests
            assert [each.endswith(b"\r\n\r\n" + self.BODY) for each in sent] == [True, True]

    @pytest.mark.parametrize("status", [b"413 Too Large", b"429 Too Many Requests"])
    async def test_a_refusal_spares_the_rest(self, transport: HttpTransport, status: bytes) -> None:
        """What a refusal does not want is not sent, and the refusal is read in full."""
        told, sent = asyncio.Event(), 0

        async def refuses(line: Line) -> None:
            nonlocal sent
            await line.reader.readuntil(b"\r\n\r\n")
            await line.say(b"HTTP/1.1 " + status + b"\r\nContent-Length: 4\r\n\r\nno")
            await told.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    while data := await line.reader.read(MIB):
                        sent += len(data)
            await line.say(b"ne")

        async with server(refuses) as upstream:
            response = await post(transport, upstream.url, self.BODY)
            assert response.status == int(status[:3])
            told.set()
            assert await whole(response) == b"none"
            assert 0 < sent < len(self.BODY) - 4 * MIB
            assert transport.connections() == Connections(0, 0)

    async def test_an_answer_does_not_stop_the_request(self, transport: HttpTransport) -> None:
        """An upstream may begin to answer while it reads: it still gets all."""
        got = b""

        async def answers_while_it_reads(line: Line) -> None:
            nonlocal got
            await line.reader.readuntil(b"\r\n\r\n")
            await line.say(CHUNKED, b"5\r\nhello\r\n")
            got = await line.reader.readexactly(len(self.BODY))
            await line.say(b"0\r\n\r\n")
            await line.gone()

        async with server(answers_while_it_reads) as upstream:
            response = await post(transport, upstream.url, self.BODY)
            assert await whole(response) == b"hello"
            assert got == self.BODY
            assert transport.connections() == Connections(0, 1)

    async def test_a_whole_answer_before_the_request(self, transport: HttpTransport) -> None:
        """What is answered without being read is answered; the connection is not kept."""

        async def knows(line: Line) -> None:
            await line.reader.readuntil(b"\r\n\r\n")
            await line.say(OK)
            await line.gone()

        async with server(knows) as upstream:
            assert await whole(await post(transport, upstream.url, self.BODY)) == b"ok"
            assert transport.connections() == Connections(0, 0)

    async def test_an_upstream_that_leaves_in_the_middle(self, transport: HttpTransport) -> None:
        """A body that is half sent is not sent again: the connection was new."""

        async def leaves(line: Line) -> None:
            await line.reader.readuntil(b"\r\n\r\n")
            line.reset()

        async with server(leaves) as upstream:
            with pytest.raises(UpstreamDisconnected):
                await post(transport, upstream.url, self.BODY)
            assert len(upstream.lines) == 1

    async def test_an_upstream_that_does_not_read(self, transport: HttpTransport) -> None:
        """A request that cannot be sent has the same end as one that is not answered."""

        async def does_nothing(line: Line) -> None:
            line.writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport
            await asyncio.sleep(0.5)

        async with server(does_nothing) as upstream:
            with pytest.raises(UpstreamTimeout):
                await post(transport, upstream.url, self.BODY, total_s=0.1)


class TestLeaving:
    """Whoever is cancelled takes the connection along, at any point."""

    async def test_before_the_connection(self, transport: HttpTransport) -> None:
        """A connection that is being opened is none any more."""
        async with server(Line.gone) as upstream:
            asking = asyncio.create_task(post(transport, upstream.url.replace("http:", "https:")))
            await until(lambda: upstream.open == 1)
            assert transport.connections() == Connections(0, 0)  # there is no TLS yet
            await _cancelled(asking)
            await until(lambda: upstream.open == 0)
            assert transport.connections() == Connections(0, 0)

    async def test_before_the_head(self, transport: HttpTransport) -> None:
        """The upstream hears of it at once."""

        async def thinks(line: Line) -> None:
            await line.request()
            await line.gone()

        async with server(thinks) as upstream:
            asking = asyncio.create_task(post(transport, upstream.url))
            await until(lambda: bool(upstream.lines and upstream.lines[0].requests))
            await _cancelled(asking)
            await until(lambda: upstream.open == 0)
            assert transport.connections() == Connections(0, 0)

    async def test_within_the_body(self, transport: HttpTransport) -> None:
        """A read that is cancelled loses nothing; who closes then ends the upstream's work."""
        go_on = asyncio.Event()

        async def hesitates(line: Line) -> None:
            await line.request()
            await line.say(CHUNKED)
            await go_on.wait()
            await line.say(b"5\r\nhello\r\n")
            await line.gone()

        async with server(hesitates) as upstream:
            response = await post(transport, upstream.url)
            reading = asyncio.create_task(response.read(PATIENCE_S))
            await asyncio.sleep(0.02)
            await _cancelled(reading)
            go_on.set()
            assert await response.read(PATIENCE_S) == b"hello"
            response.close()
            await until(lambda: upstream.open == 0)

    async def test_with_the_transport(self) -> None:
        """What is open when it is closed breaks off, and nothing is opened afterwards."""
        async with server(saying(CHUNKED + b"5\r\nhello\r\n")) as upstream:
            async with HttpTransport() as transport:
                response = await post(transport, upstream.url)
                assert await response.read(PATIENCE_S) == b"hello"
                reading = asyncio.create_task(response.read(PATIENCE_S))
                await asyncio.sleep(0)
            with pytest.raises(UpstreamDisconnected):
                await reading
            await until(lambda: upstream.open == 0)
            with pytest.raises(UpstreamDisconnected):
                await post(transport, upstream.url)


async def _cancelled(task: asyncio.Task[object]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


class TestRequests:
    """What is sent is one request and no more."""

    @pytest.mark.parametrize(
        "headers",
        [
            {"x": "a\r\nhost: evil"},
            {"x": "a\nb"},
            {"x": "a\0b"},
            {"x\r\ny": "a"},
            {"x y": "a"},
            {"": "a"},
            {"content-length": "0"},
            {"Transfer-Encoding": "chunked"},
            {"host": "evil"},
            {"x": "\u20ac"},
        ],
    )
    async def test_no_header_is_two(
        self, transport: HttpTransport, headers: dict[str, str]
    ) -> None:
        """Nothing of it is sent, neither the first time nor the second."""
        async with server(answers_for_ever) as upstream:
            for _ in range(2):
                with pytest.raises(UpstreamMisconfigured):
                    await transport.send("POST", upstream.url, headers, b"", timeouts=Timeouts())
            assert upstream.lines == []

    @pytest.mark.parametrize("url", ["http://127.0.0.1:1/a\r\nx: y", "http://a b/", "http://u@h/"])
    async def test_no_url_is_a_header(self, transport: HttpTransport, url: str) -> None:
        """Line breaks, spaces and user names are none of a URL's."""
        with pytest.raises(UpstreamMisconfigured):
            await post(transport, url)

    async def test_methods_and_lengths(self, transport: HttpTransport) -> None:
        """A POST says its length, be it none; what has no body says none."""
        async with server(answers_for_ever) as upstream:
            for method in ("GET", "DELETE", "POST"):
                response = await transport.send(method, upstream.url, {}, b"", timeouts=Timeouts())
                assert await whole(response) == b"ok"
            lengths = [b"content-length: 0" in each for each in upstream.lines[0].requests]
            assert lengths == [False, False, True]


class TestSockets:
    """How the sockets are set up."""

    async def test_small_packets_do_not_wait(self, transport: HttpTransport) -> None:
        """Nor does a request for a machine that is gone; silence is broken by signs of life."""
        async with server(answers_for_ever) as upstream:
            await whole(await post(transport, upstream.url))
            (connection,) = transport._pool._open  # noqa: SLF001  # no other way to its socket
            raw = connection._transport.get_extra_info("socket")  # noqa: SLF001  # the same
            assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                assert 0 < raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) < 60_000

    async def test_a_timer_is_not_set_per_request(self, transport: HttpTransport) -> None:
        """A hundred requests with a limit each wait on the timer that the first one set."""
        async with server(answers_for_ever) as upstream:
            await whole(await post(transport, upstream.url))
            (connection,) = transport._pool._open  # noqa: SLF001  # no other way to its timer
            alarm = connection.alarm
            timer = alarm._handle  # noqa: SLF001  # the same
            assert timer is not None
            for _ in range(100):
                await whole(await post(transport, upstream.url))
            assert alarm._handle is timer  # noqa: SLF001  # the same
