"""Ledger rows, with as much said as a test cares for."""

from __future__ import annotations

from typing import Any

from app.domain.ledger.ledger_row import LedgerRow, RowKind, encode

DAY = "2026-11-21"


def ledger_row(id_: str, **fields: Any) -> LedgerRow:
    """A settled row of 5 + 3 tokens for 7 nano-dollars."""
    values: dict[str, Any] = {
        "kind": RowKind.SETTLED,
        "at": 1_790_000_000.0,
        "tenant": "search",
        "key_id": "k1",
        "model": "gpt-4o",
        "input": 5,
        "output": 3,
        "nano_usd": 7,
        "day": DAY,
    }
    return LedgerRow(id=id_, **{**values, **fields})


def entries(*ids: int, tenant: str = "search") -> list[tuple[str, bytes]]:
    """Stream entries, whose rows have the same ids."""
    return [(f"{id_}-0", encode(ledger_row(str(id_), tenant=tenant))) for id_ in ids]
