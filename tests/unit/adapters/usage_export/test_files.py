from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from arro3.io import read_parquet

from app.adapters.archive.export import Format
from app.adapters.pace import Ended
from app.adapters.usage_export.files import FileExporter, FileOptions
from app.adapters.usage_export.table import COLUMNS
from app.domain.ledger.export_plan import Every
from app.domain.ledger.ledger_row import LedgerRow, encode
from tests.fakes.exported import (
    HOUR_S,
    START,
    Ledger,
    charged,
    exported,
    exported_sums,
    ledger,
    manifests,
)
from tests.fakes.ledger_rows import ledger_row


def export_all(source: Ledger, exporter: FileExporter) -> None:
    while exporter.step(source.archive.last_line, source.clock.unix()):
        pass


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / "exports").mkdir()
    return tmp_path / "archive", tmp_path / "exports"


@pytest.mark.parametrize("every", Every)
def test_that_files_come_to_what_the_ledger_says(places: tuple[Path, Path], every: Every) -> None:
    """To the token and the nano-dollar: late rows, repeated charges and refunds included."""
    archive, directory = places
    source = ledger(archive)
    with source.archive:
        exporter = FileExporter(archive, FileOptions(directory, every=every, grace_s=60))
        for _ in range(3):
            source.add_days(1)
            source.clock.advance(60)
            export_all(source, exporter)
    over = START + 3 * 24 * HOUR_S
    assert exporter.through == over
    assert exported_sums(directory) == charged(archive, over)
    told = manifests(directory)
    assert len(told) > (72 if every is Every.HOUR else 3), "a file for each, and late ones"
    sums = tuple(sum(each[name] for each in told) for name in ("requests", "tokens", "nano_usd"))
    assert sums == charged(archive, over)
    lines = [row["line"] for row in exported(directory)]
    assert len(lines) == len(set(lines)) == sum(each["rows"] for each in told)


def test_that_a_late_row_gets_a_file_of_its_period(places: tuple[Path, Path]) -> None:
    """The file that was there is not touched; what repeats a charge of it is charged no more."""
    archive, directory = places
    source = ledger(archive)
    with source.archive:
        exporter = FileExporter(archive, FileOptions(directory, grace_s=60))
        source.add("a")
        source.clock.advance(25 * HOUR_S)
        export_all(source, exporter)
        (first,) = directory.glob("*/*.csv")
        before = first.read_bytes()
        source.add("a", age_s=2 * HOUR_S)
        source.add("b", age_s=2 * HOUR_S)
        source.clock.advance(25 * HOUR_S)
        export_all(source, exporter)
    assert first.read_bytes() == before
    assert sorted(path.name for path in directory.glob("2026-11-18/*.csv")) == [
        "ledger-2026-11-18-late-5.csv",
        "ledger-2026-11-18.csv",
    ]
    late = [row for row in exported(directory) if row["line"] != "2"]
    assert [(row["id"], row["charged_requests"]) for row in late] == [("a", "0"), ("b", "1")]
    (manifest,) = [each for each in manifests(directory) if each["late"]]
    assert (manifest["rows"], manifest["requests"]) == (2, 1)


def test_that_a_manifest_describes_its_file(places: tuple[Path, Path]) -> None:
    """Its digest, its size, its rows and what they are about; also where there are none."""
    archive, directory = places
    source = ledger(archive)
    with source.archive:
        source.add()
        source.clock.advance(49 * HOUR_S)
        export_all(source, FileExporter(archive, FileOptions(directory)))
    full, empty = manifests(directory)
    data = (directory / "2026-11-18" / full["file"]).read_bytes()
    assert (full["sha256"], full["bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
    assert (full["from"], full["until"]) == (START, START + 24 * HOUR_S)
    assert (full["rows"], full["columns"], full["archive_lines"]) == (1, 1, [0, 2])
    assert (empty["rows"], empty["nano_usd"]) == (0, 0)


def test_that_parquet_has_the_same_rows(places: tuple[Path, Path]) -> None:
    """Numbers are numbers there."""
    archive, directory = places
    source = ledger(archive)
    with source.archive:
        source.add_days(1)
        source.clock.advance(400)
        export_all(source, FileExporter(archive, FileOptions(directory, Format.PARQUET)))
    tables = [read_parquet(str(path)).read_all() for path in directory.glob("*/*.parquet")]
    assert {tuple(table.column_names[: len(COLUMNS)]) for table in tables} == {COLUMNS}
    nano_usd = [amount for each in tables for amount in each.column("charged_nano_usd").to_pylist()]
    assert sum(nano_usd) == charged(archive, START + 24 * HOUR_S)[2]


def test_that_columns_keep_their_names_and_order() -> None:
    """A change breaks whoever loads the files: name a new field last, and change no meaning."""
    assert COLUMNS[0] == "line"
    added = {"line", "month", "charged_requests", "charged_tokens", "charged_nano_usd"}
    assert set(COLUMNS) - added == set(LedgerRow.__struct_fields__)


def test_that_a_change_of_schedule_leaves_no_gap(places: tuple[Path, Path]) -> None:
    """From hours to days at noon: the day's file has what the hours' files have not."""
    archive, directory = places
    source = ledger(archive)
    with source.archive:
        for hour in range(48):
            source.add()
            source.clock.advance(HOUR_S)
            if hour == 12:
                export_all(source, FileExporter(archive, FileOptions(directory, every=Every.HOUR)))
        source.clock.advance(400)
        export_all(source, FileExporter(archive, FileOptions(directory)))
    assert exported_sums(directory) == charged(archive, START + 48 * HOUR_S)
    day = next(each for each in manifests(directory) if each["file"] == "ledger-2026-11-18.csv")
    assert datetime.fromtimestamp(day["from"], UTC).hour == 12


def test_that_a_volume_that_is_not_there_is_an_error(places: tuple[Path, Path]) -> None:
    """It is not made: what is written where a mount is missing is lost. Later all is written."""
    archive, directory = places
    directory.rmdir()
    source = ledger(archive)
    with source.archive:
        source.add()
        source.clock.advance(25 * HOUR_S)
        exporter = FileExporter(archive, FileOptions(directory))
        for _ in range(2):
            with pytest.raises(FileNotFoundError):
                exporter.step(source.archive.last_line, source.clock.unix())
        directory.mkdir()
        export_all(source, exporter)
    assert len(exported(directory)) == 1


def test_that_an_export_under_way_ends_with_its_process(places: tuple[Path, Path]) -> None:
    """At its next rest; nothing half written is left."""
    archive, directory = places
    source = ledger(archive)
    with source.archive:
        rows = [encode(ledger_row(str(number), at=START)) for number in range(5000)]
        source.archive.append("search", [(f"{n}-0", row) for n, row in enumerate(rows, start=1)])
        source.clock.advance(25 * HOUR_S)
        ended = Event()
        ended.set()
        exporter = FileExporter(archive, FileOptions(directory), ended)
        with pytest.raises(Ended):
            export_all(source, exporter)
    assert not list(directory.glob("**/*.*"))
