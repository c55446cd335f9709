"""Look for the answer to the very same request."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.cache.entry import Entry
from app.errors import StoreUnavailable
from app.ports import AnswerCache, Clock, ResponseOwners
from app.stages.caching.asked import Asked
from app.wire.usage import response_id_of_body


@dataclass(frozen=True, slots=True)
class Same:
    """What a look came to."""

    entry: Entry | None = None
    reason: str = ""


class TheSame:
    """The exact cache's lookups."""

    def __init__(self, cache: AnswerCache, owners: ResponseOwners, clock: Clock) -> None:
        """`owners` know which stored responses there still are."""
        self._cache = cache
        self._owners = owners
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
            return Same(entry) if await self._is_there(asked, entry) else Same(reason="deleted")
        except StoreUnavailable:
            return Same(reason="store_unavailable")

    async def _is_there(self, asked: Asked, entry: Entry) -> bool:
        """A stored response can be asked for by its id afterwards: one without an owner cannot."""
        if not asked.request.stores:
            return True
        response_id = response_id_of_body(entry.body)
        return (
            response_id is not None
            and await self._owners.owner(asked.tenant, response_id) is not None
        )
