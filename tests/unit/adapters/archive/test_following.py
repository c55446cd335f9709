from __future__ import annotations

from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from app.adapters.archive.archive import Archive, ArchivePolicy
from app.adapters.archive.following import BEGINNING, Place, end_of, following, sound
from app.adapters.archive.segment import segments
from tests.fakes.clock import FakeClock
from tests.fakes.ledger_rows import entries


def taken(directory: Path, place: Place, most: int | None = None) -> tuple[list[str], Place]:
    """Ids of so many lines' rows, and the place behind them."""
    ids = []
    for behind, row in islice(following(directory, place), most):
        place = behind
        ids += [row.id] if row else []
    return ids, place


@given(
    doings=st.lists(
        st.sampled_from(["append", "read one", "read all", "day", "restart"]), max_size=40
    ),
    compress=st.booleans(),
)
def test_that_each_row_is_read_once(doings: list[str], *, compress: bool) -> None:
    """Whatever is appended, closed, compressed and reopened between two looks."""
    clock, read, place, count = FakeClock(), list[str](), BEGINNING, 0
    policy = ArchivePolicy(segment_bytes=1500, compress=compress)
    with TemporaryDirectory() as name:
        directory = Path(name)
        archive = Archive.open(directory, clock, policy)
        for doing in [*doings, "read all"]:
            if doing == "append":
                archive.append("search", entries(count + 1, count + 2))
                count += 2
            elif doing == "day":
                clock.advance(86_400)
            elif doing == "restart":
                archive.close()
                archive = Archive.open(directory, clock, policy)
                assert sound(directory, place) == place
            else:
                ids, place = taken(directory, place, 1 if doing == "read one" else None)
                read += ids
        archive.close()
        assert read == [str(number + 1) for number in range(count)]
        assert end_of(directory) == place


def test_that_a_line_without_its_end_is_not_read(tmp_path: Path) -> None:
    """It is being written; once it has its end it is read."""
    with Archive.open(tmp_path, FakeClock()) as archive:
        archive.append("search", entries(1, 2))
        path = segments(tmp_path)[-1].path
        whole = path.read_bytes()
        path.write_bytes(whole[:-5])
        ids, place = taken(tmp_path, BEGINNING)
        path.write_bytes(whole)
        more, _ = taken(tmp_path, place)
    assert (ids, more) == (["1"], ["2"])


def test_that_damage_is_passed_over_once_something_good_follows(tmp_path: Path) -> None:
    """Until then it may be cut off, and what comes in its place must not be missed."""
    with Archive.open(tmp_path, FakeClock()) as archive:
        archive.append("search", entries(1))
        path = segments(tmp_path)[-1].path
        whole = path.read_bytes()
        path.write_bytes(whole + b"damaged\n")
        ids, place = taken(tmp_path, BEGINNING)
        assert place.offset == len(whole)
        path.write_bytes(whole)
        archive.append("search", entries(2))
        more, _ = taken(tmp_path, place)
    assert (ids, more) == (["1"], ["2"])


def test_that_a_restored_archive_is_read_from_further_back(tmp_path: Path) -> None:
    """What it gets now is at places that were read before: it would be missed."""
    with Archive.open(tmp_path, FakeClock(), ArchivePolicy(compress=False)) as archive:
        archive.append("search", entries(1))
        path = segments(tmp_path)[-1].path
        backup = path.read_bytes()
        archive.append("search", entries(2, 3))
    _, place = taken(tmp_path, BEGINNING)
    path.write_bytes(backup)
    assert sound(tmp_path, place) == Place(place.segment)
    path.unlink()
    assert sound(tmp_path, place) == BEGINNING
