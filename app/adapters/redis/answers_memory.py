"""Whether a server has memory to spare for answers: quotas may be in it, too.

A server that evicts nothing refuses every write when it is full, a reservation like an answer. So
nothing more is kept well before. A server that evicts makes room by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from app.adapters.background import background
from app.adapters.redis.batch import Batch
from app.errors import StoreUnavailable

#: Of what a server may take, the part up to which answers are kept.
FULL_AT: Final = 0.8
#: Two workers at their fastest keep some 30 MB meanwhile.
_LOOK_S: Final = 2.0


class MemoryWatch:
    """Looks from time to time; open within `watching_memory`."""

    def __init__(self, servers: Callable[[], Sequence[Batch]]) -> None:
        self.is_full = False
        self._servers = servers

    async def keep_looking(self) -> None:
        """Look now and again, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(_LOOK_S)

    async def look(self) -> None:
        """See how full the servers are; one that does not tell is as it was."""
        try:
            told = [await server.call(("INFO", "memory")) for server in self._servers()]
        except StoreUnavailable:
            return
        self._note(is_full=any(map(_is_full, told)))

    def _note(self, *, is_full: bool) -> None:
        if is_full == self.is_full:
            return
        self.is_full = is_full
        log = structlog.get_logger()
        if is_full:
            log.warning("cache_full", part_of_maxmemory=FULL_AT)
        else:
            log.info("cache_has_room")


@asynccontextmanager
async def watching_memory(servers: Callable[[], Sequence[Batch]]) -> AsyncIterator[MemoryWatch]:
    """Watches as long as the scope is open."""
    watch = MemoryWatch(servers)
    async with background("cache memory", watch.keep_looking):
        yield watch


def _is_full(told: Any) -> bool:
    """Of what INFO tells; a server without a limit is never full."""
    info: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    limit = info.get("maxmemory", 0)
    evicts = info.get("maxmemory_policy", "noeviction") != "noeviction"
    return bool(limit) and not evicts and info.get("used_memory", 0) > FULL_AT * limit
