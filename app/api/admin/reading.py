"""What the admin API reads of the ledger: rows, and the formats that tables are written in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Protocol

from app.domain.ledger.ledger_row import LedgerRow
from app.domain.ledger.usage_query import UsageGroup, UsageQuery


class UsageReader(Protocol):
    """The recorded ledger. Everything blocks: call it in a thread.

    Raises SpillgateError where the ledger cannot be read or trusted, MalformedRequest for a format
    that cannot be written here.
    """

    def rows(self, query: UsageQuery, after: int = 0) -> Iterator[tuple[int, LedgerRow]]:
        """Rows of the query's period and tenants at least, in the order they were recorded.

        Each comes with its number, which later rows have greater ones than; only those behind
        number `after`.
        """
        ...

    def write_rows(self, rows: Iterable[LedgerRow], form: str, target: IO[bytes]) -> None:
        """Rows as `json`, `csv` or `parquet`, written as they are read."""
        ...

    def write_groups(
        self, groups: Sequence[UsageGroup], query: UsageQuery, form: str, target: IO[bytes]
    ) -> None:
        """Sums by group in the same formats."""
        ...

    def write_records(
        self,
        columns: tuple[str, ...],
        texts: frozenset[str],
        records: Iterable[Mapping[str, Any]],
        form: str,
        target: IO[bytes],
    ) -> None:
        """Records with these columns, of which `texts` are no whole numbers, in the same."""
        ...
