"""Hears a Redis channel for as long as a scope is open, and says when it missed something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from redis.exceptions import RedisError

from app.adapters.redis.store import Subscribed

RETRY_S: Final = 0.5


@dataclass(slots=True)
class Hearing:
    """`apply` is given each message, and raises ValueError with the kind of what is wrong with it.

    `begun` is called whenever a subscription begins: what was said before was missed.
    """

    channel: str
    subscribed: Subscribed
    apply: Callable[[bytes], None]
    begun: Callable[[], None] = lambda: None
    ignored_total: int = 0
    _hears: bool = True
    _ignored: set[str] = field(default_factory=set)

    async def keep_hearing(self) -> None:
        """Hear for ever; while Redis is away nothing is heard."""
        while True:
            try:
                async with self.subscribed(self.channel, self._take) as subscription:
                    self._note(hears=True)
                    self.begun()
                    await subscription.kept()
            except (RedisError, OSError) as error:
                self._note(hears=False, error=error)
            await asyncio.sleep(RETRY_S)

    def _take(self, data: bytes) -> None:
        try:
            self.apply(data)
        except ValueError as error:
            self.ignored_total += 1
            self._note_ignored(str(error))

    def _note_ignored(self, problem: str) -> None:
        """Log each kind of problem once: another version may be telling its own all the time."""
        if problem not in self._ignored:
            self._ignored.add(problem)
            log = structlog.get_logger()
            log.warning("message_ignored", channel=self.channel, problem=problem)

    def _note(self, *, hears: bool, error: BaseException | None = None) -> None:
        """Log where it changed whether others are heard."""
        if hears is self._hears:
            return
        self._hears = hears
        log = structlog.get_logger()
        if hears:
            log.info("channel_heard_again", channel=self.channel)
        else:
            log.warning("channel_unheard", channel=self.channel, error=type(error).__name__)
