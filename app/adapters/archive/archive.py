"""The archive, open for writing: one writer, one sequence of files, durable when `append` returns.

All tenants share the sequence: a batch of many tenants' rows costs one fsync, and rotation and
retention are those of one row of files. Each file begins with every tenant's position, so that
opening reads only the last one. Blocking: an event loop calls it through a thread.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Final, Self

import msgspec
import structlog

from app.adapters.archive.errors import ArchiveClosed, Problem
from app.adapters.archive.line import Header, Line, Summary, other_line, row_line
from app.adapters.archive.reader import ArchiveReader
from app.adapters.archive.recovery import Tally, recovered
from app.adapters.archive.segment import compress, header, segment_at, segments
from app.adapters.archive.stream_id import START, parsed
from app.adapters.archive.writer import SegmentWriter, locked
from app.adapters.pace import gently
from app.domain.ledger.ledger_row import LedgerRow, UnreadableRow, decode
from app.ports import Clock

Entry = tuple[str, bytes]

_DAY_S: Final = 86_400
#: Rows of one part of a batch, after which whoever writes them may rest: some 0.05 ms.
_AT_ONCE: Final = 8


class ArchivePolicy(msgspec.Struct, frozen=True):
    """A file is closed at this size, and at the end of its day (UTC); then it may be compressed.

    A file is deleted once all of its rows were archived `retention_days` ago or earlier. Accounts
    are reseeded from here: keep more than a month.
    """

    segment_bytes: int = 64 * 1024 * 1024
    retention_days: int = 400
    compress: bool = True


class Archive:
    """An archive open for writing; any thread may use it, one at a time writes."""

    def __init__(self, directory: Path, clock: Clock, policy: ArchivePolicy, lock: int) -> None:
        """Use `open`. `lock` is the descriptor that holds the directory's lock."""
        self._reader = ArchiveReader(directory)
        self._clock = clock
        self._policy = policy
        self._lock = lock
        self._turn = threading.Lock()
        self._tally, end = recovered(directory)
        self._previous: Summary | None = None
        self._number = end.segment.number if end else 0
        self._writer: SegmentWriter | None = None
        if end and end.segment.path.suffix == ".gz":
            self._previous = self._tally.summary(end)
        elif end:
            self._writer = SegmentWriter.resume(end)
        self._delete_old()

    @classmethod
    def open(cls, directory: Path, clock: Clock, policy: ArchivePolicy | None = None) -> Self:
        """Open or make the archive; a last line that was not finished is cut off.

        Raises ArchiveBusy where another writer has it, ArchiveDamaged where another version wrote
        its last lines, OSError where it cannot be made or read.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = locked(directory)
        try:
            return cls(directory, clock, policy or ArchivePolicy(), lock)
        except BaseException:
            os.close(lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files, once a write that is under way has ended; again is fine."""
        with self._turn:
            if self._writer:
                self._writer.close()
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1

    def last_position(self, tenant: str) -> str:
        """The id of the tenant's last archived entry; `0-0` before the first."""
        return self._tally.positions.get(tenant, START)

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return self._reader.directory

    @property
    def last_line(self) -> int:
        """The number of its last line, over all files; 0 before the first."""
        return self._tally.n

    def append(self, tenant: str, entries: Sequence[Entry]) -> int:
        """Archive one tenant's entries; see `append_all`."""
        return self.append_all({tenant: entries})

    def append_all(self, batch: Mapping[str, Sequence[Entry]]) -> int:
        """Archive entries (stream id, row as JSON) by tenant; how many were not there yet.

        Durable on return. Entries must be in the order of their ids; those up to the last position
        are passed over, so that repeating a batch changes nothing. What is no ledger row of its
        tenant is kept as it is, for `verify` to tell.

        Raises:
            OSError: nothing of the batch was archived; it may be tried again.
            ArchiveClosed: it was closed.
        """
        with self._turn:
            writer = self._current()
            written = _Batch(self._tally.n)
            for tenant, some in gently(_parts(batch)):
                written.add(tenant, some, self.last_position(tenant))
            if written.lines:
                writer.write(b"".join(written.lines))
                written.told_to(self._tally)
            return len(written.lines)

    def reset(self, tenant: str, position: str) -> None:
        """Note that the tenant's stream was rolled back: its entries go on after `position`."""
        with self._turn:
            writer = self._current()
            line = Line(n=self._tally.n + 1, tenant=tenant, position=position)
            writer.write(other_line(line))
            self._tally.take(line)

    def rows(
        self, tenant: str | None = None, since: float | None = None, until: float | None = None
    ) -> Iterator[LedgerRow]:
        """See `ArchiveReader.rows`; another thread may append meanwhile."""
        return self._reader.rows(tenant, since, until)

    def entries(self, tenant: str, since_id: str) -> Iterator[Entry]:
        """See `ArchiveReader.entries`."""
        return self._reader.entries(tenant, since_id)

    def verify(self) -> list[Problem]:
        """All that is wrong with the files."""
        return self._reader.verify()

    def _current(self) -> SegmentWriter:
        """The writer of the file that is due now."""
        if self._lock < 0:
            raise ArchiveClosed("The archive is closed.")
        now = self._clock.unix()
        if self._writer is None or self._is_full(self._writer, now):
            self._writer = self._next(self._writer, now)
            self._tidy()
        return self._writer

    def _is_full(self, writer: SegmentWriter, now: float) -> bool:
        today = segment_at(self._reader.directory, 0, now).day
        return writer.end.offset >= self._policy.segment_bytes or today > writer.end.segment.day

    def _next(self, before: SegmentWriter | None, now: float) -> SegmentWriter:
        """Begin a new file; the last one is closed and will not change any more."""
        previous = self._tally.summary(before.end) if before else self._previous
        segment = segment_at(self._reader.directory, self._number + 1, now)
        first = Header(segment.number, now, dict(self._tally.positions), previous)
        line = Line(n=self._tally.n + 1, segment=first)
        writer = SegmentWriter.begin(segment, other_line(line))
        self._number = segment.number
        self._tally.take(line)
        if before:
            before.close()
        return writer

    def _tidy(self) -> None:
        """Work on closed files; its failing is no reason to archive nothing more."""
        try:
            self._delete_old()
            for segment in segments(self._reader.directory)[:-1]:
                if self._policy.compress and segment.path.suffix != ".gz":
                    compress(segment)
        except OSError as error:
            structlog.get_logger().error("archive_not_tidied", error=str(error))

    def _delete_old(self) -> None:
        """Oldest first, so that what is left is always the archive's whole end."""
        oldest = self._clock.unix() - self._policy.retention_days * _DAY_S
        for segment, after in pairwise(segments(self._reader.directory)):
            first = header(after)
            if first is None or first.began > oldest:
                return
            segment.path.unlink(missing_ok=True)
            structlog.get_logger().info("archive_file_expired", file=segment.path.name)


@dataclass(slots=True)
class _Batch:
    """Lines to be written together, and what the tally is told once they are.

    `before`: so many there are already.
    """

    before: int
    lines: list[bytes] = field(default_factory=list)
    positions: dict[str, str] = field(default_factory=dict)
    times: list[float | None] = field(default_factory=list)

    def add(self, tenant: str, entries: Iterable[Entry], position: str) -> None:
        """Take the entries that follow the position, and those of this batch before them."""
        last, name = self.positions.get(tenant, position), msgspec.json.encode(tenant)
        reached, n = parsed(last), self.before + len(self.times)
        for stream_id, row in entries:
            moment = parsed(stream_id)
            if moment <= reached:
                continue
            reached, last, n, at = moment, stream_id, n + 1, _time(tenant, row)
            self.times.append(at)
            if at is None:
                kept = base64.b64encode(row).decode()
                line = other_line(Line(n=n, tenant=tenant, id=stream_id, unreadable=kept))
            else:
                line = row_line(n, name, stream_id, one_line(row))
            self.lines.append(line)
        if last != position:
            self.positions[tenant] = last

    def told_to(self, tally: Tally) -> None:
        tally.n = self.before + len(self.times)
        tally.positions |= self.positions
        tally.count(self.times)


def _parts(batch: Mapping[str, Sequence[Entry]]) -> Iterator[tuple[str, Sequence[Entry]]]:
    """So few rows that whoever writes them may rest in between."""
    for tenant, entries in batch.items():
        for start in range(0, len(entries), _AT_ONCE):
            yield tenant, entries[start : start + _AT_ONCE]


def one_line(row: bytes) -> bytes:
    """JSON on one line; a line's end can only stand between two of its parts."""
    return row.replace(b"\n", b" ") if b"\n" in row else row


def _time(tenant: str, data: bytes) -> float | None:
    """When the row was made; None for what is no row of this tenant."""
    try:
        row = decode(data)
    except UnreadableRow:
        return None
    return row.at if row.tenant == tenant else None
