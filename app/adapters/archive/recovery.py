"""Finds out where an archive's writer left off, and cuts off what it did not finish."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import structlog

from app.adapters.archive.errors import ArchiveDamaged
from app.adapters.archive.line import Header, Line, Summary
from app.adapters.archive.segment import (
    Hash,
    Read,
    Segment,
    header,
    lines,
    new_hash,
    segments,
)
from app.domain.ledger.ledger_row import UnreadableRow, decode


class End(msgspec.Struct, frozen=True):
    """Where to go on writing: `digest` is of all that the segment holds before `offset`."""

    segment: Segment
    offset: int
    digest: Hash


@dataclass(slots=True)
class Tally:
    """What an archive's lines amount to: all of them, and those of its last segment."""

    n: int = 0
    positions: dict[str, str] = field(default_factory=dict)
    rows: int = 0
    first_at: float | None = None
    last_at: float | None = None

    def begin(self, header: Header) -> None:
        """A segment begins."""
        self.positions = dict(header.positions)
        self.rows, self.first_at, self.last_at = 0, None, None

    def count(self, times: Sequence[float | None]) -> None:
        """So many more rows, and when each was made; None where that cannot be read."""
        self.rows += len(times)
        known = [at for at in (self.first_at, self.last_at, *times) if at is not None]
        self.first_at, self.last_at = min(known, default=None), max(known, default=None)

    def take(self, line: Line) -> None:
        """One line, as it was read."""
        self.n = line.n
        if line.segment:
            self.begin(line.segment)
        if line.tenant and line.reached:
            self.positions[line.tenant] = line.reached
        if line.entry is not None:
            self.count([None if line.unreadable else _at(line.entry)])

    def summary(self, end: End) -> Summary:
        """The last segment, as the next one's header tells of it."""
        file, sha256 = end.segment.path.name.removesuffix(".gz"), end.digest.hexdigest()
        return Summary(file, sha256, self.rows, self.first_at, self.last_at)


def recovered(directory: Path) -> tuple[Tally, End | None]:
    """What the archive amounts to, and its end; None: there is none to go on from.

    Files without one line that can be trusted are put aside. Damage before the last good line
    stays where it is, for `verify` to tell: nothing written after it depends on it.

    Raises ArchiveDamaged where the last file has lines of another version: to cut those would lose
    rows.
    """
    tally, end = Tally(), None
    for segment in _from_last_header(_trusted(directory)):
        end, rest = _scan(segment, tally)
        if rest:
            _cut(end, rest)
    return tally, end


def _trusted(directory: Path) -> list[Segment]:
    """The segments, without those at the end that hold nothing."""
    found = segments(directory)
    while found and not any(read.line or read.foreign for read in lines(found[-1])):
        path = found.pop().path
        path.rename(path.with_name(f"{path.name}.damaged"))
        structlog.get_logger().warning("archive_file_put_aside", file=str(path))
    return found


def _from_last_header(found: list[Segment]) -> list[Segment]:
    """The fewest segments that tell everything."""
    for index in range(len(found) - 1, -1, -1):
        if header(found[index]):
            return found[index:]
    return found


def _scan(segment: Segment, tally: Tally) -> tuple[End, list[Read]]:
    """Take every good line; also what follows the last one."""
    digest, offset, rest = new_hash(), 0, list[Read]()
    for read in lines(segment):
        rest.append(read)
        if read.foreign:
            raise ArchiveDamaged(read.problem)
        if read.line:
            tally.take(read.line)
            _tell(rest)
            digest.update(b"".join(each.data for each in rest))
            offset, rest = read.ends, []
    return End(segment, offset, digest), rest


def _tell(reads: list[Read]) -> None:
    for read in reads:
        if read.line is None:
            structlog.get_logger().error("archive_damaged", problem=str(read.problem))


def _cut(end: End, rest: list[Read]) -> None:
    """Cut off what was not finished; keep a copy of it, unless it is merely a line cut short."""
    path = end.segment.path
    if not (len(rest) == 1 and rest[0].torn):
        copy = path.with_name(f"{path.name}.cut-{end.offset}")
        copy.write_bytes(b"".join(read.data for read in rest))
    if path.suffix != ".gz":
        with path.open("r+b") as file:
            file.truncate(end.offset)
            os.fsync(file.fileno())
    size = sum(len(read.data) for read in rest)
    structlog.get_logger().warning("archive_tail_cut", file=str(path), at=end.offset, bytes=size)


def _at(entry: bytes) -> float | None:
    try:
        return decode(entry).at
    except UnreadableRow:
        return None
