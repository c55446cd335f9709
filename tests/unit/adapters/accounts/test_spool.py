"""What waits for Redis on the disk: whole, by its own worker alone, and within bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.adapters.accounts.spool import Spool, Spooled, leftovers
from app.adapters.redis.account import Settlement
from app.domain.quota.calendar import days_around, hour_of, months_around
from app.domain.quota.limit import SPILLED, spill_limits
from app.domain.quota.reservation import Amounts, Ask, Charge, Part, Reservation
from tests.fakes.changed import replace

NOW = 1_790_000_000.0
ROW = Settlement(None, Charge(Amounts(), b'{"id":"a","at":1.5}'), sent=NOW)


def charge(number: int) -> Settlement:
    """The settlement of a reservation of its own."""
    days, months = days_around(NOW), months_around(NOW)
    ask = Ask(f"r{number}", "t", ("tenant", "key:k"), Amounts(), (), (), ())
    held = Reservation(ask, "local:local_share", days[1], months[1])
    return Settlement(held, Charge(Amounts(1, 7, 9), b'{"id":"r%d"}' % number))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where spools are; nobody made it yet."""
    return tmp_path / "spool"


def left(directory: Path, *settlements: Settlement) -> Path:
    """The file of a worker that was killed after it had spooled these."""
    spool = Spool(directory, "dead")
    assert spool.append([("t", each) for each in settlements], NOW) == 0
    os.close(spool._file)  # noqa: SLF001  # as a killed process does
    return directory / "dead.spool"


def read(directory: Path) -> list[Spooled]:
    """All lines of all that was left behind."""
    return [line for each in leftovers(directory) for line in each.lines()]


@pytest.mark.parametrize("is_known", [False, True])
def test_the_hour_that_is_charged_is_kept(directory: Path, *, is_known: bool) -> None:
    """Where there is one; lines of an older version have none."""
    held = charge(1)
    assert held.reservation is not None
    hour = hour_of(held.reservation.day, NOW) if is_known else None
    held = replace(held, reservation=replace(held.reservation, hour=hour))
    left(directory, held)
    assert [line.settlement for line in read(directory)] == [held]


def test_a_part_of_a_lease_keeps_what_it_has_of_it(directory: Path) -> None:
    """It has no hold of its own that would know."""
    given = charge(1).reservation
    assert given is not None
    asked = replace(given.ask, amounts=Amounts(1, 50, 60))
    part = replace(given, ask=asked, at_ms=1_790_000_000_123, part=Part("lease", 7))
    left(directory, Settlement(part, Charge(Amounts(1, 7, 7), b"{}")))
    (line,) = read(directory)
    kept = line.settlement.reservation
    assert kept is not None
    assert (kept.part, kept.at_ms, kept.ask.amounts) == (part.part, part.at_ms, asked.amounts)


def test_files_of_versions_before_leases_are_settled_too(directory: Path) -> None:
    """They have another name, by which these look for files."""
    path = left(directory, charge(1))
    path.rename(path.with_suffix(".jsonl"))
    assert [line.settlement for line in read(directory)] == [charge(1)]


@pytest.mark.parametrize("spilled", [False, True])
def test_what_was_spilled_is_charged_as_that(directory: Path, *, spilled: bool) -> None:
    """However the reservation was held; of older lines none was."""
    held = charge(1)
    assert held.reservation is not None
    ask = held.reservation.ask.within(spill_limits(5))
    held = replace(
        held,
        reservation=replace(held.reservation, ask=ask),
        charge=replace(held.charge, spilled=spilled),
    )
    left(directory, held)
    (read_again,) = (line.settlement for line in read(directory))
    assert read_again.reservation is not None
    assert read_again.charge.spilled is spilled
    scopes = read_again.reservation.scopes_charged(spilled=spilled)
    assert (SPILLED in scopes) is spilled
    assert set(scopes) - {SPILLED} == {"tenant", "key:k"}


def test_what_is_read_is_what_was_written(directory: Path) -> None:
    """All that settling takes of a reservation, and of a row alone."""
    left(directory, charge(1), ROW)
    lines = read(directory)
    assert [line.settlement for line in lines] == [charge(1), ROW]
    assert [(line.tenant, line.at) for line in lines] == [("t", NOW)] * 2


def test_a_living_workers_file_is_its_own(directory: Path) -> None:
    """Until it is gone, whoever looks."""
    spool = Spool(directory, "alive")
    spool.append([("t", charge(1))], NOW)
    assert read(directory) == []
    spool.close()
    assert [line.settlement for line in read(directory)] == [charge(1)]


def test_nothing_is_left_of_what_redis_has(directory: Path) -> None:
    """No file before it is needed, none after, not even open; what comes later is written."""
    spool = Spool(directory, "w")
    spool.clear()
    assert not directory.exists()
    free = lowest_free()
    for number in (1, 2):
        spool.append([("t", charge(number))], NOW)
        assert [path.name for path in directory.iterdir()] == ["w.spool"]
        spool.clear()
        assert list(directory.iterdir()) == []
        assert lowest_free() == free
    spool.close()


def lowest_free() -> int:
    """The descriptor that the next file would have."""
    found = os.open(os.devnull, os.O_RDONLY)
    os.close(found)
    return found


def test_a_line_that_was_never_finished_is_none(directory: Path) -> None:
    """At whatever byte its writer died."""
    path = left(directory, charge(1), charge(2))
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    with capture_logs() as logs:
        for end in range(first, len(whole)):
            path.write_bytes(whole[:end])
            assert [line.settlement for line in read(directory)] == [charge(1)]
    assert logs == []


def test_a_damaged_line_is_told_and_kept_for_a_person(directory: Path) -> None:
    """The others are as good as ever."""
    path = left(directory, charge(1), charge(2), charge(3))
    path.write_bytes(path.read_bytes().replace(b'"r2"', b'"rX"'))
    (found,) = leftovers(directory)
    with capture_logs() as logs:
        assert [line.settlement for line in found.lines()] == [charge(1), charge(3)]
    assert [(log["event"], log["line"]) for log in logs] == [("spool_damaged", 2)]
    found.remove()
    assert [path.name for path in directory.iterdir()] == ["dead.damaged"]


def test_it_grows_no_larger_than_it_may(directory: Path) -> None:
    """What finds no place is counted; once it is cleared there is place again."""
    spool = Spool(directory, "w", most_bytes=1000)
    lost = spool.append([("t", charge(number)) for number in range(10)], NOW)
    size = (directory / "w.spool").stat().st_size
    assert 0 < lost < 10
    assert size <= 1000
    assert spool.append([("t", charge(11))], NOW) == 1
    assert spool.refused_total == lost + 1
    spool.clear()
    assert spool.append([("t", charge(12))], NOW) == 0


def test_a_write_that_fails_leaves_no_half_line(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that is full for a while."""
    spool = Spool(directory, "w")
    spool.append([("t", charge(1))], NOW)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            spool.append([("t", charge(2))], NOW)
    spool.append([("t", charge(3))], NOW)
    spool.close()
    assert [line.settlement for line in read(directory)] == [charge(1), charge(3)]
