"""What a thread writes, as the parts of an answer: bounded in memory, ended when nobody reads."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, Final

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

PART_BYTES: Final = 64 * 1024
#: Parts that wait to be sent; a thread that is ahead of its reader waits, too.
_PARTS: Final = 4

MEDIA_TYPES: Final = {
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
}
_Write = Callable[[IO[bytes]], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How slowly an answer may be taken, in seconds: who reads no more holds a thread.

    16 KB a second on the whole; what is taken sooner is slack for later, up to half a minute.
    """

    slack_s: float = 30.0
    part_s: float = 4.0


_PACE: Final = Pace()


def _nothing() -> None:
    """Nobody asked to be told."""


async def streamed(
    write: _Write,
    *,
    form: str,
    name: str,
    ended: Callable[[], None] = _nothing,
    pace: Pace = _PACE,
) -> StreamingResponse:
    """An answer of what `write` writes in a thread, as a file called `name`; `ended` is told once.

    What it raises before there is a part is raised here; later it breaks the answer off, so that
    nobody takes half of it for all.
    """
    parts = _parts(write, ended)
    first = await anext(parts, b"")
    headers = {"content-disposition": f'attachment; filename="{name}.{form}"'}
    headers["content-type"] = MEDIA_TYPES[form]
    return _Answer(_chain(first, parts), headers=headers, pace=pace)


class _Answer(StreamingResponse):
    """Ends the thread, however the sending ends; sending ends where nobody takes a part."""

    def __init__(
        self, parts: AsyncGenerator[bytes, None], *, headers: dict[str, str], pace: Pace
    ) -> None:
        super().__init__(parts, headers=headers)
        self._parts = parts
        self._pace = pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, self._in_time(send))
        except _Stalled:
            # Left without its end, which the server makes the connection's.
            structlog.get_logger().warning("download_given_up", path=scope.get("path", ""))
        finally:
            await self._parts.aclose()

    def _in_time(self, send: Send) -> Send:
        pace, left, now = self._pace, self._pace.slack_s, asyncio.get_running_loop().time

        async def send_in_time(message: Message) -> None:
            nonlocal left
            began = now()
            try:
                async with asyncio.timeout(left):
                    await send(message)
            except TimeoutError:
                raise _Stalled from None
            left = min(pace.slack_s, left + pace.part_s - (now() - began))

        return send_in_time


async def _chain(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    try:
        yield first
        async for part in rest:
            yield part
    finally:
        await rest.aclose()


async def _parts(write: _Write, ended: Callable[[], None]) -> AsyncGenerator[bytes, None]:
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(_PARTS)
    target = _Target(queue, asyncio.get_running_loop())
    writing = asyncio.create_task(asyncio.to_thread(_run, write, target))
    writing.add_done_callback(lambda _: ended())
    try:
        while (part := await queue.get()) is not None:
            yield part
        await writing
    finally:
        target.abandoned = True
        while not writing.done():
            with suppress(asyncio.QueueEmpty):
                queue.get_nowait()
            await asyncio.wait({writing}, timeout=0.01)
        if not writing.cancelled():
            writing.exception()  # it was raised above, or nobody is left to hear it


class _Stalled(Exception):
    """Nobody takes what is sent."""


class _Abandoned(Exception):
    """Nobody reads what is written."""


class _Target(io.RawIOBase):
    """A file that a thread writes to; each part goes to the loop's queue."""

    def __init__(self, queue: asyncio.Queue[bytes | None], loop: asyncio.AbstractEventLoop) -> None:
        self._queue = queue
        self._loop = loop
        self._buffer = bytearray()
        self.abandoned = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        if self.abandoned:
            raise _Abandoned
        self._buffer += data
        if len(self._buffer) >= PART_BYTES:
            self.pass_on()
        return len(data)

    def pass_on(self) -> None:
        """Put what is buffered in the queue; waits while it is full."""
        part = bytes(self._buffer)
        self._buffer.clear()
        if part:
            self.put(part)

    def put(self, part: bytes | None) -> None:
        """Wait until there is room for a part, or None, which ends them."""
        asyncio.run_coroutine_threadsafe(self._queue.put(part), self._loop).result()


def _run(write: _Write, target: _Target) -> None:
    try:
        write(target)  # type: ignore[arg-type]  # a raw file is all that a writer needs
        target.pass_on()
    finally:
        target.put(None)
