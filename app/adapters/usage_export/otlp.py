"""Sends each row of the ledger to an OTLP receiver, in the archive's order, at least once.

Rows are read from the archive's files, a batch at a time, so that a receiver that is away costs
neither memory nor rows. How far it has come is kept beside the archive, after each batch that was
taken: what is sent again after a crash is that one batch. Where it cannot be kept, on a full volume
say, the process goes on by what it knows, and what is sent again is all that was not noted. It
begins with what comes after it was switched on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from errno import errorcode
from pathlib import Path
from typing import Final

import httpx2
import msgspec
import structlog

from app.adapters.archive.following import Place, end_of, following, sound
from app.adapters.durable import write_json
from app.adapters.usage_export.log_records import NumberedRow, rejected, request_body
from app.ports import Clock

#: In the archive's directory.
STATE: Final = "usage-export-otlp.json"

#: Rows of one request: 100 kB before they are compressed, encoded in 10 ms.
MOST_ROWS: Final = 250
LOOK_S: Final = 2.0
LONGEST_PAUSE_S: Final = 60.0
#: Between two batches, where much is to be sent: requests come first.
_BREATH_S: Final = 0.03
#: Lines without rows, of a reset for instance, are few: so many are read at once at most.
_MOST_LINES: Final = 10 * MOST_ROWS
_TOO_LARGE: Final = 413
_RETRY_AFTER: Final = "retry-after"


@dataclass(frozen=True, slots=True)
class OtlpOptions:
    """Where to; `resource` says who sends. Times are seconds."""

    url: str
    resource: Mapping[str, str] = field(default_factory=dict)
    timeout_s: float = 10.0
    look_s: float = LOOK_S
    first_pause_s: float = 1.0


class Cursor(msgspec.Struct, frozen=True):
    """Behind which line everything was taken, and when the last of it was made (Unix seconds)."""

    place: Place
    at: float


class _Batch(msgspec.Struct, frozen=True):
    rows: int
    body: bytes
    cursor: Cursor


class OtlpExporter:
    """A sink, of the process that keeps the archive; something must run `keep_exporting`.

    Attributes:
        timestamp: up to when rows were taken, Unix seconds; None before it is known.
        failures_total: requests that were not taken.
        rejected_total: rows that a receiver refused though it took the request; these are lost.
    """

    def __init__(
        self, archive: Path, client: httpx2.AsyncClient, clock: Clock, options: OtlpOptions
    ) -> None:
        """`client` sends what the receiver asks for, such as a token."""
        self._archive = archive
        self._client = client
        self._clock = clock
        self._options = options
        self._cursor: Cursor | None = None
        self._noted: Cursor | None = None
        self._cannot_note = False
        self._most = MOST_ROWS
        self._trouble: str | None = None
        self._retry_after = 0.0
        self.timestamp: float | None = None
        self.failures_total = 0
        self.rejected_total = 0

    @property
    def is_well(self) -> bool:
        """Whether the receiver took what it was sent last."""
        return self._trouble is None

    async def keep_exporting(self) -> None:
        """Export for ever."""
        pause = self._options.first_pause_s
        while True:
            taken = await self.export_once()
            if taken is None:
                await asyncio.sleep(max(pause, self._retry_after))
                pause = min(pause * 2, LONGEST_PAUSE_S)
                continue
            pause = self._options.first_pause_s
            await asyncio.sleep(_BREATH_S if taken else self._options.look_s)

    async def export_once(self) -> int | None:
        """Send a batch; how many rows were taken, None where the receiver did not.

        Raises OSError where the archive's directory cannot be read.
        """
        if self._cursor is None:
            self._cursor = await asyncio.to_thread(self._begun)
        cursor = self._cursor
        await self._note(cursor)
        looked = self._clock.unix()
        batch = await asyncio.to_thread(self._read, cursor)
        if batch.rows:
            self.timestamp = max(self.timestamp or 0.0, cursor.at)
            if not await self._is_taken(batch):
                return None
        self._cursor = batch.cursor
        await self._note(batch.cursor)
        self.timestamp = batch.cursor.at if batch.rows else looked
        return batch.rows

    def _begun(self) -> Cursor:
        """Where it was left, or else the archive's end."""
        try:
            found = (self._archive / STATE).read_bytes()
        except FileNotFoundError:
            return Cursor(end_of(self._archive), self._clock.unix())
        cursor = msgspec.json.decode(found, type=Cursor)
        return Cursor(sound(self._archive, cursor.place), cursor.at)

    async def _note(self, cursor: Cursor) -> None:
        """Save it where it is not, to the end: nothing writes to the directory after this.

        Where that fails it is in memory alone, and saved by the next look that can.
        """
        if cursor == self._noted:
            return
        saving = asyncio.ensure_future(asyncio.to_thread(self._saved, cursor))
        try:
            trouble = await asyncio.shield(saving)
        except asyncio.CancelledError:
            await saving
            raise
        if trouble is None:
            self._noted = cursor
        self._tell_of_notes(trouble)

    def _saved(self, cursor: Cursor) -> str | None:
        """What was wrong; never words of the exception, which name paths."""
        try:
            write_json(self._archive / STATE, cursor)
        except OSError as error:
            return errorcode.get(error.errno or 0, type(error).__name__)
        return None

    def _tell_of_notes(self, trouble: str | None) -> None:
        if trouble is not None and not self._cannot_note:
            structlog.get_logger().error("usage_export_not_noted", error=trouble)
        elif trouble is None and self._cannot_note:
            structlog.get_logger().info("usage_export_noted")
        self._cannot_note = trouble is not None

    def _read(self, cursor: Cursor) -> _Batch:
        """The rows that follow, as one request."""
        rows: list[NumberedRow] = []
        for read, (place, row) in enumerate(following(self._archive, cursor.place), start=1):
            at = cursor.at if row is None else row.at
            cursor = Cursor(place, at)
            if row is not None:
                rows.append((place.line, row))
            if len(rows) >= self._most or read >= _MOST_LINES:
                break
        body = request_body(rows, self._options.resource, self._clock.unix()) if rows else b""
        return _Batch(len(rows), body, cursor)

    async def _is_taken(self, batch: _Batch) -> bool:
        trouble = await self._post(batch)
        if trouble != self._trouble and trouble:
            log = structlog.get_logger()
            log.error("usage_not_sent", error=trouble, line=batch.cursor.place.line)
        elif trouble != self._trouble:
            structlog.get_logger().info("usage_sent_again")
        self._trouble = trouble
        self.failures_total += trouble is not None
        return trouble is None

    async def _post(self, batch: _Batch) -> str | None:
        """What was wrong; never words of the exception, which could name the URL."""
        self._retry_after = 0.0
        headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
        try:
            async with asyncio.timeout(self._options.timeout_s):
                answer = await self._client.post(
                    self._options.url, content=batch.body, headers=headers
                )
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return type(error).__name__
        if answer.is_success:
            self._note_rejected(rejected(answer.content))
            self._most = min(MOST_ROWS, self._most * 2)
            return None
        if answer.status_code == _TOO_LARGE:
            self._most = max(1, batch.rows // 2)
        self._retry_after = _seconds(answer.headers.get(_RETRY_AFTER))
        return f"status {answer.status_code}"

    def _note_rejected(self, rows: int) -> None:
        if rows:
            self.rejected_total += rows
            structlog.get_logger().error("usage_rejected", rows=rows)


def _seconds(retry_after: str | None) -> float:
    """What a receiver asks for, five minutes at most; a date is passed over."""
    return float(min(int(retry_after), 300)) if retry_after and retry_after.isdecimal() else 0.0
