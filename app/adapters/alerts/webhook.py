"""Tells people of something once: one log line and one POST, however many workers notice it.

The POST is JSON, `text` included, which chat systems show. It has 5 s and three attempts; no
request waits for it, and what could not be told is in the log.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog

from app.adapters.redis.account import account_key
from app.adapters.redis.batch import Batch

POST_TIMEOUT_S: Final = 5.0
ATTEMPTS: Final = 3
PAUSE_S: Final = 2.0
#: For longer than the longest window that something is told of.
_TOLD_FOR_S: Final = 40 * 86_400


#: Sends it once; whether it was taken.
Post = Callable[[Mapping[str, Any]], Awaitable[bool]]


class Webhook:
    """Of one receiver.

    Attributes:
        told_total: what it was told, or the log alone where there is none.
        failed_total: what it could not be told.
        is_heard: whether it took the last that it was to be told.
    """

    def __init__(self, batch: Batch, post: Post | None) -> None:
        """`post` None: only the log is told."""
        self._batch = batch
        self._post_once = post
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
        self.is_heard = self._post_once is None or await self._posted(self._post_once, said)
        if self.is_heard:
            self.told_total += 1
        else:
            self.failed_total += 1
            not_delivered = f"{event}_not_delivered"
            structlog.get_logger().error(not_delivered, tenant=tenant)
        return True

    async def _posted(self, post: Post, said: Mapping[str, Any]) -> bool:
        for attempt in range(ATTEMPTS):
            with suppress(TimeoutError):
                async with asyncio.timeout(POST_TIMEOUT_S):
                    if await post(said):
                        return True
            await asyncio.sleep(PAUSE_S * attempt)
        return False


@asynccontextmanager
async def webhook(batch: Batch, url: str | None) -> AsyncIterator[Webhook]:
    """A webhook that can be told for as long as the scope is open.

    `url` may hold a secret; None: only the log is told.
    """
    if url is None:
        yield Webhook(batch, None)
        return
    async with _posting(url) as post:
        yield Webhook(batch, post)


@asynccontextmanager
async def _posting(url: str) -> AsyncIterator[Post]:
    import httpx2  # noqa: PLC0415  # a client and certificates, for those who are told by a webhook

    async with httpx2.AsyncClient(
        timeout=POST_TIMEOUT_S, follow_redirects=False, trust_env=False
    ) as client:

        async def post(said: Mapping[str, Any]) -> bool:
            try:
                answer = await client.post(url, json=said)
            except (httpx2.HTTPError, httpx2.InvalidURL, OSError):
                return False  # its text would name the URL
            return answer.is_success

        yield post
