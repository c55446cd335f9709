"""An export killed at any point: what is there in the end is the ledger, each row once."""

from __future__ import annotations

import asyncio
import shutil
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.adapters.usage_export.files import STATE
from tests.fakes.exported import charged, exported, exported_sums, ledger, manifests


@dataclass(frozen=True, slots=True)
class House:
    """Three days of a ledger, and where they are exported to."""

    archive: Path
    exports: Path
    last_line: int
    now: float

    async def export(self, point: int = 0) -> int:
        """Run a worker that is killed there; how many points there were."""
        places = (str(self.archive), str(self.exports), str(self.last_line), str(self.now))
        arguments = ("-m", "tests.crashes.export_worker", *places, str(point))
        worker = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=PIPE)
        said, _ = await worker.communicate()
        assert worker.returncode == (-9 if point else 0)
        return 0 if point else int(said.split()[-1])

    def begin_anew(self) -> None:
        """Nothing is exported."""
        (self.archive / STATE).unlink(missing_ok=True)
        shutil.rmtree(self.exports)
        self.exports.mkdir()


@pytest.fixture
def house(tmp_path: Path) -> House:
    """All of its days are over."""
    (tmp_path / "exports").mkdir()
    made = ledger(tmp_path / "archive")
    with made.archive:
        made.add_days()
        return House(
            tmp_path / "archive",
            tmp_path / "exports",
            made.archive.last_line,
            made.clock.unix() + 600,
        )


async def sweep(house: House, step: int) -> None:
    """Kill at every so many points, twice in a row; go on; compare with an export in peace."""
    points = await house.export()
    assert points >= 3 * 6
    in_peace = {path.name: path.read_bytes() for path in house.exports.glob("*/*.csv")}
    for point in range(1, points + 1, step):
        house.begin_anew()
        await house.export(point)
        whole = {each["file"]: each["sha256"] for each in manifests(house.exports)}
        await house.export(int(point < points))
        await house.export()
        found = {path.name: path.read_bytes() for path in house.exports.glob("*/*.csv")}
        assert found == in_peace
        after = {each["file"]: each["sha256"] for each in manifests(house.exports)}
        assert whole.items() <= after.items(), "what was complete has not changed"
        assert exported_sums(house.exports) == charged(house.archive, house.now)
        lines = [row["line"] for row in exported(house.exports)]
        assert len(lines) == len(set(lines))


async def test_a_killed_export_loses_and_doubles_nothing(house: House) -> None:
    """At every seventh point; all of them are swept by `make crashes`."""
    await sweep(house, step=7)


@pytest.mark.long
async def test_an_export_may_be_killed_at_every_point(house: House) -> None:
    """Each file that is opened, each that is renamed."""
    await sweep(house, step=1)
