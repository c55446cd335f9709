"""Writes the ledger's rows to a file for each hour or day, each row to one file.

A file that is there is never changed. Rows that come after theirs was written, of a worker that was
cut off from Redis for instance, get a further file of the same period. Beside each file a manifest
is written last: a file without one is not complete. Blocking: a thread of its own runs it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Any, Final

import msgspec
import structlog

from app.adapters.archive.export import Format, export
from app.adapters.archive.reader import ArchiveReader
from app.adapters.durable import write_json, written
from app.adapters.pace import gently
from app.adapters.usage_export.table import VERSION, Exported, Sums, ledger_table
from app.domain.ledger.export_plan import Done, Every, Period, Step, next_step, period_at
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.ledger.repeated_charges import RepeatedCharges

#: In the archive's directory: what is exported, and the step that is under way.
STATE: Final = "usage-export-files.json"


class FileOptions(msgspec.Struct, frozen=True):
    """Where to, in which format, how much time a file is about, and how long after its end."""

    directory: Path
    form: Format = Format.CSV
    every: Every = Every.DAY
    grace_s: float = 300.0


class _State(msgspec.Struct, frozen=True):
    done: Done
    step: Step | None = None


class FileExporter:
    """Exports one archive; one at a time, which the archive's lock sees to."""

    def __init__(self, archive: Path, options: FileOptions, ended: Event | None = None) -> None:
        """Once `ended` is set, what is under way raises Ended."""
        self._reader = ArchiveReader(archive, skip_damaged=True)
        self._path = archive / STATE
        self._options = options
        self._ended = ended or Event()
        self._state: _State | None = None

    @property
    def through(self) -> float | None:
        """Up to when rows are exported, Unix seconds; None before it is known."""
        return self._state.done.through if self._state else None

    def step(self, last_line: int, now: float) -> bool:
        """Write the files of the next period, if it is over; whether there may be more.

        `last_line` is the archive's. Raises OSError, ParquetUnavailable or Ended; then the same
        files are written the next time.
        """
        state = self._state = self._state or self._begun(now)
        step = state.step or self._next(state.done, last_line, now)
        if step is None:
            return False
        if state.step is None:
            self._save(_State(state.done, step))
        for period in self._late(step):
            self._write(step, period, late=True)
        self._write(step, period_at(step.before.through, self._options.every), late=False)
        self._save(_State(step.after))
        return True

    def _begun(self, now: float) -> _State:
        """What is saved, or else all from the archive's first row on."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_State)
        except FileNotFoundError:
            first = next(self._reader.rows(), None)
            start = period_at(first.at if first else now, self._options.every).starts
            return _State(Done(0, start))

    def _next(self, done: Done, last_line: int, now: float) -> Step | None:
        return next_step(done, last_line, now, self._options.every, self._options.grace_s)

    def _save(self, state: _State) -> None:
        write_json(self._path, state)
        self._state = state

    def _late(self, step: Step) -> list[Period]:
        """Periods whose files are there, and that rows have come of since."""
        lines = self._reader.numbered(until=step.before.through, after=step.before.line)
        found: dict[str, Period] = {}
        for line, row in gently(lines, self._ended):
            if line > step.after.line:
                break
            period = period_at(row.at, self._options.every)
            found[period.name] = period
        return [found[name] for name in sorted(found)]

    def _write(self, step: Step, period: Period, *, late: bool) -> None:
        """One file and its manifest, unless they are there."""
        suffix = f"-late-{step.after.line}" if late else ""
        directory = self._options.directory / period.day
        path = directory / f"ledger-{period.name}{suffix}.{self._options.form.value}"
        about = {
            "from": period.starts if late else max(period.starts, step.before.through),
            "until": period.ends,
            "late": late,
            "archive_lines": [step.before.line, step.after.line],
        }
        if _is_there(path, about):
            return
        directory.mkdir(exist_ok=True)  # not its parent: a volume that is not mounted is an error
        sums = Sums()
        rows = (each for each in self._marked(step, period) if _is_due(each, step, late=late))
        with written(path) as file:
            export(ledger_table(rows, sums), self._options.form, file)
        write_json(_manifest(path), _described(path) | about | asdict(sums))
        structlog.get_logger().info("usage_exported", file=path.name, rows=sums.rows)

    def _marked(self, step: Step, period: Period) -> Iterator[Exported]:
        """All rows of the period, read twice."""
        repeated = RepeatedCharges()
        for _, row in self._rows(step, period):
            repeated.see(row)
        for line, row in self._rows(step, period):
            yield Exported(line, row, repeated.repeats(row))

    def _rows(self, step: Step, period: Period) -> Iterator[tuple[int, LedgerRow]]:
        """The period's, as the archive had them when the step was decided."""
        lines = self._reader.numbered(since=period.starts, until=period.ends)
        for line, row in gently(lines, self._ended):
            if line > step.after.line:
                return
            yield line, row


def _is_due(each: Exported, step: Step, *, late: bool) -> bool:
    return step.is_new(each.line, each.row.at) and step.is_late(each.row.at) == late


def _manifest(path: Path) -> Path:
    return path.with_name(f"{path.name}.manifest.json")


def _is_there(path: Path, about: dict[str, Any]) -> bool:
    """Whether the file was completed by a process that ended before it noted so."""
    try:
        found = msgspec.json.decode(_manifest(path).read_bytes(), type=dict[str, Any])
    except (FileNotFoundError, msgspec.MsgspecError):
        return False
    return path.exists() and all(found.get(name) == value for name, value in about.items())


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    size = path.stat().st_size
    return {"file": path.name, "columns": VERSION, "bytes": size, "sha256": sha256}
