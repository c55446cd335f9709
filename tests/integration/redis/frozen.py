"""A Redis that a test may stop and let go on."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from app.adapters.redis.embedded import embedded_redis


@dataclass(frozen=True)
class FrozenAtWill:
    """A server that neither answers nor is dead, between the two."""

    url: str
    pid: int

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@asynccontextmanager
async def frozen_at_will(directory: Path) -> AsyncIterator[FrozenAtWill]:
    """A server of one's own; it goes on at the end."""
    async with embedded_redis(directory) as running:
        async with Redis.from_url(running.url, decode_responses=True) as client:
            pid = int((await client.info("server"))["process_id"])
        server = FrozenAtWill(running.url, pid)
        try:
            yield server
        finally:
            server.thaw()
