"""Between processes of one machine: who connects to a Unix socket is told all that there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

#: A process that takes longer is not waited for. Seconds.
LIMIT_S: Final = 1.0


@asynccontextmanager
async def answering(path: Path, answer: Callable[[], Awaitable[bytes]]) -> AsyncIterator[None]:
    """Answer whoever connects, for as long as the scope is open; then the socket is gone.

    Whoever may enter the socket's directory may read it: that is to be the owner alone.
    """

    async def tell(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            writer.write(await answer())
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(tell, path)
    try:
        yield
    finally:
        server.close()
        await asyncio.to_thread(path.unlink, missing_ok=True)


async def answer_of(path: Path, limit_s: float = LIMIT_S) -> bytes | None:
    """What is answered there; None where that is nothing in time. It may have been cut off."""
    with suppress(TimeoutError, OSError):
        return await _heard(path, limit_s)
    return None


async def is_silent(path: Path, limit_s: float) -> bool:
    """Whether whoever is there lets so much time pass without a word.

    Who hangs up or has left is not silent, and nobody is where this process has no file left to
    ask with.
    """
    try:
        await _heard(path, limit_s)
    except (TimeoutError, BlockingIOError):  # the latter: too many wait to be heard already
        return True
    except OSError:
        return False
    return False


async def _heard(path: Path, limit_s: float) -> bytes:
    async with asyncio.timeout(limit_s):
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            return await reader.read()
        finally:
            writer.close()
