from __future__ import annotations

import io
from pathlib import Path

import pytest

from app.adapters.archive.archive import Archive, ArchivePolicy
from app.adapters.archive.reader import ArchiveReader
from app.adapters.archive.segment import segments
from app.adapters.archive.usage_reader import ArchiveUsage
from app.domain.ledger.ledger_row import encode
from app.domain.ledger.usage_query import UsageQuery
from app.errors import SpillgateError
from tests.fakes.clock import FakeClock
from tests.fakes.ledger_rows import ledger_row

DAY_S = 86_400.0
EVERYTHING = UsageQuery()


@pytest.fixture
def usage(tmp_path: Path) -> ArchiveUsage:
    """Three days of two tenants, a file for each day, four rows in each."""
    clock = FakeClock()
    with Archive.open(tmp_path, clock, ArchivePolicy(compress=False)) as archive:
        for day in range(3):
            for number in range(day * 4, day * 4 + 4):
                tenant = "search" if number % 2 else "other"
                row = ledger_row(str(number), at=clock.unix(), tenant=tenant)
                archive.append(tenant, [(f"{number + 1}-0", encode(row))])
            clock.advance(DAY_S)
    return ArchiveUsage(ArchiveReader(tmp_path))


def ids(usage: ArchiveUsage, query: UsageQuery = EVERYTHING, after: int = 0) -> list[str]:
    return [row.id for _, row in usage.rows(query, after)]


def test_that_rows_come_in_order_and_by_tenant(usage: ArchiveUsage) -> None:
    """Numbers grow, over the files."""
    numbers = [number for number, _ in usage.rows(EVERYTHING)]
    assert len(segments(usage.reader.directory)) == 3
    assert numbers == sorted(set(numbers))
    assert ids(usage) == [str(number) for number in range(12)]
    search = UsageQuery(where={"tenant": frozenset({"search"})})
    assert ids(usage, search) == ["1", "3", "5", "7", "9", "11"]


def test_that_reading_goes_on_behind_any_row(usage: ArchiveUsage) -> None:
    """Wherever a part ended, the rest follows: nothing twice, nothing left out."""
    whole = list(usage.rows(EVERYTHING))
    for index, (number, _) in enumerate(whole):
        assert list(usage.rows(EVERYTHING, number)) == whole[index + 1 :]


def test_that_files_before_a_row_are_not_read_again(usage: ArchiveUsage) -> None:
    """Damage in the first file is not met by who goes on in the second."""
    whole = list(usage.rows(EVERYTHING))
    first = segments(usage.reader.directory)[0].path
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join([lines[0], b"broken\n", *lines[2:]]))
    assert list(usage.rows(EVERYTHING, whole[6][0])) == whole[7:]
    with pytest.raises(SpillgateError, match=r"cannot be trusted: ledger-\S+:2: ") as refusal:
        ids(usage)
    assert str(usage.reader.directory) not in refusal.value.message


def test_that_an_archive_that_is_not_there_is_said(tmp_path: Path) -> None:
    """Not an empty answer."""
    with pytest.raises(SpillgateError, match="is not there"):
        ids(ArchiveUsage(ArchiveReader(tmp_path / "nowhere")))


def test_that_rows_are_written_in_each_format(usage: ArchiveUsage) -> None:
    """The formats are the archive's own."""
    rows = [row for _, row in usage.rows(EVERYTHING)]
    starts = {"json": b"[", "csv": b"id,", "parquet": b"PAR1"}
    for form, start in starts.items():
        target = io.BytesIO()
        usage.write_rows(rows, form, target)
        assert target.getvalue().startswith(start)
