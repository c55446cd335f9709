from __future__ import annotations

import tracemalloc
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

from hypothesis import given, settings
from hypothesis import strategies as st

from app.adapters.anomalies.hourly_sums import MOST, NAME, HourlySums
from app.adapters.archive.archive import Archive, ArchivePolicy
from app.adapters.archive.segment import segments
from app.domain.ledger.ledger_row import RowKind, encode
from app.domain.quota.reservation import Amounts
from tests.fakes.clock import FakeClock
from tests.fakes.exported import HOUR_S, START, Ledger, ledger
from tests.fakes.ledger_rows import ledger_row

FIRST = int(START // HOUR_S)
NEVER = Event()


def taken(source: Path, oldest: int = FIRST) -> HourlySums:
    sums = HourlySums.open(source, oldest)
    sums.take(NEVER, oldest)
    return sums


def test_that_hours_are_summed_by_tenant(tmp_path: Path) -> None:
    """Charges alone; hours without any are there, from the tenant's first one on."""
    with ledger(tmp_path).archive as archive:
        source = Ledger(archive, FakeClock(unix=START))
        source.add(input=5, output=3, nano_usd=7)
        source.add(input=5, output=3, nano_usd=7)
        source.add(kind=RowKind.REFUSED)
        source.clock.advance(2 * HOUR_S)
        source.add(input=1, output=1, nano_usd=1)
        source.add(tenant="other")
    sums = taken(tmp_path)
    assert sums.of("search", FIRST - 5, FIRST + 3) == [
        Amounts(2, 16, 14),
        Amounts(),
        Amounts(1, 2, 1),
    ]
    assert len(sums.of("other", FIRST - 5, FIRST + 4)) == 2
    assert sums.of("nobody", FIRST, FIRST + 4) == []
    assert sums.at("search", FIRST) == Amounts(2, 16, 14)
    assert sorted(sums.tenants()) == ["other", "search"]
    sums.close()


def test_that_an_absurd_row_is_no_end_of_it(tmp_path: Path) -> None:
    """Older archives have counts of defective upstreams; SQLite's numbers have 64 bits."""
    with ledger(tmp_path).archive as archive:
        source = Ledger(archive, FakeClock(unix=START))
        source.add(input=10**30, output=-(10**30), nano_usd=10**34)
        source.add(tenant="other", input=10**30)
        source.clock.advance(HOUR_S)
        source.add(input=5, output=3, nano_usd=7)
    sums = taken(tmp_path)
    assert sums.at("search", FIRST + 1) == Amounts(1, 8, 7)
    assert sums.at("other", FIRST).tokens == MOST
    sums.close()


def test_that_many_rows_take_no_more_memory_than_some(tmp_path: Path) -> None:
    """A worker's memory does not grow with what was archived since the last look."""
    some, many = (_peak(tmp_path / str(rows), rows) for rows in (3_000, 12_000))
    assert many < 1.5 * some


def _peak(place: Path, rows: int) -> int:
    """Bytes that summing up so many rows holds at once."""
    with ledger(place).archive as archive:
        row = encode(ledger_row("1", tenant="search", at=START))
        archive.append("search", [(f"{number}-0", row) for number in range(1, rows + 1)])
    tracemalloc.start()
    try:
        taken(place).close()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@given(st.lists(st.sampled_from(["add", "hour", "take", "restart", "killed"]), max_size=30))
@settings(max_examples=40)
def test_that_each_row_counts_once(doings: list[str]) -> None:
    """Whenever it is read, and whenever reading begins again."""
    counted: Counter[int] = Counter()
    with TemporaryDirectory() as name:
        directory, source = Path(name), ledger(Path(name))
        sums, left_open = taken(directory), list[HourlySums]()
        with source.archive:
            for doing in doings:
                if doing == "add":
                    source.add()
                    counted[int(source.clock.unix() // HOUR_S)] += 1
                elif doing == "hour":
                    source.clock.advance(HOUR_S)
                elif doing == "take":
                    sums.take(NEVER, FIRST)
                else:
                    left_open.append(sums)
                    if doing == "restart":
                        sums.close()
                    sums = HourlySums.open(directory, FIRST)
            sums.take(NEVER, FIRST)
            until = int(source.clock.unix() // HOUR_S) + 1
            found = [each.requests for each in sums.of("search", FIRST, until)]
            assert sum(found) == sum(counted.values())
            assert found[::-1] == [counted[until - 1 - back] for back in range(len(found))]
        for each in (sums, *left_open):
            each.close()


def test_that_old_hours_are_forgotten_and_old_files_not_read(tmp_path: Path) -> None:
    """A year of rows costs neither memory nor a start."""
    clock = FakeClock(unix=START)
    with Archive.open(tmp_path, clock, ArchivePolicy(compress=False)) as archive:
        source = Ledger(archive, clock)
        for _ in range(3):
            source.add()
            clock.advance(24 * HOUR_S)
    oldest = FIRST + 48
    first = segments(tmp_path)[0].path
    first.write_bytes(first.read_bytes().replace(b'"search"', b'"damage"'))
    sums = taken(tmp_path, oldest)
    assert len(sums.of("search", FIRST, oldest + 1)) == 1
    sums.take(NEVER, oldest + 1)
    sums.close()


def test_that_a_damaged_file_is_made_again(tmp_path: Path) -> None:
    """It holds nothing that the archive has not."""
    source = ledger(tmp_path)
    with source.archive:
        source.add()
        taken(tmp_path).close()
        (tmp_path / NAME).write_bytes(b"no database at all, but long enough to be one" * 100)
        sums = taken(tmp_path)
        assert sums.at("search", FIRST).requests == 1
        sums.close()


def test_that_sums_follow_an_archive_that_was_restored(tmp_path: Path) -> None:
    """It has less than was counted: all is counted again, and nothing twice."""
    source = ledger(tmp_path)
    with source.archive:
        source.add()
        path = segments(tmp_path)[-1].path
        backup = path.read_bytes()
        source.add()
        taken(tmp_path).close()
        path.write_bytes(backup)
        sums = taken(tmp_path)
        assert sums.at("search", FIRST).requests == 1
        sums.close()
