"""An upstream that sends the bytes it is given, and keeps what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from app.settings import Settings
from tests.e2e.stack import Stack

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"


@dataclass(slots=True)
class Canned:
    """What it was asked, heads and bodies; and how many connections are still open."""

    url: str = ""
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    open: int = 0


def whole(body: bytes, *, status: str = "200 OK", headers: str = "") -> Script:
    """A script that answers with JSON."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}"
    data = f"{head}content-length: {len(body)}\r\n\r\n".encode() + body

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return say


def pieces(*parts: bytes) -> Script:
    """A script that answers with an event stream, cut as given, and ends the connection."""

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM_HEAD)
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)  # let the other side read this part by itself
        writer.close()

    return say


@asynccontextmanager
async def canned(script: Script) -> AsyncIterator[Canned]:
    """Serve one script to every request, on a free port."""
    kept = Canned()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.open += 1
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                await _take(reader, kept)
                await script(writer)
        kept.open -= 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address: Any = server.sockets[0].getsockname()
    kept.url = f"http://127.0.0.1:{address[1]}"
    try:
        yield kept
    finally:
        server.close()


async def lead_to(team: Stack, deployment: str, url: str) -> None:
    """Reload the gateway with one deployment reached elsewhere."""
    settings: Settings = team.process.current.settings
    name = team.name(deployment)
    moved = settings.deployments[name].model_copy(update={"endpoint": url})
    deployments = settings.deployments | {name: moved}
    await team.process.reload(settings.model_copy(update={"deployments": deployments}))


async def _take(reader: asyncio.StreamReader, kept: Canned) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    kept.heads.append(head)
    lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
    length = int(lengths[0].split(":")[1]) if lengths else 0
    kept.bodies.append(await reader.readexactly(length))
