"""Opening an archive while requests are served."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from app.adapters.archive.archive import Archive, ArchivePolicy
from app.adapters.archive.errors import ArchiveBusy
from app.adapters.clock import SystemClock
from app.bootstrap.archiving import opened_archive

POLICY = ArchivePolicy()
PATIENCE_S = 20.0


@dataclass
class SlowDisk(SystemClock):
    """Opening an archive asks for the time once it has the lock: here it waits for that long."""

    asked: Event = field(default_factory=Event)
    goes_on: Event = field(default_factory=Event)

    def unix(self) -> float:
        self.asked.set()
        assert self.goes_on.wait(PATIENCE_S)
        return super().unix()


async def test_giving_up_while_it_is_opened_leaves_no_lock(tmp_path: Path) -> None:
    """Or nobody could keep the archive for as long as this process lives."""
    clock = SlowDisk()
    opening = asyncio.create_task(opened_archive(tmp_path, clock, POLICY))
    await asyncio.to_thread(clock.asked.wait, PATIENCE_S)
    opening.cancel()
    with pytest.raises(ArchiveBusy):
        Archive.open(tmp_path, SystemClock())
    clock.goes_on.set()
    with pytest.raises(asyncio.CancelledError):
        await opening
    Archive.open(tmp_path, SystemClock()).close()


async def test_one_that_is_busy_is_told_as_such(tmp_path: Path) -> None:
    """Whoever waits for it goes by that."""
    with Archive.open(tmp_path, SystemClock()), pytest.raises(ArchiveBusy):
        await opened_archive(tmp_path, SystemClock(), POLICY)
