"""Look for the answer to the very same request."""

from __future__ import annotations

import msgspec

from app.domain.cache.entry import Entry
from app.errors import StoreUnavailable
from app.ports import AnswerCache, Clock
from app.stages.caching.asked import Asked


class Same(msgspec.Struct, frozen=True):
    """What a look came to."""

    entry: Entry | None = None
    reason: str = ""


class TheSame:
    """The exact cache's lookups."""

    def __init__(self, cache: AnswerCache, clock: Clock) -> None:
        self._cache = cache
        self._clock = clock

    async def find(self, asked: Asked) -> Same:
        """The answer, or why there is none; never raises."""
        policy = asked.policy.exact
        if not policy.enabled:
            return Same()
        try:
            entry = await self._cache.find(asked.tenant, asked.question.fingerprint)
            if entry is None:
                return Same()
            if not asked.is_fresh(entry, policy.ttl_s, self._clock.unix()):
                return Same(reason="too_old")
            return Same(entry)
        except StoreUnavailable:
            return Same(reason="store_unavailable")
