"""What finds answers by meaning: opened when somebody first asks for it, for as long as a process.

A tenant or a reload may ask for it at any time. Then it is opened aside, and no request waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Final

import structlog

from app.adapters.background import background
from app.adapters.embedder.remembering import RememberingEmbedder
from app.adapters.phrasebook import load_phrasebook
from app.adapters.redis.answers import RedisAnswers, found_by_meaning
from app.adapters.redis.store import Place
from app.bootstrap.embedding import embedding
from app.bootstrap.errands import OwnRequests
from app.bootstrap.measuring import Compared, Measured, measuring_hits
from app.domain.cache.decision import Verdict, may_serve
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.cache.policy import CacheRule, rule_of
from app.domain.cache.thresholds import compared_threshold_of, threshold_of
from app.domain.identity.directory import Directory
from app.ports import Clock
from app.settings import Settings
from app.stages.caching import Judge

#: How often it is looked whether anybody asks for it by now, in memory. Seconds.
LOOK_S: Final = 0.25
_MS: Final = 1000


@dataclass(frozen=True, slots=True)
class Meaning:
    """What finds by meaning, what judges what it finds, and what measures that."""

    embedder: RememberingEmbedder
    judge: Judge
    measured: Measured


@dataclass(frozen=True, slots=True)
class Parts:
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
            async with _opened(self._parts, settings) as found:
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


@asynccontextmanager
async def _opened(parts: Parts, settings: Settings) -> AsyncIterator[Meaning | None]:
    """None where there is no embedder, which was logged."""
    place, clock, own = parts.place, parts.clock, parts.own
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        embedder = await enter(embedding(settings, clock, own.embed))
        if embedder is None:
            yield None
            return
        book = await asyncio.to_thread(load_phrasebook)
        name = embedder.name
        compared = Compared(embedder, book, threshold_of(name), compared_threshold_of(name))
        measured = await enter(measuring_hits(place, clock, settings.cache, compared, own))
        from app.adapters.redis.semantic_index import Space  # noqa: PLC0415  # takes redisvl along

        space = Space(embedder.name, embedder.dimensions)
        searched = replace(place, patience_s=settings.cache.semantic_lookup_ms / _MS)
        await enter(found_by_meaning(parts.answers, searched, clock, space))
        yield Meaning(embedder, _judge(book), measured)


def _is_given_up() -> bool:
    """Whether the end came while it was opened: `wait_for` may swallow that (Python 3.11)."""
    task = asyncio.current_task()
    return task is not None and bool(task.cancelling())


def _judge(book: Phrasebook) -> Judge:
    def judge(asked: str, kept: str, distance: float, threshold: float) -> Verdict:
        return may_serve(asked, kept, distance, threshold=threshold, book=book)

    return judge


def _finds_by_meaning(settings: Settings, directory: Directory) -> bool:
    """Whether the configuration or a tenant of the directory asks for it anywhere."""
    rules: Iterable[CacheRule] = chain(
        [rule_of(settings.cache)],
        (rule_of(model.cache) for model in settings.models.values()),
        (rule_of(tenant.cache) for tenant in settings.tenants.values()),
        (tenant.cache for tenant in directory.tenants.values()),
    )
    return any(rule.semantic.enabled for rule in rules)
