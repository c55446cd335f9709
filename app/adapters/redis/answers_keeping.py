"""Answers on their way into the cache: in the background, bounded, never after an eviction.

Requests do not wait for it. What finds no room, or no store, is dropped: the next request asks
upstream, and that is all.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Final

import msgspec

from app.adapters.background import background
from app.adapters.redis.answers_encoding import BLOCKING_BYTES, encoded
from app.adapters.redis.answers_script import AnswersScript, Began, Kept, Room, ToKeep
from app.domain.cache.entry import Entry
from app.errors import StoreUnavailable
from app.ports import Clock

#: How often an answer is tried whose tenant's cache changes as it is kept.
_ATTEMPTS: Final = 5
_KEEPERS: Final = 2


class Fate(StrEnum):
    """What became of an answer that was to be kept; a closed set."""

    KEPT = "kept"
    TOO_LARGE = "too_large"
    CROWDED_OUT = "crowded_out"  # more are waiting to be kept than may
    EVICTED = "evicted"  # the tenant's answers were, since the request began
    NO_ROOM = "no_room"  # for so large an answer of this tenant
    SERVER_FULL = "server_full"
    NO_STORE = "no_store"
    UNREADABLE = "unreadable"  # no Unicode


class Waiting(msgspec.Struct, frozen=True):
    """An answer to be kept; `began` is when its request did, on the clock."""

    tag: str
    entry: Entry
    began: float
    ttl_s: float
    findable: dict[str, bytes | str]


class Queue(msgspec.Struct, frozen=True):
    """How many answers may wait to be kept, and their bytes."""

    answers: int = 256
    size: int = 32 * 1024 * 1024


class Bounds(msgspec.Struct, frozen=True):
    """What a tenant's answers may take, what may wait, and whether the server has no more room."""

    room: Room
    queue: Queue
    is_full: Callable[[], bool]


class Keeping:
    """Keeps what it is given, in order; works as long as its scope is open."""

    def __init__(self, script: AnswersScript, clock: Clock, bounds: Bounds) -> None:
        self.counts: Counter[Fate] = Counter()
        self._script = script
        self._clock = clock
        self._bounds = bounds
        self._waiting: deque[Waiting] = deque()
        self._size = 0  # of what waits and what is being kept
        self._unsettled = 0
        self._news = asyncio.Event()
        self._settled = asyncio.Event()
        self._settled.set()

    def add(self, waiting: Waiting) -> None:
        """Have it kept, or count that it is not."""
        if self._bounds.is_full():
            self.counts[Fate.SERVER_FULL] += 1
            return
        size = len(waiting.entry.body)
        if (
            self._unsettled >= self._bounds.queue.answers
            or self._size + size > self._bounds.queue.size
        ):
            self.counts[Fate.CROWDED_OUT] += 1
            return
        self._waiting.append(waiting)
        self._size += size
        self._unsettled += 1
        self._settled.clear()
        self._news.set()

    async def settled(self) -> None:
        """Return once nothing waits to be kept."""
        await self._settled.wait()

    async def keep_keeping(self) -> None:
        """Keep one after the other, for ever; several may at once."""
        while True:
            await self._news.wait()
            while self._waiting:
                waiting = self._waiting.popleft()
                try:
                    self.counts[await self._keep(waiting)] += 1
                finally:
                    self._over(waiting)
            self._news.clear()

    def _over(self, waiting: Waiting) -> None:
        self._size -= len(waiting.entry.body)
        self._unsettled -= 1
        if not self._unsettled:
            self._settled.set()

    async def _keep(self, waiting: Waiting) -> Fate:
        try:
            kept = await _to_keep(waiting)
            return await self._kept(waiting, kept)
        except StoreUnavailable:
            return Fate.NO_STORE
        except UnicodeEncodeError:
            return Fate.UNREADABLE

    async def _kept(self, waiting: Waiting, kept: ToKeep) -> Fate:
        """Two steps: the first learns of evictions until then, the second refuses after any."""
        for _ in range(_ATTEMPTS):
            began = await self._script.begin(waiting.tag)
            if self._is_evicted(waiting, began):
                return Fate.EVICTED
            said = await self._script.keep(waiting.tag, began, self._bounds.room, kept)
            if said is not Kept.AGAIN:
                return Fate.KEPT if said is Kept.KEPT else Fate.NO_ROOM
        return Fate.EVICTED

    def _is_evicted(self, waiting: Waiting, began: Began) -> bool:
        """Whether something was evicted after the request began, by the server's clock.

        The server told its time before it was heard, so that the request began then or later.
        """
        earliest = began.now - (self._clock.now() - waiting.began)
        return began.evicted_at >= earliest


@asynccontextmanager
async def keeping(script: AnswersScript, clock: Clock, bounds: Bounds) -> AsyncIterator[Keeping]:
    """Keeps as long as the scope is open; what still waits then is dropped."""
    kept = Keeping(script, clock, bounds)
    async with background("answers", *[kept.keep_keeping] * _KEEPERS):
        yield kept


async def _to_keep(waiting: Waiting) -> ToKeep:
    """Encoded, in a thread where it takes long. Raises UnicodeEncodeError."""
    entry, by_meaning = waiting.entry, bool(waiting.findable)
    work = (waiting.tag, entry)
    if len(entry.body) < BLOCKING_BYTES:
        made = encoded(*work, by_meaning=by_meaning)
    else:
        made = await asyncio.to_thread(encoded, *work, by_meaning=by_meaning)
    return ToKeep(
        fingerprint=entry.question.fingerprint.hex(),
        ttl_s=waiting.ttl_s,
        fields={"meta": made.meta, "body": made.body, **waiting.findable},
    )
