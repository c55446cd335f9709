"""A server that says exactly what a story needs, byte by byte."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Line:
    """The server's end of one connection."""

    def __init__(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer
        self.requests: list[bytes] = []

    async def request(self) -> bytes:
        """The next request, head and body; IncompleteReadError once the client has closed."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        body = await self.reader.readexactly(int(fields.get(b"content-length", b"0")))
        self.requests.append(head + body)
        return head + body

    async def say(self, *parts: bytes) -> None:
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()

    async def gone(self) -> None:
        """Return once the client has closed."""
        with suppress(ConnectionError):
            await self.reader.read()

    def reset(self) -> None:
        """Break the connection as a crash does."""
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Line], Awaitable[None]]


class Server:
    """Plays one script per connection, and remembers its lines."""

    def __init__(self, script: Script) -> None:
        self.lines: list[Line] = []
        self.open = 0
        self._script = script
        self.url = ""
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(len(self.lines), reader, writer)
        self.lines.append(line)
        self.open += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await self._script(line)
        finally:
            if not writer.is_closing():  # closed twice, TLS of Python 3.11.2 cannot be aborted
                writer.close()
            self.open -= 1


@asynccontextmanager
async def server(
    script: Script, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    """A server that is listening; what is open at the end is broken off."""
    playing = Server(script)
    listener = await asyncio.start_server(playing.serve, host, 0, ssl=tls)
    playing.port = listener.sockets[0].getsockname()[1]
    playing.url = f"{'https' if tls else 'http'}://{host}:{playing.port}/chat"
    async with listener:
        yield playing
        for line in playing.lines:
            line.writer.transport.abort()


async def until(condition: Callable[[], bool], *, within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.005)


async def answers_for_ever(line: Line) -> None:
    while True:
        await line.request()
        await line.say(OK)
