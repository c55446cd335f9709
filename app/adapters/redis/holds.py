"""Holds that all replicas share: known here at once, elsewhere a moment later.

Asking and holding never wait for Redis. A task tells it what is new, another hears what others
say, and once a second everything is read again, in case a message was lost. While Redis is away
each replica goes on with what it knows; what it could not tell, it tells afterwards.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from app.adapters.background import background
from app.adapters.holds import LocalHoldBoard
from app.adapters.redis.batch import Script
from app.adapters.redis.hearing import Hearing
from app.adapters.redis.store import Store
from app.errors import StoreUnavailable
from app.ports import Clock

CHANNEL: Final = "spillgate:holds"
REREAD_S: Final = 1.0
RETRY_S: Final = 0.5
#: Of a time in milliseconds: eleven days. More is no time that a deployment asked for.
_MAX_DIGITS: Final = 9


class SharedHoldBoard(LocalHoldBoard):
    """A local board kept in step with the others; in step for as long as its context is open."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        deployments: Callable[[], Collection[str]],
    ) -> None:
        """`deployments` names all that can be held, as configured now."""
        super().__init__(clock)
        self._batch = store.batch
        self._deployments = deployments
        self._script = Script("hold.lua")
        self._untold: dict[str, float] = {}
        self._news = asyncio.Event()
        self._missed = asyncio.Event()
        hearing = Hearing(CHANNEL, store.subscribed, self._apply, self._missed.set)
        works = (self._tell, hearing.keep_hearing, self._reread)
        self._running = background("holds", *works, pause_s=RETRY_S)

    async def __aenter__(self) -> Self:
        await self._running.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._running.__aexit__(kind, error, traceback)

    def hold(self, deployment: str, until: float) -> None:
        """Hold a deployment here, and have the others told; a longer hold that is known stays."""
        if until > self.holds().get(deployment, self._clock.now()):
            super().hold(deployment, until)
            self._untold[deployment] = until
            self._news.set()

    async def _tell(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._untold:
                untold, self._untold = self._untold, {}
                told = await asyncio.gather(*(self._told(*each) for each in untold.items()))
                if not all(told):
                    await asyncio.sleep(RETRY_S)

    async def _told(self, deployment: str, until: float) -> bool:
        """Whether Redis knows; if not, it is to be told again."""
        try:
            await self._tell_of(deployment, until)
        except StoreUnavailable:
            self._untold.setdefault(deployment, until)
            return False
        return True

    async def _tell_of(self, deployment: str, until: float) -> None:
        remaining_ms = math.ceil((until - self._clock.now()) * 1000)
        if remaining_ms < 1:
            return
        in_force = await self._batch.script(
            self._script, _key(deployment), str(remaining_ms), CHANNEL, deployment
        )
        self._learn(deployment, int(in_force))

    def _apply(self, message: bytes) -> None:
        self._learn(*_parsed(message))

    async def _reread(self) -> None:
        """Read all holds each second, and at once after a subscription began anew."""
        while True:
            self._missed.clear()
            await asyncio.gather(*(self._read(name) for name in self._deployments()))
            with suppress(TimeoutError):
                async with asyncio.timeout(REREAD_S):
                    await self._missed.wait()

    async def _read(self, deployment: str) -> None:
        with suppress(StoreUnavailable):  # counted and told by the breaker
            self._learn(deployment, int(await self._batch.call(("PTTL", _key(deployment)))))

    def _learn(self, deployment: str, remaining_ms: int) -> None:
        """Note what Redis says; PTTL is negative where there is no hold."""
        if remaining_ms > 0:
            super().hold(deployment, self._clock.now() + remaining_ms / 1000)


def _parsed(data: bytes) -> tuple[str, int]:
    """Whose hold a message tells of, and what is left of it in milliseconds.

    Raises ValueError with the kind of what is wrong; never with a part of the message.
    """
    try:
        remaining_ms, _, deployment = data.decode().partition(" ")
    except UnicodeDecodeError:
        raise ValueError("not text") from None
    if not (remaining_ms.isascii() and remaining_ms.isdigit() and len(remaining_ms) <= _MAX_DIGITS):
        raise ValueError("not a number of milliseconds")
    if not deployment:
        raise ValueError("no deployment")
    return deployment, int(remaining_ms)


def _key(deployment: str) -> str:
    return f"spillgate:hold:{{{deployment}}}"
