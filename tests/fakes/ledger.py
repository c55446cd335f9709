"""Receipts in a list."""

from __future__ import annotations

import asyncio

from app.domain.completion import Receipt


class RecordingLedger:
    """Keeps receipts once it may: until `ready` is set, it takes its time."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []
        self.begun = 0
        self.ready = asyncio.Event()
        self.ready.set()

    async def append(self, receipt: Receipt) -> None:
        self.begun += 1
        await asyncio.sleep(0)
        await self.ready.wait()
        self.receipts.append(receipt)

    def __repr__(self) -> str:
        return f"<RecordingLedger of {len(self.receipts)} receipts>"
