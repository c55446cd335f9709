"""Appends to one file of the archive: what it says is written is on the disk."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Final, Self

from app.adapters.appending import append, naming
from app.adapters.archive.errors import ArchiveBusy
from app.adapters.archive.recovery import End
from app.adapters.archive.segment import Segment, new_hash, sync_directory

_LOCK: Final = "lock"


def locked(directory: Path) -> int:
    """A descriptor that keeps other writers out until it is closed. Raises ArchiveBusy."""
    descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(descriptor, 64, 0).decode("utf-8", "replace")
        os.close(descriptor)
        raise ArchiveBusy(directory, owner) from None
    try:
        with naming(directory / _LOCK):
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"process {os.getpid()}".encode(), 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class SegmentWriter:
    """The end of one file."""

    def __init__(self, end: End, file: int) -> None:
        """`file` is a descriptor opened for appending; it is closed with this."""
        self.end = end
        self._file = file
        self._unsure = False

    @classmethod
    def resume(cls, end: End) -> Self:
        """Go on where a file ends."""
        return cls(end, os.open(end.segment.path, os.O_WRONLY | os.O_APPEND))

    @classmethod
    def begin(cls, segment: Segment, first: bytes) -> Self:
        """Make a file that begins with these bytes; none is left where that fails."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC
        writer = cls(End(segment, 0, new_hash()), os.open(segment.path, flags, 0o600))
        try:
            writer.write(first)
            sync_directory(segment.path.parent)
        except BaseException:
            writer.close()
            segment.path.unlink(missing_ok=True)
            raise
        return writer

    def write(self, data: bytes) -> None:
        """Write all of it durably, or raise OSError with the file as it was before."""
        if self._unsure:
            self._put_back()
        self._unsure = True
        try:
            append(self._file, data, self.end.segment.path)
        except OSError:
            self._put_back()
            raise
        self._unsure = False
        self.end.digest.update(data)
        self.end = End(self.end.segment, self.end.offset + len(data), self.end.digest)

    def close(self) -> None:
        """Close the file, once."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _put_back(self) -> None:
        """Cut off what may have been written. A failed fsync may have lost it: it is not kept."""
        os.ftruncate(self._file, self.end.offset)
        os.fsync(self._file)
        self._unsure = False
