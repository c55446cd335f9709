"""TLS to upstreams: whom we believe, and what is said over it."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app.adapters.upstream import Connections, HttpTransport
from app.adapters.upstream.connection import HIGH_WATER_BYTES, READ_BYTES
from app.domain.routing.deployment import Timeouts
from app.errors import UpstreamDisconnected, UpstreamUnreachable
from app.ports import UpstreamResponse
from tests.fakes.certificates import Authority
from tests.fakes.scripted_upstream import CHUNKED, Line, answers_for_ever, server, until

PATIENCE_S = 20.0
MIB = 2**20
LIMITS = Timeouts(connect=20.0, first_byte=60.0, total=60.0)


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that this process trusts."""
    private = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(private.path))
    return private


@pytest.fixture
async def transport(authority: Authority) -> AsyncIterator[HttpTransport]:
    """One that was opened when the authority was known already."""
    assert authority.path.exists()
    async with HttpTransport() as open_transport:
        yield open_transport


async def post(transport: HttpTransport, url: str, body: bytes = b"{}") -> UpstreamResponse:
    return await transport.send("POST", url, {}, body, timeouts=LIMITS)


async def whole(response: UpstreamResponse) -> bytes:
    parts = []
    while data := await response.read(PATIENCE_S):
        parts.append(data)
    return b"".join(parts)


async def test_a_private_authority(transport: HttpTransport, authority: Authority) -> None:
    """`SSL_CERT_FILE` names whom to believe; connections are kept, large bodies pass."""
    body = bytes(range(256)) * (8 * MIB // 256)
    async with server(answers_for_ever, tls=authority.server("127.0.0.1")) as upstream:
        for _ in range(3):
            assert await whole(await post(transport, upstream.url)) == b"ok"
        assert await whole(await post(transport, upstream.url, body)) == b"ok"
        assert upstream.lines[0].requests[3].endswith(body)
        assert len(upstream.lines) == 1
    await until(lambda: transport.connections() == Connections(0, 0))


async def test_http_1_1_is_agreed_on(authority: Authority) -> None:
    """A server that prefers HTTP/2 hears that we speak 1.1."""
    context = authority.server("127.0.0.1")
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with HttpTransport() as transport, server(answers_for_ever, tls=context) as upstream:
        assert await whole(await post(transport, upstream.url)) == b"ok"
        agreed: ssl.SSLObject = upstream.lines[0].writer.get_extra_info("ssl_object")
        assert agreed.selected_alpn_protocol() == "http/1.1"


async def test_another_host_s_certificate(authority: Authority) -> None:
    """A certificate that is good for somebody else is none."""
    context = authority.server("elsewhere.example")
    async with HttpTransport() as transport, server(answers_for_ever, tls=context) as upstream:
        with pytest.raises(UpstreamUnreachable):
            await post(transport, upstream.url)
        assert transport.connections() == Connections(0, 0)
        assert all(not line.requests for line in upstream.lines)


async def test_an_authority_that_nobody_knows(tmp_path: Path) -> None:
    """Nor is one of a stranger, however well made."""
    context = Authority(tmp_path).server("127.0.0.1")
    async with HttpTransport() as transport, server(answers_for_ever, tls=context) as upstream:
        with pytest.raises(UpstreamUnreachable):
            await post(transport, upstream.url)
        assert all(not line.requests for line in upstream.lines)


@pytest.mark.parametrize("how", ["reset", "silence"])
async def test_a_body_until_the_close_is_cut_off(
    transport: HttpTransport, authority: Authority, how: str
) -> None:
    """An end that TLS did not announce is a break: anybody on the way can make one."""
    read = asyncio.Event()

    async def until_closed(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await read.wait()
        if how == "reset":
            line.reset()
            return
        with socket.socket(fileno=os.dup(line.writer.get_extra_info("socket").fileno())) as raw:
            raw.shutdown(socket.SHUT_WR)
        await line.gone()

    async with server(until_closed, tls=authority.server("127.0.0.1")) as upstream:
        response = await post(transport, upstream.url)
        assert await response.read(PATIENCE_S) == b"hello"
        read.set()
        with pytest.raises(UpstreamDisconnected):
            await response.read(PATIENCE_S)


async def test_a_body_until_the_close(transport: HttpTransport, authority: Authority) -> None:
    """One that it did announce is an end."""

    async def until_closed(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\n\r\nhello")

    async with server(until_closed, tls=authority.server("127.0.0.1")) as upstream:
        assert await whole(await post(transport, upstream.url)) == b"hello"


async def test_an_idle_close_is_mended(transport: HttpTransport, authority: Authority) -> None:
    """A kept connection may be closed over TLS as over TCP."""

    async def once(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if line.number == 0:
            await line.request()

    async with server(once, tls=authority.server("127.0.0.1")) as upstream:
        for _ in range(2):
            assert await whole(await post(transport, upstream.url)) == b"ok"
        assert [len(line.requests) for line in upstream.lines] == [2, 1]


async def test_leaving_ends_the_work(transport: HttpTransport, authority: Authority) -> None:
    """Closing early is heard over TLS as well."""

    async def endless(line: Line) -> None:
        await line.request()
        await line.say(CHUNKED, b"5\r\nhello\r\n")
        await line.gone()

    async with server(endless, tls=authority.server("127.0.0.1")) as upstream:
        response = await post(transport, upstream.url)
        assert await response.read(PATIENCE_S) == b"hello"
        response.close()
        await until(lambda: upstream.open == 0)


async def test_a_reader_that_stalls_holds_the_upstream_back(
    transport: HttpTransport, authority: Authority
) -> None:
    """What is decrypted is as little as over TCP."""
    size = 16 * MIB

    async def floods(line: Line) -> None:
        await line.request()
        await line.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // 65536):
            await line.say(bytes(65536))
        await line.gone()

    async with server(floods, tls=authority.server("127.0.0.1")) as upstream:
        response = await post(transport, upstream.url)
        (connection,) = transport._pool._open  # noqa: SLF001  # no other way to what it holds
        ciphered: Any = connection._transport  # noqa: SLF001  # the same
        await until(lambda: not ciphered.is_reading())
        assert ciphered.get_read_buffer_limits()[1] == HIGH_WATER_BYTES
        # What was there before the last read, and the most that asyncio reads of TLS at once.
        assert ciphered.get_read_buffer_size() <= HIGH_WATER_BYTES + 256 * 1024
        most, got = 0, 0
        while data := await response.read(PATIENCE_S):
            most, got = max(most, len(data)), got + len(data)
            await asyncio.sleep(0)
        assert got == size
        assert most <= HIGH_WATER_BYTES + READ_BYTES
