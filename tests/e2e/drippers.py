"""Clients that send a byte now and then, and come back when they lose their connection."""

from __future__ import annotations

import asyncio
from collections import Counter
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

_PAUSE_S: Final = 0.3
_HEAD: Final = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n"


class Drippers:
    """So many at once, as long as the scope lasts: half drip headers, half bodies."""

    def __init__(self, url: str, key: str, count: int) -> None:
        """`url` is of the data plane; the bodies' requests have this key."""
        parts = urlsplit(url)
        self._address = parts.hostname or "", parts.port or 0
        self._heads = (
            f"{_HEAD}x-drip: ".encode(),
            f"{_HEAD}api-key: {key}\r\ncontent-length: 100000\r\n\r\n".encode(),
        )
        self._count = count
        self._tasks: list[asyncio.Task[None]] = []
        self.open = 0
        self.dropped = 0
        #: Statuses of those that were told something, and how often.
        self.told: Counter[int] = Counter()

    async def __aenter__(self) -> Self:
        drip = (asyncio.create_task(self._drip(number)) for number in range(self._count))
        self._tasks = list(drip)
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _drip(self, number: int) -> None:
        await asyncio.sleep(_PAUSE_S * number / self._count)  # not all in one moment
        while True:
            reader, writer = await asyncio.open_connection(*self._address)
            self.open += 1
            try:
                writer.write(self._heads[number % 2])
                self._note(await self._until_closed(reader, writer))
            finally:
                self.open -= 1
                writer.transport.abort()

    async def _until_closed(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        reading = asyncio.create_task(reader.read(1000))
        try:
            while not reading.done():
                writer.write(b" ")
                await asyncio.wait({reading}, timeout=_PAUSE_S)
            return reading.result()
        except ConnectionError:
            return b""
        finally:
            reading.cancel()

    def _note(self, said: bytes) -> None:
        if said:
            self.told[int(said.split(b" ")[1])] += 1
        else:
            self.dropped += 1
