"""Make of an answer that went out an entry, if it is worth keeping, and have it kept."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final

import msgspec

from app.domain.cache.entry import Entry
from app.domain.call.request import Operation
from app.domain.quota.price import PriceTable
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Attempt
from app.errors import StoreUnavailable
from app.observation import Observation
from app.ports import AnswerCache, Clock
from app.stages.caching.asked import Asked
from app.stages.caching.recording import Recording
from app.wire.cache.unkept import unkept

#: Larger ones are put together and looked through in a thread.
_BLOCKING_BYTES: Final = 64 * 1024


class _Whole(msgspec.Struct, frozen=True):
    """A whole body; `for_the_same`: it is no answer to another request that means the same."""

    body: bytes
    for_the_same: bool


class Keeping:
    """What is kept: finished, unfiltered answers whose usage was told."""

    def __init__(
        self, cache: AnswerCache, prices: PriceTable, clock: Clock, *, at_most: int
    ) -> None:
        """Answers of up to `at_most` bytes are kept."""
        self._cache = cache
        self._prices = prices
        self._clock = clock
        self.at_most = at_most

    async def entry(
        self, asked: Asked, observation: Observation, recording: Recording | None
    ) -> Entry | None:
        """The answer as an entry; None where it is not to be kept."""
        served, usage = observation.served, observation.meter.usage
        if recording is None or served is None or served.status != HTTPStatus.OK or usage is None:
            return None
        read = partial(_whole, asked.request.operation, recording, usage)
        is_long = recording.size > _BLOCKING_BYTES
        whole = await asyncio.to_thread(read) if is_long else read()
        if whole is None or (whole.for_the_same and not asked.policy.exact.enabled):
            return None
        return self._entry(asked, observation, served, whole, usage)

    def _entry(
        self, asked: Asked, observation: Observation, served: Attempt, whole: _Whole, usage: Usage
    ) -> Entry:
        question = asked.question
        cost = self._prices.cost(served.deployment, usage, observation.started_at)
        return Entry(
            question=replace(question, reason="not_whole") if whole.for_the_same else question,
            operation=asked.request.operation,
            model=asked.request.model,
            request_id=observation.request_id,
            stored_at=self._clock.unix(),
            body=whole.body,
            usage=usage,
            nano_usd=cost.nano_usd,
            seconds=self._clock.now() - observation.started,
            deployment=served.deployment,
        )

    async def keep(self, asked: Asked, entry: Entry, vector: bytes | None) -> None:
        """Have it kept; also to be found by meaning, where it answers what means the same."""
        findable = asked.by_meaning and not entry.question.reason
        try:
            await self._cache.keep(asked.tenant, entry, asked.ttl_s, vector if findable else None)
        except StoreUnavailable:
            return  # it was counted, and the next request asks again


def _whole(operation: Operation, recording: Recording, usage: Usage) -> _Whole | None:
    body = recording.body(usage)
    if body is None:
        return None
    reason = unkept(operation, body)
    if reason is None or reason.for_the_same:
        return _Whole(body, reason is not None)
    return None
