"""Servers that may lack acknowledged writes have no accounts until the archive was asked.

A server that was promoted, or started again, has a new replication id: what its last primary
acknowledged last, it may never have had, and then it would admit what is spent already. So accounts
have connections of their own, which are made to no replica, and to no server whose id the keeper of
the archive has not noted after a look at all streams. Being asked when a connection begins, nothing
can come between the question and a reservation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Final

import structlog
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError

from app.adapters.redis.batch import Batch
from app.adapters.redis.store import Store
from app.errors import StoreUnavailable
from app.ports import Clock

#: Hash; replication ids whose streams were compared with the archive -> when, Unix seconds.
CHECKED: Final = "spillgate:checked"
ASK_S: Final = 0.1
#: Where nobody keeps an archive, nobody checks: a worker waits no longer than so.
GRACE_S: Final = 3.0
#: How long a start waits for the keeper's first look.
BOOT_S: Final = 1.0


class Lineages:
    """The replication ids that this worker trusts."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._trusted: set[str] = set()
        self._waiting: dict[str, float] = {}

    async def examine(self, connection: AbstractConnection) -> None:
        """Greet a server. Raises ConnectionError of redis-py for a replica, or one not checked."""
        await connection.on_connect()
        await connection.send_command("INFO", "replication")
        try:
            role, lineage = described(await connection.read_response())
        except NoPermissionError:  # then it cannot be told
            return
        if role == "slave":
            raise RedisConnectionError("a replica")
        if lineage and lineage not in self._trusted:
            self._waiting.setdefault(lineage, self._clock.now())
            raise RedisConnectionError("not compared with the archive yet")

    async def begin(self, store: Store) -> None:
        """Have the servers that are there already trusted, if they are within BOOT_S."""
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(BOOT_S):
                now = self._clock.now()
                there = await lineages_of(store)
                self._waiting |= dict.fromkeys(there, now)
                while self._waiting:
                    await self._ask(store.batch)
                    await asyncio.sleep(ASK_S / 5)

    async def keep_asking(self, store: Store, refused: Store) -> None:
        """Ask whether servers that `refused` met are checked by now, for ever."""
        while True:
            await asyncio.sleep(ASK_S)
            if not self._waiting:
                continue
            with suppress(StoreUnavailable):
                await self._ask(store.batch)
            self._trust(self._unchecked())
            if not self._waiting:
                refused.hurry()

    async def _ask(self, batch: Batch) -> None:
        self._trust(await checked(batch, list(self._waiting)))

    def _unchecked(self) -> list[str]:
        """Those that nobody checks, told."""
        longest = self._clock.now() - GRACE_S
        late = [lineage for lineage, since in self._waiting.items() if since < longest]
        for lineage in late:
            structlog.get_logger().warning("redis_not_compared_with_archive", lineage=lineage)
        return late

    def _trust(self, lineages: Iterable[str]) -> None:
        for lineage in lineages:
            self._trusted.add(lineage)
            self._waiting.pop(lineage, None)


async def checked(batch: Batch, lineages: list[str]) -> list[str]:
    """Those of them that are noted. Raises StoreUnavailable."""
    noted = await batch.call(("HMGET", CHECKED, *lineages)) if lineages else []
    return [lineage for lineage, at in zip(lineages, noted, strict=True) if at is not None]


async def lineages_of(store: Store) -> list[str]:
    """Of all servers that answer. Raises StoreUnavailable where none does."""
    answers = await asyncio.gather(
        *(server.call(("INFO", "replication")) for server in store.servers()),
        return_exceptions=True,
    )
    found = [described(answer)[1] for answer in answers if not isinstance(answer, BaseException)]
    if not found:
        raise StoreUnavailable("The gateway's store does not answer.")
    return [lineage for lineage in found if lineage]


def described(info: bytes | Mapping[str, object]) -> tuple[str, str]:
    """Role and replication id; both empty where a server does not tell.

    `info` is what INFO answers: as it comes, or as redis-py reads it.
    """
    if isinstance(info, bytes):
        lines = (line.partition(":") for line in info.decode(errors="replace").splitlines())
        info = {name: value for name, _, value in lines}
    return str(info.get("role", "")), str(info.get("master_replid", ""))
