"""What observers were told."""

from __future__ import annotations

from app.domain.ledger.completion import Receipt


class RecordingObserver:
    """Remembers every receipt it was shown."""

    def __init__(self) -> None:
        self.receipts: list[Receipt] = []

    def observe(self, *receipts: Receipt) -> None:
        self.receipts.extend(receipts)

    def __repr__(self) -> str:
        return f"<RecordingObserver of {len(self.receipts)} receipts>"
