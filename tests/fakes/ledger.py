"""A recorded ledger in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

from app.adapters.archive.export import Format, Table, export, groups_table, rows_table
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.ledger.usage_query import UsageGroup, UsageQuery
from app.errors import SpillgateError


class FakeUsageReader:
    """A UsageReader of these rows; `damaged_at` is the number of one that cannot be trusted."""

    def __init__(self, *rows: LedgerRow) -> None:
        self.recorded = list(rows)
        self.damaged_at: int | None = None
        self.queries: list[UsageQuery] = []

    def rows(self, query: UsageQuery, after: int = 0) -> Iterator[tuple[int, LedgerRow]]:
        self.queries.append(query)
        for number, row in enumerate(self.recorded, start=1):
            if number == self.damaged_at:
                raise SpillgateError("The ledger's archive cannot be trusted: line 1.")
            if number > after:
                yield number, row

    def write_rows(self, rows: Iterable[LedgerRow], form: str, target: IO[bytes]) -> None:
        export(rows_table(rows), Format(form), target)

    def write_groups(
        self, groups: Sequence[UsageGroup], query: UsageQuery, form: str, target: IO[bytes]
    ) -> None:
        export(groups_table(groups, query.group_by), Format(form), target)

    def write_records(
        self,
        columns: tuple[str, ...],
        texts: frozenset[str],
        records: Iterable[Mapping[str, Any]],
        form: str,
        target: IO[bytes],
    ) -> None:
        export(Table(columns, texts, records), Format(form), target)
