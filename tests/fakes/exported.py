"""An archive of three days with all that makes accounting hard, and what was exported of it."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from app.adapters.archive.archive import Archive, ArchivePolicy
from app.adapters.archive.reader import ArchiveReader
from app.domain.ledger.ledger_row import RowKind, encode
from app.domain.ledger.usage_query import UsageQuery, grouped
from tests.fakes.clock import FakeClock
from tests.fakes.ledger_rows import ledger_row

HOUR_S: Final = 3600.0
#: The archive's first day begins.
START: Final = datetime(2026, 11, 18, tzinfo=UTC).timestamp()

Sums = tuple[int, int, int]


@dataclass(slots=True)
class Ledger:
    """An archive that rows are added to; time is that of its clock."""

    archive: Archive
    clock: FakeClock
    rows: int = 0

    def add(self, id_: str = "", *, age_s: float = 0.0, **fields: Any) -> None:
        """A row that was made so long ago. What charges an id again has the time of the first."""
        self.rows += 1
        at = self.clock.unix() - age_s
        amounts = {"input": 100 + self.rows, "output": self.rows, "nano_usd": 10**9 + self.rows}
        row = ledger_row(id_ or str(self.rows), **(amounts | {"at": at} | fields))
        self.archive.append(row.tenant, [(f"{self.rows}-0", encode(row))])

    def add_days(self, days: int = 3) -> None:
        """A row an hour; now and then one that is late, given back, or charged again."""
        for hour in range(24 * days):
            self.add(tags={"team": "=a"})
            if hour % 9 == 8:
                self.add(age_s=20 * HOUR_S, tenant="late")
                self.add(str(self.rows), age_s=20 * HOUR_S, tenant="late")  # the same row again
                self.add(str(self.rows - 2))
                self.add(kind=RowKind.RELEASED, input=0, output=0, nano_usd=0)
            self.clock.advance(HOUR_S)


def ledger(directory: Path) -> Ledger:
    """An empty one; close its archive."""
    clock = FakeClock(unix=START)
    policy = ArchivePolicy(segment_bytes=8000)
    return Ledger(Archive.open(directory, clock, policy), clock)


def charged(archive: Path, until: float) -> Sums:
    """Requests, tokens and nano-dollars, as the admin API sums them."""
    rows = ArchiveReader(archive).rows(until=until)
    (group,) = grouped(rows, UsageQuery())
    usage = group.usage
    return usage.requests, usage.input + usage.output, usage.nano_usd


def manifests(directory: Path) -> list[dict[str, Any]]:
    """Of all complete files, by name."""
    paths = sorted(directory.glob("*/*.manifest.json"), key=lambda path: path.name)
    return [json.loads(path.read_bytes()) for path in paths]


def exported(directory: Path) -> list[dict[str, str]]:
    """The rows of all CSV files."""
    rows: list[dict[str, str]] = []
    for path in sorted(directory.glob("*/ledger-*.csv")):
        with path.open(newline="") as file:
            rows += csv.DictReader(file)
    return rows


def exported_sums(directory: Path) -> Sums:
    """What whoever reads the CSV files comes to."""
    rows = exported(directory)
    requests, tokens, nano_usd = (
        sum(int(row[f"charged_{name}"]) for row in rows)
        for name in ("requests", "tokens", "nano_usd")
    )
    return requests, tokens, nano_usd
