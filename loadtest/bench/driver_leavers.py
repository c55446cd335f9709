"""Clients that leave: each asks for a stream, and is gone before its end."""

from __future__ import annotations

import asyncio
import random
import time

from loadtest.bench.driver_connection import Connection
from loadtest.bench.driver_spec import LeaversLoad

#: A stream takes a second; who leaves does so in the first half of it.
_LEAVES_WITHIN_S = 0.5


class Leavers:
    """So many at once, each followed by another on a connection of its own."""

    def __init__(self, load: LeaversLoad, seed: int) -> None:
        self._load = load
        self._request = load.asked.as_bytes()
        self._chance = random.Random(seed)  # noqa: S311  # repeatable
        self._left = 0

    async def run(self, seconds: float) -> int:
        """For so long; how many left."""
        until = time.monotonic() + seconds
        await asyncio.gather(*(self._leave(until) for _ in range(self._load.at_once)))
        return self._left

    def part(self, connection: Connection, body: bytes) -> None:
        """Nothing is done with it."""

    def ended(self, connection: Connection, *, ok: bool) -> None:
        """It left, or was left."""

    async def _leave(self, until: float) -> None:
        while time.monotonic() < until:
            connection = Connection(self, self._load.asked.port)
            await connection.open()
            connection.ask(self._request)
            await asyncio.sleep(self._chance.uniform(0, _LEAVES_WITHIN_S))
            connection.close()
            self._left += 1
