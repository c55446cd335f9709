"""Reads what an archive gets from where reading was left: what was read is not read again.

A place is behind a line that could be trusted. What is damaged at the archive's end may be cut off
by its next writer, and is read again until something good follows it. Everything blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import structlog

from app.adapters.archive.segment import Read, Segment, lines, segments, size_of
from app.adapters.archive.verification import row_of
from app.domain.ledger.ledger_row import LedgerRow, UnreadableRow


class Place(msgspec.Struct, frozen=True):
    """In which file, how far into it before it was compressed, behind which line of the archive."""

    segment: int = 0
    offset: int = 0
    line: int = 0


BEGINNING: Final = Place()

#: A line that was read: the place behind it, and its row, if it has one.
Followed = tuple[Place, LedgerRow | None]


def following(directory: Path, place: Place) -> Iterator[Followed]:
    """All lines that are there behind a place."""
    for segment in [each for each in segments(directory) if each.number >= place.segment]:
        offset = place.offset if segment.number == place.segment else 0
        yield from _lines(segment, offset)


def end_of(directory: Path) -> Place:
    """The place behind all that is there."""
    found = segments(directory)
    place = Place(found[-1].number) if found else BEGINNING
    for behind, _ in following(directory, place):
        place = behind
    return place


def sound(directory: Path, place: Place) -> Place:
    """The place, or one before it where the archive has less than was read: a backup was restored.

    Some rows are read again then, none is left out.
    """
    found = segments(directory)
    if not place.segment:
        return place
    there = next((each for each in found if each.number == place.segment), None)
    is_newer = bool(found) and found[-1].number >= place.segment
    if is_newer and (there is None or size_of(there) >= place.offset):
        return place
    structlog.get_logger().error("archive_shorter_than_read", line=place.line)
    return Place(place.segment if is_newer else found[-1].number) if found else BEGINNING


def _lines(segment: Segment, offset: int) -> Iterator[Followed]:
    for read in lines(segment, offset):
        if read.torn:
            return
        if read.line is None:
            structlog.get_logger().warning("archive_line_skipped", problem=str(read.problem))
            continue
        yield Place(segment.number, read.ends, read.line.n), _row(read)


def _row(read: Read) -> LedgerRow | None:
    try:
        return row_of(read.line) if read.line and read.line.tenant else None
    except UnreadableRow as error:
        structlog.get_logger().warning("archive_row_skipped", error=str(error))
        return None
