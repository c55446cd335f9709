"""Which deployment holds what a tenant has stored, known to all replicas.

That is a response, or an item that one made: either is asked for by its id.

While Redis is away, claims are kept by this process alone, and only what it knows is answered.
What an earlier tenant of the same name made is nobody's: where one ended is marked for as long as
its claims last, and whichever has less time left than the mark was there before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from app.adapters.redis.account import account_key
from app.adapters.redis.batch import Batch
from app.adapters.response_owners import MemoryResponseOwners
from app.errors import StoreUnavailable

#: OpenAI and Azure keep a stored response for 30 days.
KEPT_S: Final = 30 * 24 * 3600


class RedisResponseOwners:
    """Owners in Redis, with those of late in memory before it; an owner never changes."""

    def __init__(self, batch: Batch, known: Callable[[str], object] = lambda _tenant: None) -> None:
        """`known` is what is known of a tenant: another object where it may be another one."""
        self._batch = batch
        self._known = known
        self._tenants: dict[str, object] = {}
        self._recent = MemoryResponseOwners()
        self.lost_claims_total = 0

    async def owner(self, tenant: str, stored_id: str) -> str | None:
        """The deployment's name; None if the tenant has stored nothing of that id.

        Raises StoreUnavailable where Redis does not answer and this process does not know.
        """
        self._notice(tenant)
        known = await self._recent.owner(tenant, stored_id)
        if known is not None:
            return known
        key = response_key(tenant, stored_id)
        # The mark last: a millisecond that passes in between makes nothing older than it is.
        asked = (("GET", key), ("PTTL", key), ("PTTL", _mark(tenant)))
        found, lasts_ms, mark_lasts_ms = await self._batch.call_all(asked)
        for each in (found, lasts_ms, mark_lasts_ms):
            if isinstance(each, StoreUnavailable):
                raise each
        if found is None or lasts_ms < mark_lasts_ms:
            return None
        deployment: str = found.decode()
        await self._recent.claim(tenant, stored_id, deployment)
        return deployment

    async def claim(self, tenant: str, stored_id: str, deployment: str) -> None:
        """Remember the owner for 30 days. Never raises: what Redis did not take is counted."""
        self._notice(tenant)
        await self._recent.claim(tenant, stored_id, deployment)
        key = response_key(tenant, stored_id)
        try:
            await self._batch.call(("SET", key, deployment, "EX", KEPT_S))
        except StoreUnavailable:
            self.lost_claims_total += 1

    async def forget(self, tenant: str, stored_id: str) -> None:
        """Have it no owner any more. Never raises.

        Other replicas that know it, and all while Redis is away, go on asking the deployment.
        """
        await self._recent.forget(tenant, stored_id)
        with suppress(StoreUnavailable):
            await self._batch.call(("DEL", response_key(tenant, stored_id)))

    async def forget_all(self, tenant: str) -> None:
        """Forget whose all that a tenant has stored is. Raises StoreUnavailable.

        Processes that know of some forget them as soon as they know that the tenant is another one.
        """
        self._recent.forget_all(tenant)
        await self._batch.call(("SET", _mark(tenant), "1", "EX", KEPT_S))

    def _notice(self, tenant: str) -> None:
        """Forget what was made by another tenant of the name, or by this one before it changed."""
        known = self._known(tenant)
        if self._tenants.setdefault(tenant, known) is not known:
            self._tenants[tenant] = known
            self._recent.forget_all(tenant)


def response_key(tenant: str, stored_id: str) -> str:
    """A tenant's keys are on one node of a cluster; ids are hashed because callers choose them."""
    hashed = hashlib.sha256(stored_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{account_key(tenant)}:response:{hashed}"


def _mark(tenant: str) -> str:
    """Beside its claims: what was made before this was set is another one's."""
    return f"{account_key(tenant)}:responses-ended"
