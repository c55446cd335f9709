"""Streams: so many at once, each followed by another on its connection."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from random import Random
from typing import Final
from zlib import crc32

from loadtest.bench.driver_connection import Connection
from loadtest.bench.driver_spec import Spec, StreamLoad, StreamsFound
from loadtest.bench.quantiles import quantile

#: Their beginnings are spread over so long.
_SPREAD_S = 1.0
_SEED: Final = 1
#: After it all have begun, and their first ones are past their beginning.
_SETTLED_S = 1.5
_SLACK_S = 60.0
_EVENT_END = b"\n\n"


def beginnings(streams: int) -> list[float]:
    """When each of them begins, seconds: by chance, as users do, but the same in every run.

    Of streams that begin at even distances many would have all their frames at the same time.
    """
    chance = Random(_SEED)  # noqa: S311  # nobody has to guess it
    return [chance.uniform(0, _SPREAD_S) for _ in range(streams)]


@dataclass(slots=True)
class _Running:
    """One stream."""

    asked: float
    crc: int = 0
    first: bool = True
    half: bool = False  # its last part ended in the middle of an event's end


class Streams:
    """All of a load."""

    def __init__(self, spec: Spec, load: StreamLoad) -> None:
        self._seconds = spec.seconds
        self._load = load
        self._request = load.asked.as_bytes()
        self._running: dict[Connection, _Running] = {}
        self._ttft: list[float] = []
        self._frames = self._streams = self._failed = self._changed = 0
        self._crc = load.crc32
        self._open = True
        self._done = asyncio.Event()

    async def run(self) -> StreamsFound:
        """Until those that were begun have ended."""
        loop = asyncio.get_running_loop()
        connections = [Connection(self, self._load.asked.port) for _ in range(self._load.at_once)]
        for connection in connections:
            await connection.open()
        for begins, connection in zip(beginnings(len(connections)), connections, strict=True):
            loop.call_later(begins, self._begin, connection)
        await asyncio.sleep(_SETTLED_S)
        per_s = await self._rate()
        self._open = False
        if not self._running:
            self._done.set()
        async with asyncio.timeout(_SLACK_S):
            await self._done.wait()
        for connection in connections:
            connection.close()
        return self._found(per_s)

    async def _rate(self) -> float:
        began, before = time.monotonic(), self._frames
        await asyncio.sleep(self._seconds)
        return (self._frames - before) / (time.monotonic() - began)

    def part(self, connection: Connection, body: bytes) -> None:
        """Count the events that ended in it."""
        running = self._running[connection]
        if running.first:
            running.first = False
            self._ttft.append(time.monotonic() - running.asked)
        running.crc = crc32(body, running.crc)
        self._frames += body.count(_EVENT_END) + (running.half and body.startswith(b"\n"))
        running.half = body.endswith(b"\n") and not body.endswith(_EVENT_END)

    def ended(self, connection: Connection, *, ok: bool) -> None:
        """Have another begin in its place, as long as there is time."""
        running = self._running.pop(connection)
        if ok:
            self._streams += 1
            self._crc = self._crc or running.crc
            self._changed += running.crc != self._crc
        else:
            self._failed += 1
        if self._open and connection.is_open:
            self._begin(connection)
        elif not self._open and not self._running:
            self._done.set()

    def _begin(self, connection: Connection) -> None:
        if connection.is_open:
            self._running[connection] = _Running(time.monotonic())
            connection.ask(self._request)

    def _found(self, per_s: float) -> StreamsFound:
        return StreamsFound(
            streams=self._streams,
            failed=self._failed,
            changed=self._changed,
            frames=self._frames,
            frames_per_s=per_s,
            ttft_p50=quantile(self._ttft, 0.5) * 1e3,
            ttft_p99=quantile(self._ttft, 0.99) * 1e3,
            crc32=self._crc,
        )
