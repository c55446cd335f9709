"""Accounts against their ledger, of the last day that is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from app.adapters.archive import drift
from app.adapters.archive.archive import Archive
from app.adapters.archive.drift import COMMITTED, LedgerDrift, day_key
from app.adapters.archive.reader import ArchiveReader
from app.adapters.redis.batch import Command
from app.domain.identity.tenant import Tenant
from app.domain.ledger.ledger_row import encode
from app.errors import StoreUnavailable
from tests.fakes.clock import FakeClock
from tests.fakes.ledger_rows import ledger_row

#: Noon; the day before it is over for long.
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
YESTERDAY = "2026-11-20"
EACH = 250_000_000  # nano-dollars of a row


@dataclass
class World:
    """Accounts as Redis has them, an archive, and what compares them."""

    archive: Archive
    directory: Path
    clock: FakeClock = field(default_factory=lambda: FakeClock(unix=NOON))
    accounts: dict[str, int] = field(default_factory=dict)
    tenants: dict[str, Tenant] = field(default_factory=dict)
    is_away: bool = False
    asked: int = 0
    behind_s: float = 0.0
    rows: int = 0

    def __post_init__(self) -> None:
        self.drift = LedgerDrift(
            self,
            ArchiveReader(self.directory),
            self.clock,
            tenants=lambda: self.tenants,
            archived_until=lambda: self.clock.unix() - self.behind_s,
        )

    async def call(self, command: Command) -> Any:
        name, key, read = command
        assert (name, read) == ("HGET", COMMITTED)
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable("away")
        held = self.accounts.get(str(key))
        return None if held is None else str(held).encode()

    def charged(self, tenant: str, count: int, *, day: str = YESTERDAY, **fields: Any) -> None:
        """So many rows in the archive, and as much in the account."""
        at = datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() + 3600
        for _ in range(count):
            self.rows += 1
            said = {"tenant": tenant, "day": day, "at": at, "nano_usd": EACH} | fields
            row = ledger_row(f"r{self.rows}", **said)
            self.archive.append(tenant, [(f"{self.rows}-0", encode(row))])
        key = day_key(tenant, day)
        self.accounts[key] = self.accounts.get(key, 0) + count * EACH


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Two tenants with some rows of yesterday and today."""
    with Archive.open(tmp_path, FakeClock(unix=NOON)) as archive:
        world = World(archive, tmp_path)
        for name in ("search", "other"):
            world.tenants[name] = Tenant(name)
            world.charged(name, 3)
            world.charged(name, 2, day="2026-11-21")
        yield world


async def test_accounts_that_hold_what_the_ledger_says_do_not_drift(world: World) -> None:
    """Nothing is told before they were compared; today's rows are not yesterday's."""
    assert world.drift.dollars is None
    await world.drift.compare()
    assert world.drift.dollars == 0.0


async def test_the_largest_difference_is_told(world: World) -> None:
    """Whichever side has more, in dollars; the log names the tenant and both sums."""
    world.accounts[day_key("search", YESTERDAY)] += EACH
    world.accounts[day_key("other", YESTERDAY)] -= 2 * EACH
    with capture_logs() as logs:
        await world.drift.compare()
    assert world.drift.dollars == 0.5
    assert {(line["tenant"], line["account"] - line["ledger"]) for line in logs} == {
        ("search", EACH),
        ("other", -2 * EACH),
    }


async def test_an_account_that_is_gone_has_drifted(world: World) -> None:
    """It should have been seeded from the archive."""
    del world.accounts[day_key("search", YESTERDAY)]
    await world.drift.compare()
    assert world.drift.dollars == 0.75


async def test_a_day_is_compared_once_unless_it_was_wrong(world: World) -> None:
    """Then once an hour, until it is right or over."""
    await world.drift.compare()
    asked = world.asked
    world.clock.advance(drift.AGAIN_S)
    await world.drift.compare()
    assert world.asked == asked
    world.charged("search", 1, day="2026-11-21")
    world.clock.advance(86_400)
    world.accounts[day_key("search", "2026-11-21")] += EACH
    await world.drift.compare()
    assert world.drift.dollars == 0.25
    world.accounts[day_key("search", "2026-11-21")] -= EACH
    await world.drift.compare()
    assert world.drift.dollars == 0.25, "not yet"
    world.clock.advance(drift.AGAIN_S)
    await world.drift.compare()
    assert world.drift.dollars == 0.0


async def test_a_day_ends_by_its_tenants_zone(world: World) -> None:
    """At noon in Greenwich it is past midnight far in the east, and not by long enough."""
    world.tenants = {"search": Tenant("search", zone=timezone(timedelta(hours=12)))}
    world.accounts[day_key("search", YESTERDAY)] += EACH
    await world.drift.compare()
    assert world.drift.dollars is None
    world.clock.advance(drift.SETTLED_S)
    await world.drift.compare()
    assert world.drift.dollars == 0.0, "of the 21st"


async def test_what_is_not_archived_yet_is_not_missed(world: World) -> None:
    """A copier that is behind makes no drift."""
    world.behind_s = 13 * 3600
    await world.drift.compare()
    assert world.drift.dollars is None


async def test_a_redis_that_is_away_is_asked_another_time(world: World) -> None:
    """Nothing is known, and nothing goes wrong."""
    world.is_away = True
    await world.drift.compare()
    assert world.drift.dollars is None
    world.is_away = False
    await world.drift.compare()
    assert world.drift.dollars == 0.0


async def test_what_was_charged_twice_after_a_failover_counts_once(world: World) -> None:
    """As it does where an account is seeded again."""
    row = ledger_row("r1", tenant="search", day=YESTERDAY, nano_usd=EACH, at=NOON - 86_400)
    world.archive.append("search", [("99-0", encode(row))])
    await world.drift.compare()
    assert world.drift.dollars == 0.0
