"""Measure how often answers by meaning are wrong: compare some of them with what upstream says.

Nobody waits for it. A hit that was served is asked upstream, too, now and then; one that was not
served, because the cache only watches or was found wrong too often, is compared with the answer
that the client got. So a cache that was turned off goes on being measured, and can recover.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

import msgspec

from app.domain.cache.entry import Entry
from app.domain.cache.error_rate import Comparison
from app.domain.call.errand import Answered, Errand, Purpose, patient
from app.domain.call.request import InferenceRequest, Operation
from app.domain.call.trace import TraceContext
from app.domain.identity.tenant import Principal
from app.errors import BudgetExhausted, SpillgateError
from app.ports import Aside, Clock, Errands, HitEvidence
from app.stages.caching.asked import Asked
from app.wire.cache.fold import fold
from app.wire.cache.unkept import Unkept, unkept
from app.wire.strict_json import replace_members

#: An answer that takes longer measures nothing. Seconds.
SAMPLE_S: Final = 120.0
#: A tenant whose budget for this is used up is not asked again for so long, seconds.
SPENT_S: Final = 600.0
_MOST_SPENT: Final = 10_000


class Asker(msgspec.Struct, frozen=True):
    """Who asked, and what of the request is not in its body: `headers` are those passed on."""

    principal: Principal
    headers: Mapping[str, str]
    tags: Mapping[str, str]
    trace: TraceContext | None = None


class Hit(msgspec.Struct, frozen=True):
    """A kept answer that was given, or would have been; `distance` is that of the prompts."""

    asker: Asker
    asked: Asked
    entry: Entry
    distance: float

    @property
    def usd_per_day(self) -> float:
        """What measuring may cost this tenant."""
        return self.asked.policy.semantic.sample_usd_per_day


class Comparator(Protocol):
    """Whoever can tell whether two answers say the same."""

    async def compare(self, hit: Hit, fresh: bytes) -> Comparison:
        """The kept answer against the body of a fresh one. Raises SpillgateError."""
        ...


class Means(msgspec.Struct, frozen=True):
    """What measuring takes."""

    errands: Errands
    comparator: Comparator
    evidence: HitEvidence
    aside: Aside


class Measuring:
    """What is made of hits by meaning, after the client has its answer.

    `compared_total` counts comparisons by how they ended, `given_up_total` what came to none: too
    much was under way, money or room was wanting, no whole answer came, nobody could judge.
    """

    def __init__(self, means: Means, *, clock: Clock, draw: Callable[[], float]) -> None:
        """`draw` gives uniform numbers in [0, 1)."""
        self._means = means
        self._clock = clock
        self._draw = draw
        self._spent_until: dict[str, float] = {}
        self.compared_total: Counter[Comparison] = Counter()
        self.given_up_total = 0

    def served(self, hit: Hit) -> None:
        """Ask some of those that were served upstream, too."""
        rate = hit.asked.policy.semantic.sample_rate
        if hit.usd_per_day > 0 and self._draw() < rate and not self._is_spent(hit):
            self._begin(lambda: self._sample(hit))

    def answered(self, hit: Hit, fresh: Entry) -> None:
        """Compare what was not served with what the client got instead."""
        if not fresh.question.reason:  # a whole answer, such as would be kept for others
            self._begin(lambda: self._compare(hit, fresh.body))

    def _begin(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        if not self._means.aside.begin(work):
            self.given_up_total += 1

    async def _sample(self, hit: Hit) -> None:
        try:
            answered = await self._means.errands.run(_errand(hit))
        except SpillgateError as error:
            self._give_up(hit, error)
            return
        body = _body(hit.asked.request.operation, answered)
        if body is None:
            self.given_up_total += 1
        else:
            await self._compare(hit, body)

    async def _compare(self, hit: Hit, fresh: bytes) -> None:
        try:
            comparison = await self._means.comparator.compare(hit, fresh)
        except SpillgateError as error:
            self._give_up(hit, error)
            return
        self.compared_total[comparison] += 1
        asked = hit.asked
        self._means.evidence.record(asked.tenant, asked.request.model, hit.distance, comparison)

    def _give_up(self, hit: Hit, error: SpillgateError) -> None:
        self.given_up_total += 1
        if isinstance(error, BudgetExhausted):
            if len(self._spent_until) >= _MOST_SPENT:
                self._spent_until.clear()
            self._spent_until[hit.asked.tenant] = self._clock.now() + SPENT_S

    def _is_spent(self, hit: Hit) -> bool:
        return self._clock.now() < self._spent_until.get(hit.asked.tenant, 0.0)


def _errand(hit: Hit) -> Errand:
    """The same request once more; nothing of its answer is to be found upstream afterwards."""
    return Errand(
        purpose=Purpose.SAMPLE,
        principal=patient(hit.asker.principal),
        request=_unstored(hit.asked.request),
        limit_s=SAMPLE_S,
        usd_per_day=hit.usd_per_day,
        headers=hit.asker.headers,
        tags=hit.asker.tags,
        cause=hit.asker.trace,
    )


def _unstored(request: InferenceRequest) -> InferenceRequest:
    if not request.stores:
        return request
    body = replace_members(request.body, {"store": b"false"})
    return msgspec.structs.replace(request, body=body, stores=False)


def _body(operation: Operation, answered: Answered) -> bytes | None:
    """The whole body; None for an answer that is none for others, such as a filtered one."""
    body = answered.body
    if answered.is_stream:
        folded = fold(operation, body, usage=answered.usage)
        if isinstance(folded, Unkept):
            return None
        body = folded
    return None if unkept(operation, body) else body
