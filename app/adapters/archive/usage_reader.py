"""The archive as the admin API reads it: rows of a query, and tables in every format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any

import msgspec

from app.adapters.archive.errors import ArchiveDamaged
from app.adapters.archive.export import (
    Format,
    ParquetUnavailable,
    Table,
    export,
    groups_table,
    rows_table,
)
from app.adapters.archive.reader import ArchiveReader
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.ledger.usage_query import UsageGroup, UsageQuery
from app.errors import MalformedRequest, SpillgateError


class ArchiveUsage(msgspec.Struct, frozen=True):
    """A UsageReader; what is damaged is told, never left out: sums would be wrong."""

    reader: ArchiveReader

    def rows(self, query: UsageQuery, after: int = 0) -> Iterator[tuple[int, LedgerRow]]:
        """Numbered rows of the period and, where the query names one alone, of its tenant.

        Raises SpillgateError where the archive is not there, or cannot be trusted.
        """
        tenants = query.where.get("tenant", frozenset())
        tenant = next(iter(tenants)) if len(tenants) == 1 else None
        try:
            yield from self.reader.numbered(tenant, query.since, query.until, after=after)
        except ArchiveDamaged as error:
            message = f"The ledger's archive cannot be trusted: {_place(error)}."
            raise SpillgateError(message) from error
        except FileNotFoundError as error:
            raise SpillgateError("The ledger's archive is not there.") from error

    def write_rows(self, rows: Iterable[LedgerRow], form: str, target: IO[bytes]) -> None:
        """Rows in a format. Raises MalformedRequest where it cannot be written here."""
        _write(rows_table(rows), form, target)

    def write_groups(
        self, groups: Sequence[UsageGroup], query: UsageQuery, form: str, target: IO[bytes]
    ) -> None:
        """Groups in a format. Raises MalformedRequest where it cannot be written here."""
        _write(groups_table(groups, query.group_by), form, target)

    def write_records(
        self,
        columns: tuple[str, ...],
        texts: frozenset[str],
        records: Iterable[Mapping[str, Any]],
        form: str,
        target: IO[bytes],
    ) -> None:
        """Records in a format. Raises MalformedRequest where it cannot be written here."""
        _write(Table(columns, texts, records), form, target)


def _write(table: Table, form: str, target: IO[bytes]) -> None:
    try:
        export(table, Format(form), target)
    except ParquetUnavailable as error:
        raise MalformedRequest(f"format: {error}.", param="format") from error


def _place(error: ArchiveDamaged) -> str:
    """Where and what, without the path of the server's files."""
    problem = error.problem
    return f"{problem.file.rsplit('/', 1)[-1]}:{problem.line}: {problem.what}"
