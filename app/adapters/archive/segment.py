"""The files of an archive, in order, and their lines as they are, damaged ones included."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, Protocol, cast

import msgspec

from app.adapters.archive.errors import Problem
from app.adapters.archive.line import Damaged, Header, Line, UnknownForm, opened

_NAME: Final = re.compile(r"ledger-(\d{8})-(\d{4}-\d\d-\d\d)\.jsonl(\.gz)?")


class Hash(Protocol):
    """A digest as `hashlib` makes them."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class Segment(msgspec.Struct, frozen=True):
    """One file; numbers grow by one, and a file's rows were archived from its day (UTC) on."""

    number: int
    day: str
    path: Path


@dataclass(frozen=True, slots=True)
class Read:
    """One line as it was read: what it says, or else what is wrong with it."""

    where: Segment
    number: int  # of the line in its file, from 1
    ends: int  # its offset in the file
    data: bytes
    line: Line | None
    wrong: str = ""
    foreign: bool = False  # its checksum is right: another version wrote it

    @property
    def problem(self) -> Problem:
        """What is wrong, and where."""
        return Problem(str(self.where.path), self.number, self.wrong)

    @property
    def torn(self) -> bool:
        """Whether it just has no end: its writing was cut short, or goes on."""
        return not self.data.endswith(b"\n")


def segments(directory: Path) -> list[Segment]:
    """The files of the archive, oldest first; a file that is being compressed is there once."""
    found: dict[int, Segment] = {}
    for path in sorted(directory.iterdir(), reverse=True):
        if match := _NAME.fullmatch(path.name):
            found[int(match[1])] = Segment(int(match[1]), match[2], path)  # .jsonl after .gz
    return [found[number] for number in sorted(found)]


def segment_at(directory: Path, number: int, began: float) -> Segment:
    """The segment that begins at `began` (Unix seconds); nothing is made."""
    day = f"{datetime.fromtimestamp(began, UTC):%Y-%m-%d}"
    return Segment(number, day, directory / f"ledger-{number:08}-{day}.jsonl")


def lines(segment: Segment, offset: int = 0) -> Iterator[Read]:
    """Every line of the file behind `offset`; none where retention removed it meanwhile.

    Elsewhere than from the beginning the numbers of lines are not those of the file.
    """
    try:
        with _open(segment.path) as file:
            file.seek(offset)
            yield from _lines(segment, file, offset)
    except FileNotFoundError:
        return


def size_of(segment: Segment) -> int:
    """How many bytes it has, or had before it was compressed; 0 where it cannot be read."""
    try:
        with _open(segment.path) as file:
            return file.seek(0, os.SEEK_END)
    except (EOFError, OSError, zlib.error):
        return 0


def header(segment: Segment) -> Header | None:
    """What its first line says; None where that is damaged or missing."""
    first = next(lines(segment), None)
    return first.line.segment if first and first.line else None


def compress(segment: Segment) -> None:
    """Replace the file by a compressed one; at any moment one of them is whole."""
    packed = segment.path.with_name(f"{segment.path.name}.gz")
    partial = packed.with_name(f"{packed.name}.partial")
    with segment.path.open("rb") as source, partial.open("wb") as target:
        with gzip.open(target, "wb", compresslevel=6) as file:
            shutil.copyfileobj(source, file, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    partial.rename(packed)
    sync_directory(packed.parent)
    segment.path.unlink()


def sync_directory(directory: Path) -> None:
    """Make the names in it durable."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_hash() -> Hash:
    """What a closed segment's bytes, uncompressed, are told by."""
    return hashlib.sha256()


def _open(path: Path) -> IO[bytes]:
    """The file, which may have been compressed since it was listed."""
    if path.suffix != ".gz":
        try:
            return path.open("rb")
        except FileNotFoundError:
            path = path.with_name(f"{path.name}.gz")
    return cast("IO[bytes]", gzip.open(path, "rb"))


def _lines(segment: Segment, file: IO[bytes], offset: int) -> Iterator[Read]:
    number, ends = 0, offset
    try:
        for data in file:
            number, ends = number + 1, ends + len(data)
            yield _read(segment, number, ends, data)
    except (EOFError, OSError, zlib.error) as error:
        yield Read(segment, number + 1, ends, b"\n", None, f"the file cannot be read on: {error}")


def _read(segment: Segment, number: int, ends: int, data: bytes) -> Read:
    try:
        return Read(segment, number, ends, data, opened(data))
    except Damaged as error:
        foreign = isinstance(error, UnknownForm)
        return Read(segment, number, ends, data, None, str(error), foreign)
