"""What workers that are gone left behind is settled by those that came."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.adapters.accounts.replay import Replay
from app.adapters.accounts.spool import Spool
from app.adapters.archive.archive import Archive
from app.adapters.background import background
from app.adapters.redis.account import REMEMBERED_S, Settlement, Unseeded
from app.domain.ledger.ledger_row import LedgerRow, RowKind, encode
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.reservation import Amounts, Ask, Charge, Reservation
from tests.fakes.account_script import FakeScript
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock


class Machine:
    """A machine with an archive, spools, and a script that does as it is told."""

    def __init__(self, archive: Path) -> None:
        self.clock = FakeClock()
        self.script = FakeScript()
        self.archive = archive
        self.replay = Replay(archive, self.script, self.clock)
        self.workers = 0

    def row(self, id_: str, kind: RowKind = RowKind.SETTLED) -> LedgerRow:
        """What the ledger says of a request."""
        return LedgerRow(id_, kind, self.clock.unix() - 10, "t")

    def charge(self, id_: str) -> Settlement:
        """The settlement of a reservation."""
        now = self.clock.unix()
        days, months = days_around(now), months_around(now)
        ask = Ask(id_, "t", ("tenant",), Amounts(), (), (), ())
        held = Reservation(ask, "local:local_share", days[1], months[1])
        return Settlement(held, Charge(Amounts(1, 7, 7), encode(self.row(id_))))

    def spools(self, *settlements: Settlement) -> Path:
        """A worker spools them, and is gone."""
        self.workers += 1
        spool = Spool(self.replay.directory, f"w{self.workers}")
        spool.append([("t", each) for each in settlements], self.clock.unix())
        spool.close()
        return self.replay.directory / f"w{self.workers}.spool"

    def archives(self, *rows: LedgerRow) -> None:
        """The ledger has these already."""
        now_ms = int(self.clock.unix() * 1000)
        entries = [(f"{now_ms}-{number}", encode(row)) for number, row in enumerate(rows, 1)]
        with Archive.open(self.archive, self.clock) as archive:
            archive.append_all({"t": entries})

    @property
    def settled(self) -> list[str]:
        """The ids of what was settled, in its order."""
        return [each.reservation.ask.id for each in self.script.settled if each.reservation]

    @property
    def files(self) -> list[str]:
        """What is left of spools."""
        return sorted(path.name for path in self.replay.directory.iterdir())


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """One without leftovers."""
    return Machine(tmp_path)


async def test_a_machine_without_leftovers(machine: Machine) -> None:
    """Nothing to do, not even a directory."""
    await machine.replay.replay()
    assert not machine.replay.directory.exists()


async def test_what_is_left_is_settled(machine: Machine) -> None:
    """Of every worker that is gone, and then it is gone, too."""
    machine.spools(machine.charge("a"), machine.charge("b"))
    row = Settlement(None, Charge(Amounts(), encode(machine.row("c", RowKind.REFUSED))))
    machine.spools(row)
    await machine.replay.replay()
    assert machine.settled == ["a", "b"]
    assert machine.script.settled[2] == row
    assert machine.files == []


async def test_what_the_ledger_has_is_not_settled_again(machine: Machine) -> None:
    """Also after a flush, when no account remembers; an expired hold was not charged."""
    machine.spools(machine.charge("a"), machine.charge("b"), machine.charge("c"))
    expired = replace(machine.row("c", RowKind.EXPIRED), flags=("expired",))
    machine.archives(replace(machine.row("a"), kind=RowKind.MERGED), expired)
    await machine.replay.replay()
    assert machine.settled == ["b", "c"]
    assert machine.files == []


async def test_what_was_written_twice_is_settled_once(machine: Machine) -> None:
    """As an ending worker does whose last write but one was cut short."""
    machine.spools(machine.charge("a"), machine.charge("a"))
    await machine.replay.replay()
    assert machine.settled == ["a"]


async def test_what_redis_does_not_take_is_left(machine: Machine) -> None:
    """For the next look; the files behind it get their turn."""
    machine.replay = replace(machine.replay, patience_s=1.0)
    machine.spools(machine.charge("a"))
    machine.spools(machine.charge("b"))

    def settling(part: Sequence[Settlement]) -> None:
        if "a" in {each.reservation.ask.id for each in part if each.reservation}:
            raise Unseeded

    machine.script.settling = settling
    await machine.replay.replay()
    assert machine.settled == ["b"]
    assert machine.files == ["w1.spool"]
    machine.script.settling = lambda _part: None
    await machine.replay.replay()
    assert machine.settled == ["b", "a"]
    assert machine.files == []


async def test_what_is_too_old_to_be_told_from_a_repetition_is_put_aside(machine: Machine) -> None:
    """A person decides; what the ledger has needs nobody."""
    machine.spools(machine.charge("a"), machine.charge("b"))
    machine.archives(machine.row("a"))
    machine.clock.advance(REMEMBERED_S)
    with capture_logs() as logs:
        await machine.replay.replay()
    assert machine.settled == []
    assert machine.files == ["w1.late"]
    assert [(log["event"], log["settlements"]) for log in logs] == [("spool_too_late", 1)]


async def test_leftovers_are_looked_for_at_once(machine: Machine) -> None:
    """And for as long as the scope is open."""
    machine.spools(machine.charge("a"))
    async with background("replay", machine.replay.keep_replaying), asyncio.timeout(20):
        while machine.files:
            await asyncio.sleep(0.01)
    assert machine.settled == ["a"]


def test_both_sides_remember_for_as_long() -> None:
    """What the account forgets must not be replayed."""
    script = (files("app.adapters.redis") / "lua" / "account.lua").read_text("utf-8")
    (seconds,) = re.findall(r"^local REMEMBERED_S = (\d+)", script, re.MULTILINE)
    assert float(seconds) == REMEMBERED_S
