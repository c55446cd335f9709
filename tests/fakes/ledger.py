"""Receipts in a list."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from app.domain.completion import Receipt


class RecordingLedger:
    """Keeps receipts once it may: until `ready` is set, it takes its time."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.begun = 0
        self.ready = asyncio.Event()
        self.ready.set()

    def append(self, receipt: Receipt) -> Coroutine[Any, Any, None]:
        self.begun += 1  # when it is asked to, which is before it is awaited
        return self._keep(receipt)

    async def _keep(self, receipt: Receipt) -> None:
        await asyncio.sleep(0)
        await self.ready.wait()
        self.receipts.append(receipt)

    def __repr__(self) -> str:
        return f"<RecordingLedger of {len(self.receipts)} receipts>"
