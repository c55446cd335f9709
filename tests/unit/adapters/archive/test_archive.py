from __future__ import annotations

import errno
import gzip
import json
import os
import resource
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zlib import crc32

import pytest

from app.adapters.archive.archive import Archive, ArchivePolicy
from app.adapters.archive.errors import ArchiveBusy, ArchiveClosed, ArchiveDamaged
from app.adapters.archive.line import row_line
from app.adapters.archive.reader import ArchiveReader
from app.adapters.archive.segment import segments
from app.adapters.archive.stream_id import START
from app.domain.ledger.ledger_row import LedgerRow, encode
from tests.fakes.clock import FakeClock
from tests.fakes.ledger_rows import entries, ledger_row

DAY_S = 86_400.0
PLAIN = ArchivePolicy(compress=False)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def ids(source: Archive | ArchiveReader, **period: float) -> list[str]:
    return [row.id for row in source.rows("search", **period)]


def only_file(directory: Path) -> Path:
    (segment,) = segments(directory)
    return segment.path


def test_what_was_appended_is_read(tmp_path: Path, clock: FakeClock) -> None:
    """By tenant and for all, before and after it was closed."""
    with Archive.open(tmp_path, clock) as archive:
        assert archive.last_position("search") == START
        assert archive.append_all({"search": entries(1, 2), "b": entries(3, tenant="b")}) == 3
        assert ids(archive) == ["1", "2"]

    with Archive.open(tmp_path, clock) as archive:
        assert [row.id for row in archive.rows()] == ["1", "2", "3"]
        assert (archive.last_position("search"), archive.last_position("b")) == ("2-0", "3-0")
        assert archive.verify() == []


def test_repeating_a_batch_changes_nothing(tmp_path: Path, clock: FakeClock) -> None:
    """Whoever does not know whether it was archived may send it again, and more with it."""
    with Archive.open(tmp_path, clock) as archive:
        assert archive.append("search", entries(1, 2)) == 2
        assert archive.append("search", entries(1, 2, 3)) == 1
        assert archive.append("search", entries(2)) == 0
        assert ids(archive) == ["1", "2", "3"]


def test_ids_are_compared_as_numbers(tmp_path: Path, clock: FakeClock) -> None:
    """9 comes before 10, and sequences count within a millisecond."""
    with Archive.open(tmp_path, clock) as archive:
        archive.append("search", entries(9))
        row = entries(10)[0][1]
        assert archive.append("search", [("10-2", row), ("10-10", row), ("10-9", row)]) == 2
        assert archive.last_position("search") == "10-10"


def test_each_line_is_json(tmp_path: Path, clock: FakeClock) -> None:
    """The files can be read with other tools, even where rows came with line ends."""
    with Archive.open(tmp_path, clock) as archive:
        archive.append("search", [("1-0", entries(1)[0][1].replace(b",", b",\n"))])
        lines = [json.loads(line) for line in only_file(tmp_path).read_bytes().splitlines()]

    assert lines[1]["row"]["id"] == "1"
    assert lines[1]["tenant"] == "search"


def test_there_is_one_writer(tmp_path: Path, clock: FakeClock) -> None:
    """The second is told who has it; when the first is gone the next may write."""
    with Archive.open(tmp_path, clock) as archive:
        with pytest.raises(ArchiveBusy, match=f"process {os.getpid()}"):
            Archive.open(tmp_path, clock)
        assert archive.append("search", entries(1)) == 1
    Archive.open(tmp_path, clock).close()


def test_a_closed_archive_takes_nothing(tmp_path: Path, clock: FakeClock) -> None:
    """Instead of writing where it has no lock any more."""
    archive = Archive.open(tmp_path, clock)
    archive.close()
    archive.close()
    with pytest.raises(ArchiveClosed):
        archive.append("search", entries(1))


class TestFiles:
    """Rotation, compression, retention."""

    @pytest.mark.parametrize("compress", [True, False])
    def test_files_are_closed_by_size_and_day(
        self, tmp_path: Path, clock: FakeClock, *, compress: bool
    ) -> None:
        """Positions and rows go on over files; a closed one may be compressed."""
        policy = ArchivePolicy(segment_bytes=2000, compress=compress)
        with Archive.open(tmp_path, clock, policy) as archive:
            for number in range(1, 21):
                archive.append("search", entries(number))
            clock.advance(DAY_S)
            archive.append("search", entries(21))
            names = [segment.path.name for segment in segments(tmp_path)]

            assert len(names) > 3
            assert all(name.endswith(".gz") is compress for name in names[:-1])
            assert "2026-09-22" in names[-1] > names[-2]
            assert archive.verify() == []

        with Archive.open(tmp_path, clock, policy) as archive:
            assert ids(archive) == [str(number) for number in range(1, 22)]
            assert archive.append("search", entries(*range(1, 23))) == 1

    def test_old_files_are_deleted_whole(self, tmp_path: Path, clock: FakeClock) -> None:
        """Once all their rows are too old; positions outlive them."""
        policy = ArchivePolicy(retention_days=2)
        with Archive.open(tmp_path, clock, policy) as archive:
            archive.append("old", entries(1, tenant="old"))
            for number in range(2, 7):
                clock.advance(DAY_S)
                archive.append("search", entries(number))

            assert ids(archive) == ["4", "5", "6"]
            assert archive.verify() == []

        with Archive.open(tmp_path, clock, policy) as archive:
            assert archive.last_position("old") == "1-0"

    def test_a_clock_set_back_begins_no_files(self, tmp_path: Path, clock: FakeClock) -> None:
        """Days only go forward."""
        with Archive.open(tmp_path, clock) as archive:
            archive.append("search", entries(1))
            clock.advance(-3 * DAY_S)
            archive.append("search", entries(2))

            assert len(segments(tmp_path)) == 1

    def test_a_period_is_found_whichever_file_it_is_in(
        self, tmp_path: Path, clock: FakeClock
    ) -> None:
        """Files that cannot hold it are left out; rows archived late are still found."""
        start = clock.unix()
        with Archive.open(tmp_path, clock) as archive:
            for number in range(1, 6):
                row = ledger_row(str(number), at=clock.unix())
                late = ledger_row(f"late{number}", at=start + 1)
                archive.append("search", _entries(number, row, late))
                clock.advance(DAY_S)

            assert ids(archive, since=start + 2 * DAY_S) == ["3", "4", "5"]
            assert ids(archive, since=start, until=start + 2) == [
                "1",
                *(f"late{number}" for number in range(1, 6)),
            ]

    def test_a_period_reads_only_its_files(self, tmp_path: Path, clock: FakeClock) -> None:
        """Damage outside of it is not met."""
        start = clock.unix()
        with Archive.open(tmp_path, clock, PLAIN) as archive:
            for number in range(1, 4):
                archive.append("search", _entries(number, ledger_row(str(number), at=clock.unix())))
                clock.advance(DAY_S)
            first = segments(tmp_path)[0].path
            first.write_bytes(first.read_bytes().replace(b'"id":"1"', b'"id":"7"'))

            assert ids(archive, since=start + DAY_S) == ["2", "3"]
            with pytest.raises(ArchiveDamaged):
                ids(archive, until=start + 1)


def _entries(number: int, *rows: LedgerRow) -> list[tuple[str, bytes]]:
    return [(f"{number}-{index}", encode(row)) for index, row in enumerate(rows)]


class TestDamage:
    """Nothing damaged passes unnoticed, and none of it stops the archive."""

    @pytest.mark.parametrize("left", [1, 30, 200])
    def test_a_torn_line_is_cut(self, tmp_path: Path, clock: FakeClock, left: int) -> None:
        """Its row is archived again; readers do not mind it meanwhile."""
        with Archive.open(tmp_path, clock) as archive:
            archive.append("search", entries(1))
            size = only_file(tmp_path).stat().st_size
            archive.append("search", entries(2))
        os.truncate(only_file(tmp_path), size + left)
        assert ids(ArchiveReader(tmp_path)) == ["1"]
        assert [problem.line for problem in ArchiveReader(tmp_path).verify()] == []

        with Archive.open(tmp_path, clock) as archive:
            assert only_file(tmp_path).stat().st_size == size
            assert archive.last_position("search") == "1-0"
            assert archive.append("search", entries(2, 3)) == 2
            assert ids(archive) == ["1", "2", "3"]
            assert archive.verify() == []

    def test_a_damaged_line_is_told_by_file_and_line(
        self, tmp_path: Path, clock: FakeClock
    ) -> None:
        """Reading stops there unless told to skip it; appending goes on."""
        with Archive.open(tmp_path, clock) as archive:
            archive.append("search", entries(1, 2, 3))
        path = only_file(tmp_path)
        path.write_bytes(path.read_bytes().replace(b'"id":"2","kind"', b'"id":"9","kind"'))

        with pytest.raises(ArchiveDamaged, match=rf"{path.name}:3: the checksum does not match"):
            ids(ArchiveReader(tmp_path))
        assert ids(ArchiveReader(tmp_path, skip_damaged=True)) == ["1", "3"]
        assert [str(problem) for problem in ArchiveReader(tmp_path).verify()] == [
            f"{path}:3: the checksum does not match"
        ]
        with Archive.open(tmp_path, clock) as archive:
            archive.append("search", entries(4))
        assert ids(ArchiveReader(tmp_path, skip_damaged=True)) == ["1", "3", "4"]

    def test_a_missing_line_is_noticed(self, tmp_path: Path, clock: FakeClock) -> None:
        """Every line left is sound, and yet reading stops."""
        with Archive.open(tmp_path, clock) as archive:
            archive.append("search", entries(1, 2, 3))
        path = only_file(tmp_path)
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join([*lines[:2], *lines[3:]]))

        with pytest.raises(ArchiveDamaged, match="line 3 of the archive was expected, 4 was found"):
            ids(ArchiveReader(tmp_path))
        assert len(ArchiveReader(tmp_path).verify()) == 1

    @pytest.mark.parametrize("victim", [1, 2])
    def test_a_missing_file_is_noticed(self, tmp_path: Path, clock: FakeClock, victim: int) -> None:
        """Unless it was the oldest, which retention may have deleted."""
        with Archive.open(tmp_path, clock) as archive:
            for number in range(1, 5):
                archive.append("search", entries(number))
                clock.advance(DAY_S)
            segments(tmp_path)[victim].path.unlink()

            with pytest.raises(ArchiveDamaged, match=f"file {victim + 1} of the archive is gone"):
                ids(archive)
            assert any("is gone" in problem.what for problem in archive.verify())

    def test_a_changed_file_is_noticed(self, tmp_path: Path, clock: FakeClock) -> None:
        """Even where every checksum was made to match: the next file knows its hash."""
        with Archive.open(tmp_path, clock, PLAIN) as archive:
            archive.append("search", entries(1))
            clock.advance(DAY_S)
            archive.append("search", entries(2))
            path = segments(tmp_path)[0].path
            header = path.read_bytes().splitlines(keepends=True)[0]
            path.write_bytes(header + row_line(2, b'"search"', "1-0", entries(8)[0][1]))

            assert [problem.what for problem in archive.verify()] == [
                f"{path.name} has changed since it was closed"
            ]

    def test_a_damaged_compressed_file_is_told(self, tmp_path: Path, clock: FakeClock) -> None:
        """As far as it can be read it is read; then it is said where it ends."""
        with Archive.open(tmp_path, clock) as archive:
            archive.append("search", entries(*range(1, 200)))
            clock.advance(DAY_S)
            archive.append("search", entries(200))
            packed = segments(tmp_path)[0].path
            os.truncate(packed, packed.stat().st_size // 2)

            with pytest.raises(ArchiveDamaged, match="cannot be read on"):
                ids(archive)
            assert "cannot be read on" in archive.verify()[0].what

    def test_what_is_no_row_is_kept(self, tmp_path: Path, clock: FakeClock) -> None:
        """An entry nobody can read, or another tenant's, stops no copying and is not lost."""
        other = entries(2, tenant="other")[0][1]
        with Archive.open(tmp_path, clock) as archive:
            archive.append("search", [("1-0", b"\xff{"), ("2-0", other), *entries(3)])

            assert [problem.what for problem in archive.verify()] == [
                "entry 1-0 is no ledger row of 'search'",
                "entry 2-0 is no ledger row of 'search'",
            ]
            with pytest.raises(ArchiveDamaged, match="entry 1-0"):
                ids(archive)
            assert ids(ArchiveReader(tmp_path, skip_damaged=True)) == ["3"]
            assert [entry for _, entry in archive.entries("search", START)][:2] == [b"\xff{", other]

    def test_a_file_of_nothing_is_put_aside(self, tmp_path: Path, clock: FakeClock) -> None:
        """What a power cut leaves of a new file; the one before it says where to go on."""
        with Archive.open(tmp_path, clock, PLAIN) as archive:
            archive.append("search", entries(1))
        (tmp_path / "ledger-00000002-2026-09-22.jsonl").write_bytes(b"\0" * 4096)

        with Archive.open(tmp_path, clock, PLAIN) as archive:
            assert archive.append("search", entries(1, 2)) == 1
            assert ids(archive) == ["1", "2"]
        assert (tmp_path / "ledger-00000002-2026-09-22.jsonl.damaged").exists()

    def test_lines_of_another_version_are_not_cut(self, tmp_path: Path, clock: FakeClock) -> None:
        """What is sound and not understood stops the opening, and stays."""
        with Archive.open(tmp_path, clock) as archive:
            archive.append("search", entries(1))
        path = only_file(tmp_path)
        body = b'"n":"three"}'
        path.write_bytes(path.read_bytes() + b'{"crc":"%08x",%b\n' % (crc32(body), body))
        written = path.read_bytes()

        with pytest.raises(ArchiveDamaged, match=f"{path.name}:3: .*not the form"):
            Archive.open(tmp_path, clock)
        assert path.read_bytes() == written

    def test_a_tail_of_nothing_is_cut_and_kept(self, tmp_path: Path, clock: FakeClock) -> None:
        """A power cut may leave whole lines that were not written; a copy is kept beside."""
        with Archive.open(tmp_path, clock) as archive:
            archive.append("search", entries(1))
        path = only_file(tmp_path)
        size = path.stat().st_size
        with path.open("ab") as file:
            file.write(b"\0" * 100 + b"\n" + b"\0" * 100)

        with Archive.open(tmp_path, clock) as archive:
            assert archive.append("search", entries(2)) == 1
            assert ids(archive) == ["1", "2"]
        assert (tmp_path / f"{path.name}.cut-{size}").stat().st_size == 201


@contextmanager
def full_disk(at: int) -> Iterator[None]:
    """No file of this process can grow beyond so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (at, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("room", [0, 1, 300])
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, clock: FakeClock, room: int) -> None:
    """Nothing of the batch is archived, and it can be tried again."""
    with Archive.open(tmp_path, clock) as archive:
        archive.append("search", entries(1))
        size = only_file(tmp_path).stat().st_size
        with full_disk(size + room), pytest.raises(OSError, match=r".") as raised:
            archive.append("search", entries(2, 3))

        assert raised.value.errno in {errno.EFBIG, errno.ENOSPC}
        assert archive.last_position("search") == "1-0"
        assert only_file(tmp_path).stat().st_size == size
        assert archive.append("search", entries(2, 3)) == 2
        assert ids(archive) == ["1", "2", "3"]
        assert archive.verify() == []


def test_a_new_file_that_cannot_be_begun(tmp_path: Path, clock: FakeClock) -> None:
    """The old one is neither closed nor changed; the next try begins the new one."""
    with Archive.open(tmp_path, clock) as archive:
        archive.append("search", entries(1))
        clock.advance(DAY_S)
        with full_disk(10), pytest.raises(OSError, match=r"."):
            archive.append("search", entries(2))
        assert len(segments(tmp_path)) == 1

        archive.append("search", entries(2))
        assert ids(archive) == ["1", "2"]
        assert archive.verify() == []


def test_a_rolled_back_stream_goes_on_from_before(tmp_path: Path, clock: FakeClock) -> None:
    """Its ids begin again; the position survives a restart, and order is judged anew."""
    with Archive.open(tmp_path, clock) as archive:
        archive.append("search", entries(5, 6))
        archive.reset("search", "5-0")
    with Archive.open(tmp_path, clock) as archive:
        assert archive.last_position("search") == "5-0"
        assert archive.append("search", entries(6, 7)) == 2
        assert archive.verify() == []


def test_a_killed_writer_loses_nothing_acknowledged(tmp_path: Path, clock: FakeClock) -> None:
    """However it is killed: what it said was archived is there, once, and the rest can follow."""
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        from app.adapters.archive.archive import Archive, ArchivePolicy
        from app.adapters.clock import SystemClock
        from tests.fakes.ledger_rows import entries
        archive = Archive.open(Path(sys.argv[1]), SystemClock(), ArchivePolicy(segment_bytes=5000))
        for number in range(1, 100_000, 3):
            archive.append("search", entries(number, number + 1, number + 2))
            print(number + 2, flush=True)
    """)
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[4],
    ) as process:
        assert process.stdout
        acknowledged = [int(process.stdout.readline()) for _ in range(100)]
        process.kill()
        rest = process.stdout.read()
    last = int((rest.split() or [str(acknowledged[-1]).encode()])[-1])

    with Archive.open(tmp_path, clock) as archive:
        found = [int(id_) for id_ in ids(archive)]
        assert found == list(range(1, len(found) + 1))
        assert len(found) >= last
        archive.append("search", entries(*range(1, len(found) + 10)))
        assert [int(id_) for id_ in ids(archive)] == list(range(1, len(found) + 10))
        assert archive.verify() == []


def test_compression_that_was_interrupted(tmp_path: Path, clock: FakeClock) -> None:
    """While both files are there the archive has the rows once."""
    with Archive.open(tmp_path, clock, PLAIN) as archive:
        archive.append("search", entries(1))
        clock.advance(DAY_S)
        archive.append("search", entries(2))
        plain = segments(tmp_path)[0].path
        plain.with_name(f"{plain.name}.gz").write_bytes(gzip.compress(plain.read_bytes()))

        assert ids(archive) == ["1", "2"]
        assert archive.verify() == []
