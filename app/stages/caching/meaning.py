"""Look for an answer to what means the same, within a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from typing import Protocol

import msgspec

from app.domain.cache.entry import Entry, Neighbour
from app.errors import EmbedderUnavailable, StoreUnavailable
from app.ports import AnswerCache, Clock, Embedder
from app.stages.caching.asked import Asked

#: The nearest may mean something else, and the next one the same.
_NEIGHBOURS = 5


class Judgement(Protocol):
    """Whether one prompt's answer may be another's; a refusal is a word of a closed set."""

    @property
    def serves(self) -> bool:
        """Whether it may."""
        ...

    @property
    def refused_by(self) -> str:
        """Which guard said no; empty where it may."""
        ...


#: Characters; more are read in a thread, so that nobody else waits for it.
_BLOCKING_CHARS = 1000

#: Of what is asked and what was asked before, their distance, and the largest that is allowed.
Judge = Callable[[str, str, float, float], Judgement]


class Limits(msgspec.Struct, frozen=True):
    """How far a look goes: in seconds, embedding included, and in cosine distance.

    `widest` is the embedder's own threshold, `tightened` what measured errors have left of it for
    a tenant and a model.
    """

    patience_s: float
    widest: float
    tightened: Callable[[str, str], float] = lambda _tenant, _model: inf


class Found(msgspec.Struct, frozen=True):
    """What a look by meaning came to; `vector` is there where the prompt was embedded."""

    vector: bytes | None = None
    entry: Entry | None = None
    distance: float | None = None  # of the nearest
    reason: str = ""
    withheld: bool = False  # the entry is there, and too far away for what was measured


class ByMeaning:
    """The semantic cache's lookups."""

    def __init__(
        self,
        cache: AnswerCache,
        embedder: Embedder,
        judge: Judge,
        *,
        clock: Clock,
        limits: Limits,
    ) -> None:
        """`judge` says of two prompts whether the answer to one may be the other's."""
        self._cache = cache
        self._embedder = embedder
        self._judge = judge
        self._clock = clock
        self._limits = limits

    async def find(self, asked: Asked) -> Found:
        """The nearest answer that may be given, or why there is none; never raises."""
        vector: bytes | None = None
        try:
            async with asyncio.timeout(self._limits.patience_s):
                vector = await self._embedder.embed(asked.question.prompt, asked.tenant)
                return await self._nearest(asked, vector)
        except EmbedderUnavailable:
            reason = "embedder_unavailable"
        except StoreUnavailable:
            reason = "store_unavailable"
        except TimeoutError:
            reason = "slow"
        return Found(vector, reason=reason)

    async def _nearest(self, asked: Asked, vector: bytes) -> Found:
        question = asked.question
        tightened = self._limits.tightened(asked.tenant, asked.request.model)
        near = await self._cache.nearest(asked.tenant, question.partition, vector, _NEIGHBOURS)
        distance = near[0].distance if near else None
        choose = partial(self._chosen, asked, near, self._threshold(asked))
        chosen, reason = await asyncio.to_thread(choose) if _is_long(asked, near) else choose()
        if chosen is None:
            return Found(vector, None, distance, reason)
        entry = await self._cache.find(asked.tenant, chosen.fingerprint)
        if entry is None or not self._still_fits(entry, asked, chosen):
            return Found(vector, None, distance, "gone")
        if not tightened or chosen.distance > tightened:
            # Found all the same: only what would have been served can be measured.
            return Found(vector, entry, chosen.distance, "tightened", withheld=True)
        return Found(vector, entry, chosen.distance)

    def _chosen(
        self, asked: Asked, near: Sequence[Neighbour], threshold: float
    ) -> tuple[Neighbour | None, str]:
        """The nearest that may serve; else why the very nearest may not."""
        first = "" if near else "nothing_near"
        for neighbour in near:
            if neighbour.partition != asked.question.partition:
                continue  # checked again: the index is not believed
            verdict = self._judge(
                asked.question.prompt, neighbour.prompt, neighbour.distance, threshold
            )
            if verdict.serves:
                return neighbour, ""
            first = first or verdict.refused_by
        return None, first or "nothing_near"

    def _threshold(self, asked: Asked) -> float:
        """Policy and caller can tighten the embedder's own."""
        said = (asked.policy.semantic.threshold, asked.directives.threshold)
        return min([self._limits.widest, *(each for each in said if each is not None)])

    def _still_fits(self, entry: Entry, asked: Asked, chosen: Neighbour) -> bool:
        """It may have been replaced, or have grown too old, since the index saw it."""
        return (
            entry.question.partition == asked.question.partition
            and entry.question.prompt == chosen.prompt
            and asked.is_fresh(entry, asked.policy.semantic.ttl_s, self._clock.unix())
        )


def _is_long(asked: Asked, near: Sequence[Neighbour]) -> bool:
    return sum(len(each.prompt) + len(asked.question.prompt) for each in near) > _BLOCKING_CHARS
