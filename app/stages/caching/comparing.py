"""Tell whether a kept answer and a fresh one say the same: by their text, or by a model's word."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Final

from app.domain.cache.answers_alike import by_meaning, by_words
from app.domain.cache.error_rate import Comparison
from app.domain.cache.guards.phrasebook import Phrasebook
from app.domain.call.errand import Errand, Purpose, of_any_model, patient
from app.domain.call.request import Accounting, Operation, Route
from app.errors import EmbedderUnavailable
from app.ports import Embedder, Errands
from app.stages.caching.measuring import Hit
from app.wire.cache.answer_text import text_of
from app.wire.cache.judging import judgement_body, verdict_of
from app.wire.openai import read_request

#: Of one judgement, seconds.
JUDGEMENT_S: Final = 60.0
#: Longer answers are not embedded: no embedder reads them to their end. Characters.
MOST_CHARS: Final = 4000
_CHAT: Final = Route(Operation.CHAT_COMPLETIONS, "POST", Accounting.TOKENS)


class ByText:
    """By words that count, then by meaning; what neither tells is undecided."""

    def __init__(self, embedder: Embedder, book: Phrasebook, *, near: float) -> None:
        """Answers up to `near` apart, as cosine distance, may mean the same."""
        self._embedder = embedder
        self._book = book
        self._near = near

    async def compare(self, hit: Hit, fresh: bytes) -> Comparison:
        """The kept answer against a fresh one; never raises."""
        texts = _texts(hit, fresh)
        if texts is None:
            return Comparison.UNDECIDED
        # In a thread: thousands of words take longer than others may wait.
        said = await asyncio.to_thread(by_words, *texts, self._book)
        if said in {Comparison.SAME, Comparison.DIFFERENT} or max(map(len, texts)) > MOST_CHARS:
            return said or Comparison.UNDECIDED
        try:
            distance = await self._distance(*texts, hit.asked.tenant)
        except EmbedderUnavailable:
            return Comparison.UNDECIDED
        return by_meaning(said, distance, self._near)

    async def _distance(self, kept: str, fresh: str, tenant: str) -> float:
        one = await self._embedder.embed(kept, tenant)
        other = await self._embedder.embed(fresh, tenant)
        here, there = memoryview(one).cast("f"), memoryview(other).cast("f")
        return 1.0 - sum(a * b for a, b in zip(here, there, strict=True))


class ByModel:
    """By a model's word, where the words are not the same anyway."""

    def __init__(self, errands: Errands, model: str) -> None:
        """`model` is a key of `models:`; each tenant pays for its own judgements."""
        self._errands = errands
        self._model = model

    async def compare(self, hit: Hit, fresh: bytes) -> Comparison:
        """The kept answer against a fresh one. Raises SpillgateError."""
        texts = _texts(hit, fresh)
        if texts is None:
            return Comparison.UNDECIDED
        kept, new = texts
        if kept.split() == new.split():
            return Comparison.SAME
        answered = await self._errands.run(self._errand(hit, kept, new))
        return verdict_of(text_of(Operation.CHAT_COMPLETIONS, answered.body))

    def _errand(self, hit: Hit, kept: str, fresh: str) -> Errand:
        body = judgement_body(self._model, hit.asked.question.prompt, kept, fresh)
        payer = patient(hit.asker.principal)
        return Errand(
            purpose=Purpose.JUDGEMENT,
            principal=replace(payer, tenant=of_any_model(payer.tenant)),
            request=read_request(_CHAT, body),
            limit_s=JUDGEMENT_S,
            usd_per_day=hit.usd_per_day,
            tags=hit.asker.tags,
            cause=hit.asker.trace,
        )


def _texts(hit: Hit, fresh: bytes) -> tuple[str, str] | None:
    kept, new = (text_of(hit.entry.operation, body) for body in (hit.entry.body, fresh))
    if hit.entry.operation is not hit.asked.request.operation or kept is None or new is None:
        return None
    return kept, new
