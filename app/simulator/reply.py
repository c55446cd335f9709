"""The way of an answer to the client, with the faults that happen on it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from app.simulator.client import Client, ClientGone
from app.simulator.fault import Fault
from app.simulator.ledger import Outcome

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TRANSPORT_EXTENSION: Final = "spillgate.transport"

_EARLY_HINTS: Final = b"HTTP/1.1 103 Early Hints\r\nlink: </>; rel=preconnect\r\n\r\n"
_LAST_CHUNK_WITH_TRAILER: Final = b"0\r\nx-simulated-trailer: 1\r\n\r\n"
_GZIP_WINDOW: Final = 31
_LONGEST_STALL_S: Final = 3600.0
_LEAVING_S: Final = 5.0
_ENDLESS_PART: Final = b"x" * 65536
_ENDLESS_PARTS: Final = 2048


class Severed(Exception):
    """The connection was broken on purpose; nothing more can be sent."""


class Reply:
    """Sends one answer. `before_last` is told how it went just before the last bytes go out."""

    def __init__(
        self,
        send: Send,
        client: Client,
        transport: asyncio.Transport | None,
        before_last: Callable[[Outcome], None],
    ) -> None:
        self._send = send
        self._client = client
        self._transport = transport
        self._before_last = before_last
        self._written = 0
        self._zip: Any = None
        self.fault = Fault()

    async def whole(
        self, status: int, headers: Mapping[str, str], body: bytes, *, outcome: Outcome
    ) -> None:
        """Send an answer whose length is known.

        Raises:
            Severed: a fault broke the connection.
            ClientGone: it left while the answer stalled.
        """
        if self.fault.gzip:
            body = gzip.compress(body)
        length = {} if self.fault.trailers else {"content-length": str(len(body))}
        await self._start(status, {**headers, **length})
        if self.fault.breaks_midway:
            await self._put(body[: len(body) // 2])
            await self.break_off()
        await self._end(body, outcome)

    async def open(self, headers: Mapping[str, str]) -> None:
        """Start a stream of events."""
        if self.fault.gzip:
            self._zip = zlib.compressobj(wbits=_GZIP_WINDOW)
        await self._start(200, {**headers, "content-type": "text/event-stream; charset=utf-8"})

    async def write(self, data: bytes) -> None:
        """Send a part of the stream.

        Raises:
            ClientGone: the client left.
            Severed: a fault broke the connection.
        """
        if self._zip is not None:
            data = self._zip.compress(data) + self._zip.flush(zlib.Z_SYNC_FLUSH)
        await self._put(data)

    async def finish(self, data: bytes, *, outcome: Outcome = "complete") -> None:
        """Send the last part of the stream."""
        if self._zip is not None:
            data = self._zip.compress(data) + self._zip.flush()
        await self._end(data, outcome)

    async def endless_line(self, headers: Mapping[str, str]) -> None:
        """Stream one line until the client leaves, or 128 MiB."""
        await self.open(headers)
        await self.write(b'data: {"id":"')
        for _ in range(_ENDLESS_PARTS):
            await self.write(_ENDLESS_PART)
            await self._client.sleep(0)
        await self.finish(b"", outcome="error")

    async def break_off(self) -> None:
        """Do what the fault does in the middle of an answer; does not return.

        Raises:
            ClientGone: it left a stalled answer.
            Severed: the connection was broken.
        """
        if self.fault.stall_after_chunks is not None:
            await self._client.wait_gone(at_most=_LONGEST_STALL_S)
            self._client.check()
        await self._sever()

    async def _start(self, status: int, headers: Mapping[str, str]) -> None:
        if self.fault.early_hints and self._transport is not None:
            self._transport.write(_EARLY_HINTS)
        extra: dict[str, str] = {}
        if self.fault.content_type is not None:
            extra["content-type"] = self.fault.content_type
        if self.fault.gzip:
            extra["content-encoding"] = "gzip"
        if self.fault.trailers:
            extra |= {"trailer": "x-simulated-trailer", "connection": "close"}
        all_headers = {**headers, **extra, **self.fault.headers}
        pairs = [
            (name.lower().encode(), text.encode("latin-1")) for name, text in all_headers.items()
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": pairs})

    async def _put(self, data: bytes) -> None:
        limit = self.fault.cut_after_bytes
        if limit is not None and self._written + len(data) > limit:
            await self._send_body(data[: limit - self._written], more=True)
            await self._sever()
        self._written += len(data)
        await self._send_body(data, more=True)
        self._client.check()

    async def _end(self, data: bytes, outcome: Outcome) -> None:
        if self.fault.cut_after_bytes is not None:
            await self._put(data)
            data = b""
        self._before_last(outcome)
        if self.fault.trailers and self._transport is not None:
            await self._send_body(data, more=True)
            self._transport.write(_LAST_CHUNK_WITH_TRAILER)
            await self._close()
            raise Severed
        await self._send_body(data, more=False)

    async def _send_body(self, data: bytes, *, more: bool) -> None:
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except RuntimeError as error:
            # uvicorn: writing to a connection whose client left with another request queued.
            if "closed" in str(error):
                raise ClientGone from error
            raise

    async def _sever(self) -> None:
        self._before_last("error")
        if self.fault.half_close and self._transport is not None:
            self._transport.write_eof()
            await self._client.wait_gone(at_most=_LEAVING_S)
        await self._close()
        raise Severed

    async def _close(self) -> None:
        """Close below HTTP: what was written still goes out, the end of the message does not."""
        if self._transport is not None:
            self._transport.close()
            await self._client.wait_gone(at_most=_LEAVING_S)
            self._transport.abort()
