from __future__ import annotations

from pathlib import Path

from app.adapters.archive.archive import Archive
from app.adapters.archive.recent import MOST, RecentRows
from tests.fakes.clock import FakeClock
from tests.fakes.ledger_rows import entries


def ids(recent: RecentRows) -> list[str]:
    """Of the rows that are told."""
    return [row.id for row in recent.look()]


def test_the_last_rows_are_told_as_they_come(tmp_path: Path) -> None:
    """Each once, the oldest first, also of what is appended after the first look."""
    recent = RecentRows(tmp_path)
    with Archive.open(tmp_path, FakeClock()) as archive:
        assert ids(recent) == []
        archive.append("search", entries(1, 2))
        assert ids(recent) == ["1", "2"]
        archive.append("search", entries(3))
        assert ids(recent) == ["1", "2", "3"]
    assert ids(recent) == ["1", "2", "3"]


def test_a_place_without_an_archive_has_no_rows(tmp_path: Path) -> None:
    """And has them as soon as there is one."""
    directory = tmp_path / "ledger"
    recent = RecentRows(directory)
    assert ids(recent) == []
    with Archive.open(directory, FakeClock()) as archive:
        archive.append("search", entries(1))
        assert ids(recent) == ["1"]


def test_of_a_long_archive_only_the_end_is_read(tmp_path: Path) -> None:
    """Whole rows, the last of them the newest, and a bounded number."""
    with Archive.open(tmp_path, FakeClock()) as archive:
        for first in range(0, 12_000, 1000):
            archive.append("search", entries(*range(first + 1, first + 1001)))
        found = ids(RecentRows(tmp_path))
    assert found == [str(number) for number in range(12_001 - len(found), 12_001)]
    assert len(found) == MOST
