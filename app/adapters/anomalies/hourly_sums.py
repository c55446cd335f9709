"""Every tenant's usage by the hour, kept beside the archive that it is taken from.

A small SQLite file holds the sums and how far the archive was read, both in one transaction: each
row counts once, however often the process begins again, and none is read twice. It can be deleted:
it is made again from the archive. Blocking; one thread at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Any, Final, Self

import msgspec
import structlog

from app.adapters.archive.following import BEGINNING, Place, following, sound
from app.adapters.archive.segment import header, segments
from app.adapters.pace import gently
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.quota.anomaly import HOUR_S
from app.domain.quota.reservation import Amounts

NAME: Final = "usage-by-hour.sqlite"
#: SQLite has no larger integer; sums of it become floating there, and stay readable.
MOST: Final = 2**63 - 1
#: Lines that are taken at a time: one transaction, and as much memory.
_LINES: Final = 1_000
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS hours (
    tenant TEXT, hour INTEGER, requests INTEGER, tokens INTEGER, nano_usd INTEGER,
    PRIMARY KEY (tenant, hour)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tenants (name TEXT PRIMARY KEY, first INTEGER) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS place (id INTEGER PRIMARY KEY CHECK (id = 1), place TEXT);
"""
_ADD: Final = """
INSERT INTO hours VALUES (?, ?, ?, ?, ?) ON CONFLICT (tenant, hour) DO UPDATE SET
    requests = requests + excluded.requests, tokens = tokens + excluded.tokens,
    nano_usd = nano_usd + excluded.nano_usd
"""

_FIRST: Final = """
INSERT INTO tenants VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET first = min(first, excluded.first)
"""
_READ: Final = """
SELECT hour, requests, tokens, nano_usd FROM hours WHERE tenant = ? AND hour >= ? AND hour < ?
"""


class HourlySums:
    """Sums of one archive; hours are Unix time in hours."""

    def __init__(self, archive: Path, database: sqlite3.Connection, oldest: int) -> None:
        """Use `open`."""
        self._archive = archive
        self._database = database
        self._oldest = oldest
        database.executescript(_SCHEMA)
        self._place = self._kept_place()

    @classmethod
    def open(cls, archive: Path, oldest: int) -> Self:
        """Those of an archive, of hours from `oldest` on; what is damaged is made again.

        Raises OSError or sqlite3.Error where no file can be made.
        """
        path = archive / NAME
        try:
            return cls(archive, _connected(path), oldest)
        except (sqlite3.DatabaseError, msgspec.MsgspecError) as error:
            structlog.get_logger().warning("usage_by_hour_made_again", error=str(error))
            path.unlink(missing_ok=True)
            return cls(archive, _connected(path), oldest)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def take(self, ended: Event, oldest: int) -> None:
        """Add what the archive got, and forget what is older than an hour. Raises Ended."""
        lines = gently(following(self._archive, self._place), ended)
        while some := list(islice(lines, _LINES)):
            self._add([row for _, row in some if row is not None], oldest, some[-1][0])

    def tenants(self) -> list[str]:
        """All that ever had any."""
        return [str(name) for (name,) in self._rows("SELECT name FROM tenants")]

    def of(self, tenant: str, first: int, until: int) -> list[Amounts]:
        """A tenant's hours before `until`, those without usage too, from its first one on."""
        known = next(self._rows("SELECT first FROM tenants WHERE name = ?", tenant), (until,))
        found = {
            hour: Amounts(*amounts) for hour, *amounts in self._rows(_READ, tenant, first, until)
        }
        hours = range(max(first, known[0]), until)
        return [found.get(hour, Amounts()) for hour in hours]

    def at(self, tenant: str, hour: int) -> Amounts:
        """One hour."""
        found = self.of(tenant, hour, hour + 1)
        return found[0] if found else Amounts()

    def _add(self, rows: list[LedgerRow], oldest: int, place: Place) -> None:
        sums: dict[tuple[str, int], list[int]] = {}
        for row in rows:
            charged, hour = row.charged, int(row.at // HOUR_S)
            if charged.requests and hour >= oldest:  # a correction is of an earlier hour
                of_hour = sums.setdefault((row.tenant, hour), [0, 0, 0])
                of_hour[0] += charged.requests
                of_hour[1] += charged.tokens
                of_hour[2] += charged.nano_usd
        with self._database:
            self._database.executemany(
                _ADD, [(*key, *map(_fitting, each)) for key, each in sums.items()]
            )
            self._database.executemany(_FIRST, sums.keys())
            self._database.execute("DELETE FROM hours WHERE hour < ?", (oldest,))
            self._keep(place)
        self._place = place

    def _keep(self, place: Place) -> None:
        written = msgspec.json.encode(place).decode()
        self._database.execute("INSERT OR REPLACE INTO place VALUES (1, ?)", (written,))

    def _kept_place(self) -> Place:
        """Where to go on; at the oldest file that matters, where that cannot be told."""
        kept = next(self._rows("SELECT place FROM place"), None)
        if kept is not None:
            place = msgspec.json.decode(str(kept[0]), type=Place)
            if sound(self._archive, place) == place:
                return place
        with self._database:
            self._database.execute("DELETE FROM hours")
            self._database.execute("DELETE FROM tenants")
        return _first_of(self._archive, self._oldest)

    def _rows(self, query: str, *values: str | int) -> Iterator[Any]:
        with closing(self._database.execute(query, values)) as cursor:
            yield from cursor


def _fitting(amount: int) -> int:
    """The amount, or the nearest that can be kept: a defective upstream may have told of more."""
    return min(MOST, max(-MOST, amount))


def _connected(path: Path) -> sqlite3.Connection:
    """Without SQLite's own locks, which network volumes lack: the archive's lock is enough."""
    uri = f"{path.absolute().as_uri()}?vfs=unix-none"
    return sqlite3.connect(uri, uri=True, check_same_thread=False)


def _first_of(archive: Path, oldest: int) -> Place:
    """Behind all files that were closed before an hour: their rows are older."""
    place = BEGINNING
    for segment in segments(archive):
        first = header(segment)
        if first is not None and first.began >= oldest * HOUR_S:
            break
        place = Place(segment.number)
    return place
