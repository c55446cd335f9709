"""A server that speaks Redis's protocol, greets as one should, and then does as a test tells it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from hiredis import Reader

PROTOCOL = b"%1\r\n$5\r\nproto\r\n:3\r\n"


def bulk(value: bytes) -> bytes:
    """A reply that is a string."""
    return b"$%d\r\n%b\r\n" % (len(value), value)


class ScriptedRedis:
    """`answer` is given each command and says what to send, or nothing; `say` sends more.

    Attributes:
        heard: all commands but the greetings, of all connections.
        password: asked of every new connection, if it is not empty.
        reads: cleared, nothing is read any more.
    """

    def __init__(self) -> None:
        self.answer: Callable[[Sequence[bytes]], bytes] = lambda command: bulk(command[-1])
        self.heard: list[list[bytes]] = []
        self.password = ""
        self.reads = asyncio.Event()
        self.reads.set()
        self._writers: list[asyncio.StreamWriter] = []

    @property
    def connections(self) -> int:
        """How many there were so far."""
        return len(self._writers)

    def say(self, data: bytes, connection: int = -1) -> None:
        """Send on the latest connection, or on another that is still there."""
        self._writers[connection].write(data)

    def cut(self) -> None:
        """End all connections, as an administrator or a restart would."""
        for writer in self._writers:
            writer.transport.abort()

    async def hears(self, count: int) -> None:
        """Wait until it has heard as many commands."""
        async with asyncio.timeout(20):
            while len(self.heard) < count:
                await asyncio.sleep(0.001)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, for as long as the other end wants."""
        self._writers.append(writer)
        parser = Reader()
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                parser.feed(data)
                while (command := parser.gets()) is not False:
                    writer.write(self._said(command))
                await self.reads.wait()
        writer.transport.abort()

    def _said(self, command: list[Any]) -> bytes:
        if command[0] == b"HELLO":
            given = command[-1].decode() if b"AUTH" in command else ""
            if given != self.password:
                return b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
            return PROTOCOL
        self.heard.append(command)
        return self.answer(command)


@asynccontextmanager
async def scripted_redis(
    path: Path, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[ScriptedRedis, str]]:
    """The server and its URL: on a socket at `path`, or with `tls` on a port."""
    scripted = ScriptedRedis()
    if tls is None:
        server = await asyncio.start_unix_server(scripted.serve, path)
        url = f"unix://{path}"
    else:
        server = await asyncio.start_server(scripted.serve, "127.0.0.1", 0, ssl=tls)
        url = f"rediss://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield scripted, url
    finally:
        server.close()
        scripted.cut()
        scripted.reads.set()
        await asyncio.sleep(0.01)
