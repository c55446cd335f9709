"""Receipts in a Redis stream, for whoever reads them from there."""

from __future__ import annotations

from typing import Final

import msgspec
import structlog
from redis.asyncio import Redis

from app.adapters.redis.breaker import Breaker
from app.adapters.redis.connection import guarded
from app.domain.completion import Receipt
from app.errors import StoreUnavailable

STREAM: Final = "spillgate:receipts"
KEPT: Final = 1_000_000


class RedisLedger:
    """Appends each receipt as JSON, in the field `receipt`; the stream keeps about a million."""

    def __init__(self, client: Redis, breaker: Breaker) -> None:
        self._client = client
        self._breaker = breaker
        self._keeps = True
        self.lost_total = 0

    async def append(self, receipt: Receipt) -> None:
        """Keep a receipt. Never raises: losses are counted, their begin and end logged."""
        entry = msgspec.json.encode(receipt)
        try:
            await guarded(
                self._breaker,
                lambda: self._client.xadd(
                    STREAM, {"receipt": entry}, maxlen=KEPT, approximate=True
                ),
            )
        except StoreUnavailable:
            self.lost_total += 1
            self._note(keeps=False)
        else:
            self._note(keeps=True)

    def _note(self, *, keeps: bool) -> None:
        """Log where it changed whether receipts are kept."""
        if keeps is self._keeps:
            return
        self._keeps = keeps
        log = structlog.get_logger()
        if keeps:
            log.info("receipts_kept_again", lost_total=self.lost_total)
        else:
            log.error("receipts_lost", lost_total=self.lost_total)
