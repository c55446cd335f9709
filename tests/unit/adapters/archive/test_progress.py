"""The archive's own time: that of the rows it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.adapters.archive.progress import MOST_WAIT_S, ArchiveProgress
from tests.fakes.clock import FakeClock


def test_that_a_period_waits_for_what_is_still_in_redis() -> None:
    """For an hour at most."""

    @dataclass
    class Copier:
        behind_s: float

    clock = FakeClock()
    archive: Any = None
    behind: Any = Copier(100.0)
    lost: Any = Copier(10 * MOST_WAIT_S)
    assert ArchiveProgress(archive, behind, clock).moment() == clock.unix() - 100
    assert ArchiveProgress(archive, lost, clock).moment() == clock.unix() - MOST_WAIT_S
