"""Tells people of something once: one log line and one POST, however many workers notice it.

The POST is JSON, `text` included, which chat systems show. It has 5 s and three attempts; no
request waits for it, and what could not be told is in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
import structlog

from app.adapters.redis.account import account_key
from app.adapters.redis.batch import Batch

POST_TIMEOUT_S: Final = 5.0
ATTEMPTS: Final = 3
PAUSE_S: Final = 2.0
#: For longer than the longest window that something is told of.
_TOLD_FOR_S: Final = 40 * 86_400


class Webhook:
    """Of one receiver.

    Attributes:
        told_total: what it was told, or the log alone where there is none.
        failed_total: what it could not be told.
        is_heard: whether it took the last that it was to be told.
    """

    def __init__(self, batch: Batch, client: httpx2.AsyncClient, url: str | None) -> None:
        """`url` may hold a secret; None: only the log is told."""
        self._batch = batch
        self._client = client
        self._url = url
        self.told_total = 0
        self.failed_total = 0
        self.is_heard = True

    async def tell_once(
        self, tenant: str, identity: str, event: str, said: Mapping[str, Any]
    ) -> bool:
        """Tell, unless some worker has; whether this one did. Raises StoreUnavailable.

        `identity` is what is told once of the tenant, `event` the name of the log line.
        """
        key = f"{account_key(tenant)}:alerted:{identity}"
        if await self._batch.call(("SET", key, "1", "NX", "EX", _TOLD_FOR_S)) is None:
            return False
        structlog.get_logger().warning(event, **said)
        self.is_heard = self._url is None or await self._post(self._url, said)
        if self.is_heard:
            self.told_total += 1
        else:
            self.failed_total += 1
            not_delivered = f"{event}_not_delivered"
            structlog.get_logger().error(not_delivered, tenant=tenant)
        return True

    async def _post(self, url: str, said: Mapping[str, Any]) -> bool:
        for attempt in range(ATTEMPTS):
            try:
                async with asyncio.timeout(POST_TIMEOUT_S):
                    answer = await self._client.post(url, json=said)
                if answer.is_success:
                    return True
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError):
                pass  # its text would name the URL
            await asyncio.sleep(PAUSE_S * attempt)
        return False


@asynccontextmanager
async def webhook(batch: Batch, url: str | None) -> AsyncIterator[Webhook]:
    """A webhook that can be told for as long as the scope is open."""
    async with httpx2.AsyncClient(
        timeout=POST_TIMEOUT_S, follow_redirects=False, trust_env=False
    ) as client:
        yield Webhook(batch, client, url)
