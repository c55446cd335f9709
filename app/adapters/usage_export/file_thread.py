"""The thread that writes exported files, beside an event loop that it must not hold up.

A mounted bucket that hangs hangs this thread alone, and no process that ends waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Final

import structlog

from app.adapters.pace import Ended
from app.adapters.usage_export.files import FileExporter

LOOK_S: Final = 10.0
#: How long leaving waits for the thread.
_JOIN_S: Final = 1.0


@dataclass(slots=True)
class FileThread:
    """Exports whenever there is something to export: a sink."""

    exporter: FileExporter
    last_line: Callable[[], int]
    moment: Callable[[], float]
    ended: Event
    look_s: float = LOOK_S
    failures_total: int = 0
    rejected_total: int = 0  # a volume takes a file as it is
    _trouble: str | None = field(default=None)

    @property
    def timestamp(self) -> float | None:
        """Up to when rows are in files, Unix seconds; None before it is known."""
        return self.exporter.through

    @property
    def is_well(self) -> bool:
        """Whether what was due last could be written."""
        return self._trouble is None

    def run(self) -> None:
        """Until `ended` is set."""
        while not self.ended.wait(self.look_s):
            self.export_due()

    def export_due(self) -> None:
        """All that is due now, unless something is wrong: that is told once, and tried again."""
        try:
            while self.exporter.step(self.last_line(), self.moment()):
                self._note(None)
        except Ended:
            return
        except Exception as error:  # noqa: BLE001  # a volume, a package; a thread must go on
            self._note(error)

    def _note(self, error: Exception | None) -> None:
        trouble = f"{type(error).__name__}: {error}" if error else None
        self.failures_total += error is not None
        if trouble != self._trouble and trouble:
            structlog.get_logger().error("usage_not_exported", error=trouble)
        elif trouble != self._trouble:
            structlog.get_logger().info("usage_exported_again")
        self._trouble = trouble


@asynccontextmanager
async def exporting_files(work: FileThread) -> AsyncIterator[FileThread]:
    """Exported for as long as the scope is open."""
    thread = Thread(target=work.run, name="usage export", daemon=True)
    thread.start()
    try:
        yield work
    finally:
        work.ended.set()
        await asyncio.to_thread(thread.join, _JOIN_S)
