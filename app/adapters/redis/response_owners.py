"""Which deployment holds a tenant's stored response, known to all replicas.

While Redis is away, claims are kept by this process alone, and only what it knows is answered.
"""

from __future__ import annotations

import hashlib
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

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._recent = MemoryResponseOwners()
        self.lost_claims_total = 0

    async def owner(self, tenant: str, response_id: str) -> str | None:
        """The deployment's name; None if the tenant has no such response.

        Raises StoreUnavailable where Redis does not answer and this process does not know.
        """
        known = await self._recent.owner(tenant, response_id)
        if known is not None:
            return known
        found: bytes | None = await self._batch.call(("GET", _key(tenant, response_id)))
        if found is None:
            return None
        deployment = found.decode()
        await self._recent.claim(tenant, response_id, deployment)
        return deployment

    async def claim(self, tenant: str, response_id: str, deployment: str) -> None:
        """Remember the owner for 30 days. Never raises: what Redis did not take is counted."""
        await self._recent.claim(tenant, response_id, deployment)
        key = _key(tenant, response_id)
        try:
            await self._batch.call(("SET", key, deployment, "EX", KEPT_S))
        except StoreUnavailable:
            self.lost_claims_total += 1

    async def forget(self, tenant: str, response_id: str) -> None:
        """Have a response no owner any more. Never raises.

        Other replicas that know it, and all while Redis is away, go on asking the deployment.
        """
        await self._recent.forget(tenant, response_id)
        with suppress(StoreUnavailable):
            await self._batch.call(("DEL", _key(tenant, response_id)))


def _key(tenant: str, response_id: str) -> str:
    """A tenant's keys are on one node of a cluster; ids are hashed because callers choose them."""
    hashed = hashlib.sha256(response_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{account_key(tenant)}:response:{hashed}"
