"""The columns of exported files: those of a ledger row, and what the row adds to its tenant's bill.

Names and meanings do not change, nor does the order of those named here; what rows get later comes
behind them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from app.adapters.archive.export import Table, row_record, rows_table
from app.domain.ledger.ledger_row import LedgerRow

#: The number of this form, for readers that want to notice a new one.
VERSION: Final = 1

COLUMNS: Final = (
    "line", "id", "kind", "at", "tenant", "request_id", "key_id", "model", "deployment",
    "deployment_kind", "operation", "stream", "status", "outcome", "error", "spill", "input",
    "cached_input", "output", "reasoning", "nano_usd", "reserved_tokens", "reserved_nano_usd",
    "flags", "tags", "started_at", "duration", "time_to_first_token", "attempts", "day", "hour",
    "month", "cache", "saved_nano_usd", "errand", "charged_requests", "charged_tokens",
    "charged_nano_usd", "corrects",
)  # fmt: skip


@dataclass(slots=True)
class Sums:
    """What a file's rows come to; money in nano-dollars."""

    rows: int = 0
    requests: int = 0
    tokens: int = 0
    nano_usd: int = 0


class Exported(msgspec.Struct, frozen=True):
    """A row, the number of its line in the archive, and whether it charges an id once more."""

    line: int
    row: LedgerRow
    repeats: bool = False


def ledger_table(rows: Iterable[Exported], sums: Sums) -> Table:
    """The rows; `sums` grow as they are read."""
    base = rows_table(())
    later = tuple(name for name in base.columns if name not in COLUMNS)
    return Table(COLUMNS + later, base.texts, _records(rows, sums))


def _records(rows: Iterable[Exported], sums: Sums) -> Iterator[dict[str, Any]]:
    for each in rows:
        row, share = each.row, 0 if each.repeats else 1
        charged = {
            "charged_requests": row.charged.requests * share,
            "charged_tokens": row.charged.tokens * share,
            "charged_nano_usd": row.charged.nano_usd * share,
        }
        sums.rows += 1
        sums.requests += charged["charged_requests"]
        sums.tokens += charged["charged_tokens"]
        sums.nano_usd += charged["charged_nano_usd"]
        yield {"line": each.line, **row_record(row), **charged}
