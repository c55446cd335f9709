"""Everything that finds answers by meaning, open: an embedder, its judge, what measures both."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Final

import msgspec

from app.adapters.embedder.remembering import RememberingEmbedder
from app.adapters.phrasebook import load_phrasebook
from app.adapters.redis.answers import RedisAnswers, found_by_meaning
from app.adapters.redis.semantic_index import Space
from app.adapters.redis.store import Place
from app.bootstrap.embedding import embedding
from app.bootstrap.errands import OwnRequests
from app.bootstrap.measuring import Compared, Measured, measuring_hits
from app.domain.cache.decision import Verdict, may_serve
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.cache.thresholds import compared_threshold_of, threshold_of
from app.ports import Clock
from app.settings import Settings
from app.stages.caching import Judge

_MS: Final = 1000


class Meaning(msgspec.Struct, frozen=True):
    """What finds by meaning, what judges what it finds, and what measures that."""

    embedder: RememberingEmbedder
    judge: Judge
    measured: Measured


@asynccontextmanager
async def opened_meaning(
    answers: RedisAnswers, place: Place, *, own: OwnRequests, clock: Clock, settings: Settings
) -> AsyncIterator[Meaning | None]:
    """None where there is no embedder, which was logged; `own` is how to ask for something."""
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
        space = Space(embedder.name, embedder.dimensions)
        searched = replace(place, patience_s=settings.cache.semantic_lookup_ms / _MS)
        await enter(found_by_meaning(answers, searched, clock, space))
        yield Meaning(embedder, _judge(book), measured)


def _judge(book: Phrasebook) -> Judge:
    def judge(asked: str, kept: str, distance: float, threshold: float) -> Verdict:
        return may_serve(asked, kept, distance, threshold=threshold, book=book)

    return judge
