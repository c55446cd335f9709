"""The audit log's durable copy: each record that Redis's log had, a line each, never rewritten.

A record holds a hash of all before it, so that the lines need no checksums of their own: what
`verify_audit` finds in a log it finds in its copy. Where Redis lost records and others got their
numbers, the copy has both.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog

from app.adapters.appending import append
from app.adapters.archive.errors import ArchiveError
from app.adapters.archive.segment import sync_directory
from app.adapters.background import background
from app.domain.identity.audit import ChainEnd
from app.domain.identity.directory import AuditRecord, Directory
from app.errors import StoreUnavailable

NAME: Final = "audit.jsonl"
INTERVAL_S: Final = 0.5
#: Records that one round trip brings.
_AT_ONCE: Final = 500
#: For the last round of a process that ends.
_LAST_ROUND_S: Final = 2.0

_DECODER: Final = msgspec.json.Decoder(AuditRecord)


class AuditUnreadable(ArchiveError):
    """A line of the copy is no record."""


class Log(Protocol):
    """The log that is copied. Its methods raise StoreUnavailable."""

    @property
    def current(self) -> Directory:
        """What was last read; its version tells of changes."""
        ...

    async def audit(self, after: int, count: int) -> list[AuditRecord]:
        """Records from number `after` + 1 on."""
        ...

    async def audit_end(self) -> ChainEnd:
        """The last record's number and hash."""
        ...


def archived_records(directory: Path) -> Iterator[AuditRecord]:
    """The copy's records in an archive's directory, as they were written; blocking.

    A last line without its end is being written. Raises AuditUnreadable.
    """
    path = directory / NAME
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n"):
                yield _record(number, line)


class AuditFile:
    """The copy, open for appending by the one process that keeps the archive; blocking."""

    def __init__(self, directory: Path) -> None:
        """Open or make it; a last line that was not finished is cut off. Raises AuditUnreadable."""
        self._path = directory / NAME
        self._hashes: set[str] = set()
        self.end = ChainEnd()
        is_new = not self._path.exists()
        for record in archived_records(directory):
            self._take(record)
        self._file = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        self._size = _whole(self._path)
        os.ftruncate(self._file, self._size)
        if is_new:
            sync_directory(directory)

    def __contains__(self, record_hash: str) -> bool:
        return record_hash in self._hashes

    def append(self, records: Sequence[AuditRecord]) -> int:
        """Append those that it has not; how many. Durable on return, or OSError and as before."""
        fresh = [record for record in records if record.hash not in self._hashes]
        data = b"".join(msgspec.json.encode(record) + b"\n" for record in fresh)
        try:
            append(self._file, data, self._path)
        except OSError:
            os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)
        for record in fresh:
            self._take(record)
        return len(fresh)

    def close(self) -> None:
        """Close it."""
        os.close(self._file)

    def _take(self, record: AuditRecord) -> None:
        self._hashes.add(record.hash)
        self.end = ChainEnd(record.number, record.hash)


class AuditCopier:
    """Follows a log; what it could not copy it copies later, as long as Redis has it."""

    def __init__(self, log: Log, file: AuditFile) -> None:
        self._log = log
        self._file = file
        self._version: int | None = None

    async def keep(self) -> None:
        """Copy for ever."""
        while True:
            with suppress(StoreUnavailable):
                await self.copy()
            await asyncio.sleep(INTERVAL_S)

    async def copy(self) -> None:
        """Copy what is new. Raises StoreUnavailable or OSError."""
        version = self._log.current.version
        if version == self._version:
            return
        end = await self._log.audit_end()
        while self._file.end.number < end.number:
            records = await self._log.audit(self._file.end.number, _AT_ONCE)
            if not records or records[0].previous != self._file.end.hash:
                break
            await asyncio.to_thread(self._file.append, records)
        if end.number and end.hash not in self._file:
            await self._copy_all()
        self._version = version

    async def _copy_all(self) -> None:
        """Redis's log does not follow from the copy: take of it whatever is not there."""
        after = taken = 0
        while records := await self._log.audit(after, _AT_ONCE):
            taken += await asyncio.to_thread(self._file.append, records)
            after = records[-1].number
        if taken:
            structlog.get_logger().error("audit_log_rolled_back", records=taken, last=after)


@asynccontextmanager
async def copying_audit(log: Log, directory: Path) -> AsyncIterator[None]:
    """Keep the copy in an archive's directory for as long as the scope is open.

    Raises AuditUnreadable or OSError where it cannot be used.
    """
    file = await asyncio.to_thread(AuditFile, directory)
    copier = AuditCopier(log, file)
    try:
        async with background("audit log", copier.keep):
            yield
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(_LAST_ROUND_S):
                await copier.copy()
    finally:
        file.close()


def _record(number: int, line: bytes) -> AuditRecord:
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise AuditUnreadable(f"{NAME}:{number}: no audit record: {error}") from error


def _whole(path: Path) -> int:
    """How many bytes end with a line's end."""
    with path.open("rb") as file:
        return sum(len(line) for line in file if line.endswith(b"\n"))
