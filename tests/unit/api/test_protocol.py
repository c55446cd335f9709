"""The admin plane's connections: what uvicorn leaves open is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from app.api.listener import ConnectionLimits, bind
from app.api.server import serving

CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
USUAL = ConnectionLimits()
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
Application = Callable[[Any, Any, Any], Awaitable[None]]


async def reads(_scope: Any, receive: Any, send: Any) -> None:
    """Answers when it has the body."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
    await answers(_scope, receive, send)


async def answers(_scope: Any, _receive: Any, send: Any) -> None:
    """Answers at once."""
    length = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def served(
    app: Application, limits: ConnectionLimits = USUAL
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to it."""
    listener = bind("127.0.0.1", 0)
    async with serving(app, listener, limits):
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            async with asyncio.timeout(60):
                yield reader, writer
        finally:
            writer.transport.abort()


async def everything(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends."""
    parts = []
    try:
        while part := await reader.read(65536):
            parts.append(part)
    except ConnectionError:
        pass
    return b"".join(parts)


async def test_blanks_around_a_value_are_none_of_it() -> None:
    """RFC 9110, 5.5: a key with a blank behind it is that key."""
    scopes: list[Any] = []

    async def noted(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await answers(scope, receive, send)

    async with served(noted) as (reader, writer):
        writer.write(GET[:-2] + b"authorization: \tBearer key \t\r\nconnection: close\r\n\r\n")
        await everything(reader)
    assert dict(scopes[0]["headers"])[b"authorization"] == b"Bearer key"


async def test_headers_that_drip_lose_their_connection() -> None:
    """Nothing is answered: there is no request."""
    async with served(reads, ConnectionLimits(header_s=0.1)) as (reader, writer):
        writer.write(GET[:20])
        assert await everything(reader) == b""


async def test_a_body_that_drips_is_told_so() -> None:
    """408, and the end of the connection."""
    async with served(reads, ConnectionLimits(body_s=0.1)) as (reader, writer):
        writer.write(CHUNKED + b"1\r\na\r\n")
        said = await everything(reader)
    assert said.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"request_timeout"' in said


async def test_trailers_without_end_are_refused() -> None:
    """By their size, long before their time."""
    async with served(reads) as (reader, writer):
        writer.write(CHUNKED + b"1\r\na\r\n0\r\na: " + b"x" * 2_000_000)
        said = await everything(reader)
    assert said.startswith(b"HTTP/1.1 400 ")


async def test_junk_behind_a_request_does_not_spoil_its_answer() -> None:
    """A refusal in its place would be taken for it, though it was done."""
    may = asyncio.Event()

    async def late(scope: Any, receive: Any, send: Any) -> None:
        await may.wait()
        await answers(scope, receive, send)

    async with served(late) as (reader, writer):
        writer.write(GET + b"junk\r\n\r\n")
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.2, may.set)
        said = await everything(reader)
    assert said.startswith(b"HTTP/1.1 200 ")
    assert said.count(b"HTTP/1.1 ") == 1


async def test_junk_in_a_body_whose_answer_is_out_has_no_answer() -> None:
    """One request has one answer."""
    async with served(answers) as (reader, writer):
        writer.write(CHUNKED)
        await reader.readuntil(b"ok")
        writer.write(b"zz\r\n")
        assert await everything(reader) == b""


async def test_a_client_that_takes_nothing_is_dropped() -> None:
    """An export that nobody reads would be kept, and its rows with it."""
    ended = asyncio.Event()

    async def exports(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            for _ in range(1000):
                part = {"type": "http.response.body", "body": b"x" * 65536, "more_body": True}
                await send(part)
        finally:
            ended.set()

    async with served(exports, ConnectionLimits(write_stall_s=0.2)) as (_reader, writer):
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # as transports of sockets can
        writer.write(GET)
        await ended.wait()
