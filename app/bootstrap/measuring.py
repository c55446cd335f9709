"""What measures the semantic cache of a process, and what follows from it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

import msgspec

from app.adapters.aside import Aside, aside
from app.adapters.redis.measured_errors import Measure, RedisMeasuredErrors, measuring_errors
from app.adapters.redis.store import Place, opened_store
from app.domain.cache.guards.phrasebook import Phrasebook
from app.ports import Clock, Embedder, Errands
from app.settings import Cache
from app.stages.caching import Comparator, Means, Measuring
from app.stages.caching.comparing import ByModel, ByText

#: For a round trip that nobody waits for, seconds.
_PATIENCE_S: Final = 1.0


class Measured(msgspec.Struct, frozen=True):
    """The stage's part, the evidence, and the work that nobody waits for."""

    measuring: Measuring
    errors: RedisMeasuredErrors
    aside: Aside


class Compared(msgspec.Struct, frozen=True):
    """What is measured, and by what: cosine distances of prompts and of answers.

    `widest` is how far apart prompts of one answer may be, `answers` how far two answers may be
    that could still say the same.
    """

    embedder: Embedder
    book: Phrasebook
    widest: float
    answers: float


@asynccontextmanager
async def measuring_hits(
    place: Place, clock: Clock, cache: Cache, compared: Compared, errands: Errands
) -> AsyncIterator[Measured]:
    """Open for as long as the process is; what is under way at its end is given up."""
    patient = replace(place, patience_s=_PATIENCE_S)
    measure = Measure(compared.embedder.name, compared.widest)
    async with (
        opened_store(patient, clock, "redis: cache, measuring") as store,
        measuring_errors(store.batch, clock, measure) as errors,
        aside() as works,
    ):
        means = Means(errands, _comparator(cache, compared, errands), errors, works)
        yield Measured(Measuring(means, clock=clock, draw=random.random), errors, works)


def _comparator(cache: Cache, compared: Compared, errands: Errands) -> Comparator:
    if cache.comparator.model is not None:
        return ByModel(errands, cache.comparator.model)
    # Half as far apart they do say the same; in between nobody can tell.
    return ByText(compared.embedder, compared.book, near=compared.answers / 2)
