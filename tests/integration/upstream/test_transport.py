"""The transport against a server that says exactly what each story needs, byte by byte.

Each story is told to our own client and to one over aiohttp: what both do is what HTTP asks for.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import socket
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress

import pytest

from app.adapters.azure.deployments import Transport
from app.adapters.upstream import HttpTransport
from app.adapters.upstream.decompression import STEP_BYTES
from app.domain.routing.deployment import Timeouts
from app.errors import (
    UpstreamDisconnected,
    UpstreamError,
    UpstreamMisconfigured,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from app.ports import UpstreamResponse
from tests.fakes.aiohttp_transport import AiohttpTransport
from tests.fakes.scripted_upstream import (
    CHUNKED,
    OK,
    Line,
    Script,
    answers_for_ever,
    server,
    until,
)

PATIENCE_S = 5.0
SECRET = "s3cret-key"


Opening = Callable[[], AbstractAsyncContextManager[Transport]]


@pytest.fixture(params=[HttpTransport, AiohttpTransport], ids=["own", "aiohttp"])
def opening(request: pytest.FixtureRequest) -> Opening:
    return request.param  # type: ignore[no-any-return]  # a parameter of the two above


@pytest.fixture
async def transport(opening: Opening) -> AsyncIterator[Transport]:
    async with opening() as open_transport:
        yield open_transport


def timeouts(*, first_byte: float = 5.0, total: float = 10.0) -> Timeouts:
    return Timeouts(connect=2.0, first_byte=first_byte, total=total)


async def post(
    transport: Transport, url: str, body: bytes = b"{}", *, limits: Timeouts | None = None
) -> UpstreamResponse:
    headers = {"content-type": "application/json", "api-key": SECRET}
    return await transport.send("POST", url, headers, body, timeouts=limits or timeouts())


async def whole(response: UpstreamResponse) -> bytes:
    """The rest of the body; the response is closed afterwards."""
    parts = []
    try:
        while data := await response.read(PATIENCE_S):
            parts.append(data)
    finally:
        response.close()
    return b"".join(parts)


async def test_a_request_arrives_as_given(transport: Transport) -> None:
    """Method, path as quoted, headers and body are sent; nothing compressed is asked for."""
    async with server(answers_for_ever) as upstream:
        url = upstream.url.replace("/chat", "/a%20b%2Fc?x=1&y=%20")
        response = await post(transport, url, b'{"a":1}')
        body = await whole(response)
        (sent,) = upstream.lines[0].requests

    assert (response.status, response.headers["content-length"], body) == (200, "2", b"ok")
    assert sent.startswith(b"POST /a%20b%2Fc?x=1&y=%20 HTTP/1.1\r\n")
    assert sent.endswith(b'\r\n\r\n{"a":1}')
    lowered = sent.lower()
    assert b"accept-encoding: identity\r\n" in lowered
    assert b"api-key: s3cret-key\r\n" in lowered
    assert b"cookie" not in lowered


async def test_a_large_body_arrives_whole(transport: Transport) -> None:
    """Bodies of megabytes are sent with their length."""
    body = random.Random(1).randbytes(3 * 2**20)
    async with server(answers_for_ever) as upstream:
        assert await whole(await post(transport, upstream.url, body)) == b"ok"
        assert upstream.lines[0].requests[0].endswith(body)


async def test_a_read_answer_frees_its_connection(transport: Transport) -> None:
    """Ten requests one after the other need one connection."""
    async with server(answers_for_ever) as upstream:
        for _ in range(10):
            await whole(await post(transport, upstream.url))

        assert len(upstream.lines) == 1


async def test_an_unread_answer_takes_its_connection_along(transport: Transport) -> None:
    """Closing early tells the upstream to stop working."""
    stopped = asyncio.Event()

    async def endless(line: Line) -> None:
        await line.request()
        await line.say(CHUNKED, b"5\r\nhello\r\n")
        await line.gone()
        stopped.set()

    async with server(endless) as upstream:
        response = await post(transport, upstream.url)
        assert await response.read(PATIENCE_S) == b"hello"
        response.close()

        async with asyncio.timeout(20):
            await stopped.wait()
        with pytest.raises(UpstreamDisconnected):
            await response.read(PATIENCE_S)


async def test_cookies_and_redirects_are_not_followed(transport: Transport) -> None:
    """A redirect is an answer like any other, and no cookie comes back."""

    async def redirects(line: Line) -> None:
        while True:
            await line.request()
            await line.say(
                b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nSet-Cookie: a=b\r\n"
                b"Set-Cookie: c=d\r\nContent-Length: 0\r\n\r\n"
            )

    async with server(redirects) as upstream:
        first = await post(transport, upstream.url)
        assert (await whole(first), first.status) == (b"", 302)
        assert first.headers["set-cookie"] == "a=b, c=d"
        assert await whole(await post(transport, upstream.url)) == b""

        assert b"cookie" not in b"".join(upstream.lines[0].requests).lower()


class TestIdleConnections:
    """An upstream may close a kept connection whenever it likes."""

    async def test_a_closed_connection_is_not_used_again(self, transport: Transport) -> None:
        """A close that was seen costs nothing."""

        async def once(line: Line) -> None:
            await line.request()
            await line.say(OK)

        async with server(once) as upstream:
            for _ in range(3):
                assert await whole(await post(transport, upstream.url)) == b"ok"
                await until(lambda: upstream.open == 0)

            assert [len(line.requests) for line in upstream.lines] == [1, 1, 1]

    @pytest.mark.parametrize("how", ["close", "reset"])
    async def test_a_close_that_crosses_a_post_is_mended(
        self, transport: Transport, how: str
    ) -> None:
        """A POST on a kept connection that ends without a byte is sent once more, on a new one."""

        async def once_then_ends(line: Line) -> None:
            await line.request()
            await line.say(OK)
            if line.number > 0:
                return
            await line.request()
            if how == "reset":
                line.reset()

        async with server(once_then_ends) as upstream:
            await whole(await post(transport, upstream.url, b"1"))
            assert await whole(await post(transport, upstream.url, b"2")) == b"ok"

            bodies = [[request[-1:] for request in line.requests] for line in upstream.lines]
            assert bodies == [[b"1", b"2"], [b"2"]]

    async def test_a_second_failure_is_told(self, transport: Transport) -> None:
        """There is one resend, not a loop."""

        async def once_then_never(line: Line) -> None:
            await line.request()
            if line.number == 0:
                await line.say(OK)
                await line.request()

        async with server(once_then_never) as upstream:
            await whole(await post(transport, upstream.url))
            with pytest.raises(UpstreamDisconnected):
                await post(transport, upstream.url)

            assert [len(line.requests) for line in upstream.lines] == [2, 1]

    async def test_a_new_connection_is_not_tried_again(self, transport: Transport) -> None:
        """It was not idle: whoever closed it may have been at work."""

        async def reads_and_leaves(line: Line) -> None:
            await line.request()

        async with server(reads_and_leaves) as upstream:
            with pytest.raises(UpstreamDisconnected):
                await post(transport, upstream.url)

            assert len(upstream.lines) == 1

    @pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\ncontent-"])
    async def test_an_answer_that_began_is_not_asked_for_again(
        self, transport: Transport, begun: bytes
    ) -> None:
        """One byte of an answer shows that the request was read."""

        async def begins(line: Line) -> None:
            await line.request()
            await line.say(OK)
            await line.request()
            await line.say(begun)

        async with server(begins) as upstream:
            await whole(await post(transport, upstream.url))
            with pytest.raises((UpstreamDisconnected, UpstreamProtocolError)):
                await post(transport, upstream.url)

            assert len(upstream.lines) == 1

    @pytest.mark.parametrize("kind", [HttpTransport, AiohttpTransport])
    async def test_a_late_close_is_not_asked_for_again(
        self, kind: type[HttpTransport | AiohttpTransport]
    ) -> None:
        """After the time of a round trip the upstream may have been at work."""

        async def works_then_leaves(line: Line) -> None:
            await line.request()
            await line.say(OK)
            await line.request()
            await asyncio.sleep(0.1)

        async with server(works_then_leaves) as upstream, kind(resend_within_s=0.05) as transport:
            await whole(await post(transport, upstream.url))
            with pytest.raises(UpstreamDisconnected):
                await post(transport, upstream.url)

            assert len(upstream.lines) == 1


class TestBrokenAnswers:
    """Nothing but our own errors comes out, and none of them tells a secret."""

    @pytest.mark.parametrize(
        "cut",
        [
            CHUNKED + b"5\r\nhello\r\n",
            CHUNKED + b"5\r\nhello\r\n5\r\nwo",
            b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
        ],
    )
    @pytest.mark.parametrize("how", ["close", "reset"])
    async def test_a_cut_body(self, transport: Transport, cut: bytes, how: str) -> None:
        """What came before the break is given first, then the break is told."""
        read = asyncio.Event()

        async def cuts(line: Line) -> None:
            await line.request()
            await line.say(cut)
            if how == "reset":
                await read.wait()
                line.reset()

        async with server(cuts) as upstream:
            response = await post(transport, upstream.url)
            assert (await response.read(PATIENCE_S)).startswith(b"hello")
            read.set()

            with pytest.raises(UpstreamDisconnected):
                await whole(response)
            with pytest.raises(UpstreamDisconnected):
                await response.read(PATIENCE_S)
            response.close()

    async def test_a_reader_that_comes_late_gets_what_came(self, transport: Transport) -> None:
        """A break does not take away bytes that had arrived before it."""

        async def cuts(line: Line) -> None:
            await line.request()
            await line.say(CHUNKED, b"5\r\nhello\r\n")
            await asyncio.sleep(0.02)
            await line.say(b"5\r\nworld\r\n")

        async with server(cuts) as upstream:
            response = await post(transport, upstream.url)
            await until(lambda: upstream.open == 0)
            await asyncio.sleep(0.05)  # the break is on its way to a reader that does not read

            assert await response.read(PATIENCE_S) == b"helloworld"
            with pytest.raises(UpstreamDisconnected):
                await whole(response)

    @pytest.mark.parametrize(
        "garbage",
        [
            b"not http at all\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nbroken header\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nx: " + b"y" * 20_000 + b"\r\n\r\n",
        ],
    )
    async def test_no_http(self, transport: Transport, garbage: bytes) -> None:
        """An answer that is not HTTP is said to be that."""

        async def talks_nonsense(line: Line) -> None:
            await line.request()
            await line.say(garbage)
            await line.gone()

        async with server(talks_nonsense) as upstream:
            with pytest.raises(UpstreamProtocolError) as failure:
                await post(transport, upstream.url)

        assert_tells_nothing(failure.value)

    async def test_broken_chunks(self, transport: Transport) -> None:
        """A body that is not what it says breaks off where it is wrong.

        Aiohttp drops the line but wakes no reader; the end of the wait tells the break.
        """
        read = asyncio.Event()

        async def miscounts(line: Line) -> None:
            await line.request()
            await line.say(CHUNKED, b"5\r\nhello\r\n")
            await read.wait()
            await line.say(b"zz\r\nworld\r\n")
            await line.gone()

        async with server(miscounts) as upstream:
            response = await post(transport, upstream.url)
            assert await response.read(PATIENCE_S) == b"hello"
            read.set()
            with pytest.raises((UpstreamDisconnected, UpstreamProtocolError)):
                await response.read(0.1)
            response.close()

    async def test_nobody_listens(self, transport: Transport) -> None:
        """A refused connection and an unknown host are unreachable, and say no address."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        for url in (f"http://127.0.0.1:{port}/chat", "http://nowhere.invalid/chat"):
            with pytest.raises(UpstreamUnreachable) as failure:
                await post(transport, url)
            assert_tells_nothing(failure.value)

    async def test_no_tls(self, transport: Transport) -> None:
        """A server that does not speak TLS is unreachable over it."""

        async def plain(line: Line) -> None:
            await line.reader.read(1)
            await line.say(OK)

        async with server(plain) as upstream:
            with pytest.raises(UpstreamUnreachable):
                await post(transport, upstream.url.replace("http:", "https:"))

    @pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://", "nowhere", "http://[::1/"])
    async def test_no_url(self, transport: Transport, url: str) -> None:
        """A URL that cannot be called is a mistake in the configuration."""
        with pytest.raises(UpstreamMisconfigured):
            await post(transport, url)

    async def test_a_credential_that_is_no_header(self, transport: Transport) -> None:
        """A key with a line break, as files end with, is refused without being shown."""
        async with server(answers_for_ever) as upstream:
            with pytest.raises(UpstreamMisconfigured) as failure:
                await transport.send(
                    "POST", upstream.url, {"api-key": f"{SECRET}\n"}, b"{}", timeouts=timeouts()
                )

        assert_tells_nothing(failure.value)


def assert_tells_nothing(error: UpstreamError) -> None:
    assert SECRET not in f"{error!r} {error.__cause__!r}"
    assert "127.0.0.1" not in error.message
    assert error.__suppress_context__ or error.__context__ is None


class TestSilence:
    """Every wait has an end."""

    async def test_no_headers(self, transport: Transport) -> None:
        """The first byte's limit ends the wait, and the connection with it."""
        stopped = asyncio.Event()

        async def thinks(line: Line) -> None:
            await line.request()
            await line.say(b"HTTP/1.1 200 OK\r\n")
            await line.gone()
            stopped.set()

        async with server(thinks) as upstream:
            with pytest.raises(UpstreamTimeout):
                await post(transport, upstream.url, limits=timeouts(first_byte=0.05))
            async with asyncio.timeout(20):
                await stopped.wait()

    async def test_a_connection_that_does_not_come(self, transport: Transport) -> None:
        """A handshake that hangs is unreachable after the connect limit."""
        async with server(Line.gone) as upstream:
            with pytest.raises(UpstreamUnreachable):
                await post(
                    transport,
                    upstream.url.replace("http:", "https:"),
                    limits=Timeouts(connect=0.05),
                )

    async def test_a_connection_that_does_not_come_is_no_silence(
        self, transport: Transport
    ) -> None:
        """Nothing was sent, so that another may be asked, however soon the headers are due."""
        async with server(Line.gone) as upstream:
            with pytest.raises(UpstreamUnreachable):
                await post(
                    transport,
                    upstream.url.replace("http:", "https:"),
                    limits=Timeouts(connect=20.0, first_byte=0.05),
                )

    async def test_silence_then_data(self, transport: Transport) -> None:
        """After a silence the stream can be read on; no byte is lost."""
        go_on = asyncio.Event()

        async def hesitates(line: Line) -> None:
            await line.request()
            await line.say(CHUNKED, b"5\r\nhello\r\n")
            await go_on.wait()
            await line.say(b"5\r\nworld\r\n0\r\n\r\n")
            await line.gone()

        async with server(hesitates) as upstream:
            response = await post(transport, upstream.url)
            assert await response.read(PATIENCE_S) == b"hello"
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    await response.read(0.01)
            go_on.set()

            assert await whole(response) == b"world"

    async def test_the_whole_call_has_an_end(self, transport: Transport) -> None:
        """Drops that keep coming do not keep a call alive for ever."""

        async def drips(line: Line) -> None:
            await line.request()
            await line.say(CHUNKED)
            while not line.reader.at_eof():
                await line.say(b"1\r\n.\r\n")
                await asyncio.sleep(0.01)

        async with server(drips) as upstream:
            response = await post(transport, upstream.url, limits=timeouts(total=1.0))
            with pytest.raises(UpstreamTimeout):
                await whole(response)
            response.close()


class TestFraming:
    """What HTTP allows around and inside an answer."""

    async def test_interim_answers(self, transport: Transport) -> None:
        """1xx answers before the real one are passed over."""

        async def hints(line: Line) -> None:
            await line.request()
            await line.say(
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
            )
            await line.say(OK)

        async with server(hints) as upstream:
            response = await post(transport, upstream.url)
            assert (response.status, await whole(response)) == (200, b"ok")
            assert "link" not in response.headers

    async def test_trailers(self, transport: Transport) -> None:
        """Trailers end a body without being part of it, and the connection is kept."""

        async def trails(line: Line) -> None:
            while True:
                await line.request()
                await line.say(CHUNKED, b"5\r\nhello\r\n0\r\nx-checksum: 1\r\n\r\n")

        async with server(trails) as upstream:
            for _ in range(2):
                response = await post(transport, upstream.url)
                assert await whole(response) == b"hello"
                assert "x-checksum" not in response.headers
            assert len(upstream.lines) == 1

    async def test_a_body_until_the_close(self, transport: Transport) -> None:
        """Without a length the close is the end."""

        async def old(line: Line) -> None:
            await line.request()
            await line.say(b"HTTP/1.0 200 OK\r\n\r\nhello")

        async with server(old) as upstream:
            assert await whole(await post(transport, upstream.url)) == b"hello"

    async def test_an_answer_before_the_request_is_read(self, transport: Transport) -> None:
        """A refusal that does not wait for a large body is an answer."""

        async def refuses(line: Line) -> None:
            await line.reader.readuntil(b"\r\n\r\n")
            await line.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            await line.gone()

        async with server(refuses) as upstream:
            response = await post(transport, upstream.url, bytes(8 * 2**20))
            assert (response.status, await whole(response)) == (413, b"no")
            response.close()

    async def test_more_than_was_asked_for(self, transport: Transport) -> None:
        """Bytes after an answer are not taken for the next one."""

        async def chatters(line: Line) -> None:
            await line.request()
            await line.say(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
            await line.gone()

        async with server(chatters) as upstream:
            for _ in range(2):
                with suppress(UpstreamError):
                    assert await whole(await post(transport, upstream.url)) == b"ok"
            assert all(len(line.requests) == 1 for line in upstream.lines)


class TestCompression:
    """Nothing compressed was asked for; what comes compressed all the same is read."""

    async def test_a_stream_comes_out_as_it_goes_in(self, transport: Transport) -> None:
        """Each flushed frame is there before the next one is sent."""
        step = asyncio.Event()

        async def packs(line: Line) -> None:
            await line.request()
            await line.say(CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n"))
            packer = zlib.compressobj(wbits=31)
            for frame in (b"data: 1\n\n", b"data: 2\n\n"):
                packed = packer.compress(frame) + packer.flush(zlib.Z_SYNC_FLUSH)
                await line.say(b"%x\r\n%b\r\n" % (len(packed), packed))
                await step.wait()
            end = packer.flush()
            await line.say(b"%x\r\n%b\r\n0\r\n\r\n" % (len(end), end))

        async with server(packs) as upstream:
            response = await post(transport, upstream.url)
            assert await response.read(PATIENCE_S) == b"data: 1\n\n"
            step.set()
            assert await whole(response) == b"data: 2\n\n"
            assert "content-encoding" not in response.headers

    @pytest.mark.parametrize("encoding", ["gzip", "deflate", "GZip"])
    async def test_a_bomb_comes_out_in_steps(self, transport: Transport, encoding: str) -> None:
        """A body that grows a thousandfold is never in memory whole."""
        body = bytes(8 * 2**20)
        packed = zlib.compress(body) if encoding == "deflate" else gzip.compress(body)
        async with server(answering(packed, encoding)) as upstream:
            response = await post(transport, upstream.url)
            parts = []
            while data := await response.read(PATIENCE_S):
                parts.append(data)

        assert max(map(len, parts)) <= STEP_BYTES
        assert b"".join(parts) == body
        assert "content-length" not in response.headers

    async def test_a_body_that_ends_too_soon(self, transport: Transport) -> None:
        """A packed body without its end is a broken answer, however well framed."""
        packed = gzip.compress(random.Random(1).randbytes(1000))[:-10]
        async with server(answering(packed, "gzip")) as upstream:
            response = await post(transport, upstream.url)
            with pytest.raises(UpstreamDisconnected):
                await whole(response)

    @pytest.mark.parametrize(("encoding", "body"), [("gzip", b"not gzip at all"), ("br", b"x")])
    async def test_a_body_that_cannot_be_read(
        self, transport: Transport, encoding: str, body: bytes
    ) -> None:
        """What cannot be unpacked is an upstream's fault, and its connection is let go."""
        async with server(answering(body, encoding)) as upstream:
            with pytest.raises(UpstreamProtocolError):
                await whole(await post(transport, upstream.url))


def answering(body: bytes, encoding: str) -> Script:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"

    async def answers(line: Line) -> None:
        await line.request()
        await line.say(head.encode() + body)
        await line.gone()

    return answers


async def test_cancelled_requests_leave_nothing_behind(opening: Opening) -> None:
    """After a churn of requests given up at any point, later ones are fine and no line is open."""

    async def slow(line: Line) -> None:
        while True:
            await line.request()
            await asyncio.sleep(0.004)
            await line.say(CHUNKED, b"5\r\nhello\r\n")
            await asyncio.sleep(0.004)
            await line.say(b"0\r\n\r\n")

    async with server(slow) as upstream:
        async with opening() as transport:
            assert await _churn(transport, upstream.url, 2.5) > 100
            for _ in range(10):
                assert await whole(await post(transport, upstream.url)) == b"hello"
            await until(lambda: upstream.open <= 20)  # those that are kept for reuse
        await until(lambda: upstream.open == 0)


async def _churn(transport: Transport, url: str, duration_s: float) -> int:
    """Send twenty requests at a time and give them up at random; how many were given up."""
    time, draw, given_up = asyncio.get_running_loop().time, random.Random(7), 0
    end = time() + duration_s
    while time() < end:
        batch = (_given_up(transport, url, draw.uniform(0.0, 0.012)) for _ in range(20))
        given_up += sum(await asyncio.gather(*batch))
    return given_up


async def _given_up(transport: Transport, url: str, patience_s: float) -> bool:
    try:
        async with asyncio.timeout(patience_s):
            await whole(await post(transport, url))
    except TimeoutError:
        return True
    return False
