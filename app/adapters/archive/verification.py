"""Finds all that is wrong with an archive's files: bytes, lines, order, missing files."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field

from app.adapters.archive.errors import Problem
from app.adapters.archive.line import Header, Line
from app.adapters.archive.segment import Read, Segment, lines, new_hash
from app.adapters.archive.stream_id import START, parsed
from app.domain.ledger.ledger_row import LedgerRow, UnreadableRow, decode


@dataclass(slots=True)
class _Seen:
    """What the lines so far say about those to come."""

    n: int | None = None
    sha256: str | None = None
    positions: dict[str, str] = field(default_factory=dict)


def verified(found: Iterable[Segment]) -> Iterator[Problem]:
    """Every problem, in the files' order."""
    seen = _Seen()
    before: Segment | None = None
    torn: Read | None = None
    for segment in found:
        if torn:
            yield torn.problem
        if before and segment.number != before.number + 1:
            yield file_gap(before, segment)
            seen = _Seen()
        torn = yield from _segment(segment, seen)
        before = segment


def row_of(line: Line) -> LedgerRow | None:
    """The row of a line; None for a line of another kind. Raises UnreadableRow."""
    if line.unreadable is not None:
        raise UnreadableRow(f"entry {line.id} is no ledger row of {line.tenant!r}")
    return decode(line.row) if bytes(line.row) else None


def file_gap(before: Segment, segment: Segment) -> Problem:
    """What to say where files are missing before one."""
    return Problem(str(segment.path), 1, f"file {before.number + 1} of the archive is gone")


def line_gap(expected: int, found: int) -> str:
    """What to say where lines are missing before one."""
    return f"line {expected} of the archive was expected, {found} was found"


def _segment(segment: Segment, seen: _Seen) -> Generator[Problem, None, Read | None]:
    """Problems of one file; its last line, where that has no end, is returned, not told."""
    digest = new_hash()
    for read in lines(segment):
        digest.update(read.data)
        if read.torn:
            return read
        for wrong in _line(read, seen):
            yield Problem(str(segment.path), read.number, wrong)
    seen.sha256 = digest.hexdigest()
    return None


def _line(read: Read, seen: _Seen) -> Iterator[str]:
    line = read.line
    if line is None:
        yield read.wrong
        seen.n = None if seen.n is None else seen.n + 1
        return
    if seen.n is not None and line.n != seen.n + 1:
        yield line_gap(seen.n + 1, line.n)
    seen.n = line.n
    if read.number == 1:
        yield from _header(line.segment, seen)
    if line.tenant:
        yield from _tenant(line, seen)


def _header(header: Header | None, seen: _Seen) -> Iterator[str]:
    if header is None:
        yield "the file does not begin with its header"
        return
    if header.previous and seen.sha256 not in {None, header.previous.sha256}:
        yield f"{header.previous.file} has changed since it was closed"
    seen.positions = dict(header.positions)


def _tenant(line: Line, seen: _Seen) -> Iterator[str]:
    if line.id and parsed(line.id) <= parsed(seen.positions.get(line.tenant, START)):
        yield f"entry {line.id} of {line.tenant!r} does not follow the one before it"
    seen.positions[line.tenant] = line.reached or START
    try:
        row_of(line)
    except UnreadableRow as error:
        yield str(error)
