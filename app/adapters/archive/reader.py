"""Reads an archive, also while another process writes to it; nothing damaged passes unnoticed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import zip_longest
from math import inf
from pathlib import Path
from typing import Final

import msgspec
import structlog

from app.adapters.archive.errors import ArchiveDamaged, Problem
from app.adapters.archive.line import Header
from app.adapters.archive.segment import Read, Segment, header, lines, segments
from app.adapters.archive.stream_id import parsed, unix_time
from app.adapters.archive.verification import file_gap, line_gap, row_of, verified
from app.domain.ledger.ledger_row import LedgerRow, UnreadableRow
from app.domain.ledger.usage_query import within

#: How far Redis's clock and the archive's writer's may be apart.
_SKEW_S: Final = 3600.0


class ArchiveReader(msgspec.Struct, frozen=True):
    """The archive in a directory. With `skip_damaged` what is damaged is logged and left out."""

    directory: Path
    skip_damaged: bool = False

    def rows(
        self, tenant: str | None = None, since: float | None = None, until: float | None = None
    ) -> Iterator[LedgerRow]:
        """Rows with `since <= at < until` (Unix seconds), as they were archived.

        Raises ArchiveDamaged at the first line that cannot be trusted, unless such are skipped.
        """
        return (row for _, row in self.numbered(tenant, since, until))

    def numbered(
        self,
        tenant: str | None = None,
        since: float | None = None,
        until: float | None = None,
        *,
        after: int = 0,
    ) -> Iterator[tuple[int, LedgerRow]]:
        """The same with the numbers of their lines in the archive; only those behind `after`."""
        for read in self._sound(self._segments(since, until, after)):
            line = read.line
            if line and line.n > after and line.tenant and tenant in {None, line.tenant}:
                row = self._row(read)
                if row and within(row, since, until):
                    yield line.n, row

    def entries(self, tenant: str, since_id: str) -> Iterator[tuple[str, bytes]]:
        """Id and bytes of a tenant's archived entries from this id on; damaged ones left out."""
        first = parsed(since_id)
        for segment in self._segments(unix_time(since_id), None):
            for read in lines(segment):
                line = read.line
                if line and line.tenant == tenant and line.id and parsed(line.id) >= first:
                    yield line.id, line.entry or b""

    def verify(self) -> list[Problem]:
        """All that is wrong with the files; empty when every byte is as it was written."""
        return list(verified(segments(self.directory)))

    def _sound(self, chosen: Iterable[Segment]) -> Iterator[Read]:
        """The lines, none of them missing; see `rows` about others."""
        n: int | None = None
        before: Read | None = None
        for read in self._lines(chosen):
            follows = before and before.where.number + 1 >= read.where.number
            expected = n + 1 if n is not None and follows else None
            if read.line is None:
                self._damaged(read.problem)
                n = None if n is None else n + 1
            else:
                if expected is not None and expected != read.line.n:
                    self._damaged(replace(read, wrong=line_gap(expected, read.line.n)).problem)
                n = read.line.n
                yield read
            before = read

    def _lines(self, chosen: Iterable[Segment]) -> Iterator[Read]:
        """All lines; the last of all is left out where it has no end: it is being written."""
        last: Read | None = None
        for segment in chosen:
            for read in lines(segment):
                if last:
                    yield last
                last = read
        if last and not last.torn:
            yield last

    def _row(self, read: Read) -> LedgerRow | None:
        line = read.line
        try:
            return row_of(line) if line else None
        except UnreadableRow as error:
            self._damaged(replace(read, wrong=str(error)).problem)
            return None

    def _damaged(self, problem: Problem) -> None:
        if not self.skip_damaged:
            raise ArchiveDamaged(problem)
        structlog.get_logger().warning("archive_line_skipped", problem=str(problem))

    def _segments(
        self, since: float | None, until: float | None, behind: int = 0
    ) -> Iterator[Segment]:
        """Those that may hold rows of the period, as far as the segment after each one tells."""
        found = segments(self.directory)
        for segment, after in zip_longest(found, found[1:]):
            if behind and after and _first_number(after) <= behind + 1:
                continue
            if after and after.number != segment.number + 1:
                self._damaged(file_gap(segment, after))
            if not (after and _outside(header(after), since, until)):
                yield segment


def _first_number(segment: Segment) -> float:
    """The number of its first line; infinite where that cannot be told."""
    first = next(lines(segment), None)
    return first.line.n if first and first.line else inf


def _outside(after: Header | None, since: float | None, until: float | None) -> bool:
    """Whether no row of the segment before this header can be of the period.

    A row is archived after it was made, however much later: only its summary tells how early.
    """
    if after is None:
        return False
    if since is not None and after.began + _SKEW_S < since:
        return True
    summary = after.previous
    if summary is None or summary.first_at is None or summary.last_at is None:
        return False
    late = since is not None and summary.last_at < since
    return late or (until is not None and summary.first_at >= until)
