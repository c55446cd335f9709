"""Replicas tell each other what they take of deployments, and what they learnt of them.

No request waits for it. While Redis is away each replica goes on with what it takes itself and what
Azure tells it; totals are cumulative, so that all of it is heard afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

import msgspec

from app.adapters.background import background
from app.adapters.redis.batch import Batch
from app.adapters.redis.hearing import Hearing
from app.adapters.redis.store import Store
from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.peers import GONE_S, DeploymentNews
from app.domain.capacity.soundness import unsound
from app.errors import StoreUnavailable
from app.ports import Clock

CHANNEL: Final = "spillgate:capacity"
#: How long news waits for more of its kind; what one replica does not know yet, it cannot heed.
TELL_S: Final = 0.005
#: The same while nothing happens, or nobody else is heard. What is taken after a silence is told at
#: once, as otherwise others would be refused for it, and not know why; so is whoever comes.
IDLE_S: Final = 0.1
_BUSY_FOR_S: Final = 1.0
#: Who did not hear himself for so long, though he tells, may hear nobody: he need not be alone.
_HEARS_ITSELF_S: Final = 1.0


class Message(msgspec.Struct):
    """From one replica; `news` by deployment."""

    sender: str
    news: dict[str, DeploymentNews]


#: A message of some milliseconds; ten thousand tenants that ask in them need less.
MOST_BYTES: Final = 1 << 20

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Message)


@dataclass(slots=True)
class _Telling:
    book: CapacityBook
    batch: Batch
    clock: Clock
    replica: str
    busy_until: float = 0.0
    alone_from: float = 0.0  # unless others are heard until then
    deaf_from: float = 0.0  # unless it hears itself until then
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    joined: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep_telling(self) -> None:
        """Tell news as it comes, for ever."""
        while True:
            await self._pause()
            self.taken.clear()
            self.joined.clear()
            if news := self.book.news(self.clock.now()):
                self.busy_until = self.clock.now() + _BUSY_FOR_S
                message = _ENCODER.encode(Message(self.replica, news))
                with suppress(StoreUnavailable):  # counted and told by the breaker
                    await self.batch.call(("PUBLISH", CHANNEL, message))

    async def _pause(self) -> None:
        now = self.clock.now()
        is_busy = now < self.busy_until
        if is_busy and (now < self.alone_from or now >= self.deaf_from):
            await asyncio.sleep(TELL_S)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_S):
                await (self.joined if is_busy else self.taken).wait()

    def hear(self, data: bytes) -> None:
        """Take what another replica said. Raises ValueError with the kind of what is wrong."""
        now = self.clock.now()
        try:
            message = _read(data)
        except ValueError:
            self._meet(now)  # whoever it is
            raise
        if message.sender == self.replica:
            self.deaf_from = now + _HEARS_ITSELF_S
            return
        self._meet(now)
        self.book.hear(message.sender, message.news, now)

    def _meet(self, now: float) -> None:
        if now >= self.alone_from:
            self.joined.set()
        self.alone_from = now + GONE_S


def _read(data: bytes) -> Message:
    """Raises ValueError with the kind of what is wrong; nothing of such a message is taken in."""
    if len(data) > MOST_BYTES:
        raise ValueError("too long")
    try:
        message = _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(type(error).__name__) from None
    for news in message.news.values():
        if part := unsound(news):
            raise ValueError(f"unsound {part}")
    return message


@asynccontextmanager
async def sharing(
    book: CapacityBook, store: Store, clock: Clock, replica: str
) -> AsyncIterator[CapacityBook]:
    """A book that is kept in step with the other replicas' for as long as the scope is open."""
    telling = _Telling(book, store.batch, clock, replica)
    book.on_take = telling.taken.set
    hearing = Hearing(CHANNEL, store.subscribed, telling.hear)
    async with background("capacity", telling.keep_telling, hearing.keep_hearing):
        yield book
