"""Which format what is in Redis has: noted there once, and looked at by every process that starts.

A format is a number. It is another one only where a version that does not know it would misread
or spoil what is there; what merely gains keys, fields or messages keeps it, because whoever does
not know them passes over them. A version reads all formats of a range, and writes the one that it
finds: so replicas of two versions work side by side, and the older one can come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import msgspec
import structlog

from app.adapters.background import background
from app.adapters.redis.batch import Batch
from app.adapters.redis.store import Place, opened_store
from app.errors import StoreUnavailable
from app.ports import Clock

#: Hash: `format`, and which version of Spillgate noted it.
KEY: Final = "spillgate:data"
#: The only one so far.
FORMAT: Final = 1
#: How long a start waits for Redis before it goes on, and looks later.
BOOT_S: Final = 1.0
LOOK_S: Final = 1.0
_MOST_DIGITS: Final = 9
#: For who only looks, connecting included.
_LOOK_WITHIN_S: Final = 5.0


class UnreadableData(RuntimeError):
    """What is in Redis has a format that this version cannot read; the message says what helps."""


class Formats(msgspec.Struct, frozen=True):
    """Those that a version reads; an empty Redis gets the newest."""

    oldest: int = FORMAT
    newest: int = FORMAT

    def check(self, found: int) -> None:
        """Raises UnreadableData."""
        if found > self.newest:
            raise UnreadableData(
                f"what is in Redis has data format {found}, and this version reads {self.newest} at"
                " most: start the version that wrote it, or a newer one (docs/upgrades.md)"
            )
        if found < self.oldest:
            raise UnreadableData(
                f"what is in Redis has data format {found}, and this version reads {self.oldest} at"
                " least: start a version between the two first (docs/upgrades.md)"
            )


async def agree(batch: Batch, version: str, formats: Formats) -> int:
    """The format that is there, or is there from now on.

    `version` is noted beside it, for people. Raises UnreadableData, StoreUnavailable.
    """
    found: bytes | None = await batch.call(("HGET", KEY, "format"))
    if found is None:
        await batch.call(("HSETNX", KEY, "format", str(formats.newest)))
        await batch.call(("HSETNX", KEY, "noted_by", version))
        found = await batch.call(("HGET", KEY, "format"))
    number = _number(found)
    formats.check(number)
    return number


async def look_at_format(place: Place, clock: Clock, formats: Formats | None = None) -> None:
    """Whether this version would start there, for who only looks; nothing is noted.

    Raises UnreadableData, StoreUnavailable.
    """
    place = replace(place, patience_s=_LOOK_WITHIN_S)
    async with asyncio.timeout(_LOOK_WITHIN_S), opened_store(place, clock) as store:
        found = await store.batch.call(("HGET", KEY, "format"))
    if found is not None:
        (formats or Formats()).check(_number(found))


def _number(found: bytes | None) -> int:
    """Raises UnreadableData."""
    if found is None or not (found.isdigit() and len(found) <= _MOST_DIGITS):
        raise UnreadableData(f"the field `format` of `{KEY}` in Redis is no number")
    return int(found)


@asynccontextmanager
async def agreeing(
    batch: Batch, version: str, unreadable: Callable[[], None], formats: Formats | None = None
) -> AsyncIterator[None]:
    """Have the format agreed before anything else is read.

    Where Redis does not answer in BOOT_S, it is looked at as soon as it does, and `unreadable` is
    called where this version cannot read what is there. Raises UnreadableData.
    """
    formats = formats or Formats()
    try:
        async with asyncio.timeout(BOOT_S):
            await agree(batch, version, formats)
    except (StoreUnavailable, TimeoutError):
        looking = _Looking(batch, version, unreadable, formats)
        async with background("data format", looking.keep_looking):
            yield
    else:
        yield


@dataclass(slots=True)
class _Looking:
    batch: Batch
    version: str
    unreadable: Callable[[], None]
    formats: Formats

    async def keep_looking(self) -> None:
        """Until Redis has told; then there is nothing left to do, for ever."""
        told = False
        while not told:
            await asyncio.sleep(LOOK_S)
            told = await self._told()
        await asyncio.Event().wait()

    async def _told(self) -> bool:
        try:
            await agree(self.batch, self.version, self.formats)
        except StoreUnavailable:
            return False
        except UnreadableData as error:
            structlog.get_logger().error("redis_data_unreadable", detail=str(error))
            self.unreadable()
        return True
