"""How many workers share this Redis: what a worker's part of a limit is divided by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from app.adapters.background import background
from app.adapters.redis.batch import Batch, Script
from app.errors import StoreUnavailable

BEAT_S: Final = 5.0
SILENT_S: Final = 15
_KEY: Final = "spillgate:workers"


class Replicas:
    """The workers last seen, this one among them; open within `replicas`."""

    def __init__(self, batch: Batch, worker: str) -> None:
        """`worker` is this one's name, unlike every other's."""
        self._batch = batch
        self._script = Script("replicas.lua")
        self.worker = worker
        self.count = 1

    async def beat(self, silent_s: int = SILENT_S) -> None:
        """Say that this worker is there, and see how many are."""
        seen = await self._batch.script(self._script, _KEY, self.worker, str(silent_s))
        self.count = max(1, int(seen))

    async def keep_beating(self) -> None:
        """Beat for ever; while Redis is away the last count holds."""
        while True:
            with suppress(StoreUnavailable):
                await self.beat()
            await asyncio.sleep(BEAT_S)


@asynccontextmanager
async def replicas(batch: Batch, worker: str) -> AsyncIterator[Replicas]:
    """This worker among the others; it says when it leaves."""
    seen = Replicas(batch, worker)
    try:
        async with background("replicas", seen.keep_beating):
            yield seen
    finally:
        with suppress(StoreUnavailable):
            await seen.beat(silent_s=0)
