from __future__ import annotations

import asyncio
from pathlib import Path
from threading import Event
from typing import Any

from structlog.testing import capture_logs

from app.adapters.usage_export.file_thread import (
    FileThread,
    exporting_files,
)
from app.adapters.usage_export.files import FileExporter, FileOptions
from tests.fakes.exported import HOUR_S, Ledger, exported, ledger


def thread_of(source: Ledger, directory: Path) -> FileThread:
    ended = Event()
    exporter = FileExporter(source.archive.directory, FileOptions(directory), ended)
    return FileThread(
        exporter, lambda: source.archive.last_line, source.clock.unix, ended, look_s=0.01
    )


async def test_that_it_goes_on_once_a_volume_is_back(tmp_path: Path) -> None:
    """What is wrong is told once, and when it is over."""
    source = ledger(tmp_path / "archive")
    with source.archive, capture_logs() as logs:
        source.add()
        source.clock.advance(25 * HOUR_S)
        work = thread_of(source, tmp_path / "exports")
        async with exporting_files(work), asyncio.timeout(60):
            while work.failures_total < 3:
                await asyncio.sleep(0.01)
            assert not work.is_well
            (tmp_path / "exports").mkdir()
            while not exported(tmp_path / "exports"):
                await asyncio.sleep(0.01)
            while not any(log["event"] == "usage_exported_again" for log in logs):
                await asyncio.sleep(0.01)
            assert work.is_well
    told = [log["event"] for log in logs]
    assert told.count("usage_not_exported") == 1
    assert "No such file" in next(log for log in logs if log["log_level"] == "error")["error"]


async def test_that_a_volume_that_hangs_holds_up_nobody(tmp_path: Path) -> None:
    """Whoever leaves does not wait for it."""
    hangs, reached = Event(), Event()

    class Hanging:
        def step(self, last_line: int, now: float) -> bool:
            reached.set()
            hangs.wait(60)
            return False

    exporter: Any = Hanging()
    work = FileThread(exporter, lambda: 1, lambda: 1.0, Event(), look_s=0.01)
    try:
        async with asyncio.timeout(30), exporting_files(work):
            await asyncio.to_thread(reached.wait, 30)
    finally:
        hangs.set()
