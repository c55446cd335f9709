"""What finds answers by meaning: opened when somebody first asks for it, for as long as a process.

A tenant or a reload may ask for it at any time. Then it is opened aside, and no request waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import chain
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from app.adapters.background import background
from app.adapters.redis.answers import RedisAnswers
from app.adapters.redis.store import Place
from app.bootstrap.errands import OwnRequests
from app.domain.cache.policy import CacheRule, rule_of
from app.domain.identity.directory import Directory
from app.ports import Clock
from app.settings import Settings

if TYPE_CHECKING:  # embedders, guards and redisvl are for who asks for them
    from app.bootstrap.by_meaning import Meaning

#: How often it is looked whether anybody asks for it by now, in memory. Seconds.
LOOK_S: Final = 0.25


class Parts(msgspec.Struct, frozen=True):
    """What it is opened with: kept answers, where they are, and how to ask for something itself."""

    answers: RedisAnswers
    place: Place
    clock: Clock
    own: OwnRequests


class Opening:
    """The way to find by meaning: `current` None until it is open, or where there is no embedder.

    `settings` are those in force, which a reload replaces; `opened_with` are those that it was
    opened with. `changed` is set whenever `current` is another: gateways are to be made anew.
    """

    def __init__(
        self, parts: Parts, settings: Settings, directory: Callable[[], Directory]
    ) -> None:
        """`directory` tells the tenants in force; a change makes another object of it."""
        self.settings = settings
        self.opened_with: Settings | None = None
        self.current: Meaning | None = None
        self.changed = asyncio.Event()
        self.tried = asyncio.Event()
        self._parts = parts
        self._directory = directory
        self._has_told = False

    def is_wanted(self) -> bool:
        """Whether the configuration or a tenant asks for it."""
        return _finds_by_meaning(self.settings, self._directory())

    async def keep_open(self) -> None:
        """Wait until it is wanted, open it, and hold it open for ever."""
        await self._wanted()
        settings = self.settings
        self._tell()
        try:
            async with await asyncio.to_thread(_meaning, self._parts, settings) as found:
                self.current, self.opened_with = found, settings
                if found is not None:
                    log = structlog.get_logger()
                    log.info("semantic_cache_ready", embedder=found.embedder.name)
                self.changed.set()
                self.tried.set()
                if not _is_given_up():
                    await asyncio.Event().wait()
        finally:
            self.current = None
            self.changed.set()
            self.tried.set()

    async def _wanted(self) -> None:
        seen: tuple[Settings, Directory] | None = None
        while True:
            now = (self.settings, self._directory())
            if seen is None or now[0] is not seen[0] or now[1] is not seen[1]:
                if self.is_wanted():
                    return
                seen = now
            await asyncio.sleep(LOOK_S)

    def _tell(self) -> None:
        """Once: after a failure it is begun again and again."""
        if not self._has_told:
            self._has_told = True
            structlog.get_logger().info("semantic_cache_opening")


@asynccontextmanager
async def opening(
    parts: Parts, settings: Settings, directory: Callable[[], Directory]
) -> AsyncIterator[Opening]:
    """Opened before the scope begins where it is wanted already, else as soon as it is."""
    by_meaning = Opening(parts, settings, directory)
    async with background("semantic cache", by_meaning.keep_open):
        if by_meaning.is_wanted():
            await by_meaning.tried.wait()
        yield by_meaning


def _meaning(parts: Parts, settings: Settings) -> AbstractAsyncContextManager[Meaning | None]:
    """What opens it, loaded in a thread: it takes half a second."""
    from app.bootstrap.by_meaning import opened_meaning  # noqa: PLC0415  # as above

    return opened_meaning(
        parts.answers, parts.place, own=parts.own, clock=parts.clock, settings=settings
    )


def _is_given_up() -> bool:
    """Whether the end came while it was opened: `wait_for` may swallow that (Python 3.11)."""
    task = asyncio.current_task()
    return task is not None and bool(task.cancelling())


def _finds_by_meaning(settings: Settings, directory: Directory) -> bool:
    """Whether the configuration or a tenant of the directory asks for it anywhere."""
    rules: Iterable[CacheRule] = chain(
        [rule_of(settings.cache)],
        (rule_of(model.cache) for model in settings.models.values()),
        (rule_of(tenant.cache) for tenant in settings.tenants.values()),
        (tenant.cache for tenant in directory.tenants.values()),
    )
    return any(rule.semantic.enabled for rule in rules)
