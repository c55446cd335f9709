from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.adapters.alerts.webhook import Webhook, webhook
from app.adapters.anomalies.found import Anomalies
from app.adapters.anomalies.report import read_report
from app.adapters.anomalies.watch import AnomalyWatch, Watched, watching_anomalies
from app.adapters.archive.archive import Archive
from app.domain.identity.tenant import Tenant
from app.domain.ledger.ledger_row import encode
from app.domain.quota.anomaly import HOUR_S, AnomalyReport, AnomalyRules, UsageMeasure
from app.errors import StoreUnavailable
from tests.fakes.clock import FakeClock
from tests.fakes.ledger_rows import ledger_row
from tests.fakes.traffic import BERLIN, FIRST_HOUR, WEEK, Traffic, office

WEEKS = 5
#: A Monday, ten o'clock in Berlin.
BUSY_HOUR = FIRST_HOUR + WEEKS * WEEK + 8


class Notebook(Webhook):
    """Notes what it is told, once; `is_away`: its store."""

    def __init__(self) -> None:
        self.told: dict[tuple[str, str], Mapping[str, Any]] = {}
        self.is_away = False

    async def tell_once(
        self, tenant: str, identity: str, event: str, said: Mapping[str, Any]
    ) -> bool:
        if self.is_away:
            raise StoreUnavailable("away")
        assert event == "usage_anomaly"
        is_first = (tenant, identity) not in self.told
        self.told.setdefault((tenant, identity), said)
        return is_first


@dataclass(slots=True)
class House:
    """An archive with weeks of two offices' hours, a row each."""

    directory: Path
    archive: Archive
    clock: FakeClock
    hook: Notebook = field(default_factory=Notebook)
    anomalies: Anomalies = field(default_factory=Anomalies)
    rows: int = 0

    def add(self, tenant: str, tokens: int, at: float | None = None) -> None:
        """A row; now, if nothing else is said."""
        self.add_all([(tenant, tokens, self.clock.unix() if at is None else at)])

    def add_all(self, usage: list[tuple[str, int, float]]) -> None:
        """Rows, flushed together."""
        batch: dict[str, list[tuple[str, bytes]]] = {}
        for tenant, tokens, at in usage:
            self.rows += 1
            amounts = {"input": tokens, "output": 0, "nano_usd": tokens * 5000}
            row = ledger_row(str(self.rows), tenant=tenant, at=at, **amounts)
            batch.setdefault(tenant, []).append((f"{self.rows}-0", encode(row)))
        self.archive.append_all(batch)

    def watch(self, *names: str) -> AnomalyWatch:
        """A new one, as after a restart."""
        tenants = {name: Tenant(name, zone=BERLIN) for name in names or ("search", "calm")}
        watched = Watched(self.directory, lambda: tenants, AnomalyRules(), every_s=0.01)
        return AnomalyWatch(watched, self.clock, self.hook, self.anomalies)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[AnomalyWatch]:
        """Looked for in the scope."""
        watch = self.watch()
        async with watching_anomalies(watch):
            yield watch

    async def until_looked(self) -> None:
        """Until all that is there now was looked at."""
        before = self.anomalies.report
        async with asyncio.timeout(60):
            while self.anomalies.report is before:
                await asyncio.sleep(0.005)
            before = self.anomalies.report
            while self.anomalies.report is before:
                await asyncio.sleep(0.005)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """It is the beginning of the busy hour."""
    clock = FakeClock(unix=BUSY_HOUR * HOUR_S)
    made = House(tmp_path, Archive.open(tmp_path, clock), clock)
    for name, seed in (("search", 1), ("calm", 2), ("gone", 3)):
        hours = Traffic(office, noise=0.1, seed=seed).hours(WEEKS + 1)[: WEEKS * WEEK + 8]
        made.add_all(
            [(name, each.tokens, (FIRST_HOUR + hour) * HOUR_S) for hour, each in enumerate(hours)]
        )
    with made.archive:
        yield made


async def test_that_a_tenfold_hour_is_told_once(house: House) -> None:
    """While it is under way already; the other tenant is left alone, and who is gone, too."""
    async with house.watching():
        await house.until_looked()
        assert house.hook.told == {}
        house.clock.advance(600)
        house.add("search", 10_000_000)
        house.add("calm", 100_000)
        house.add("gone", 10_000_000)
        await house.until_looked()
        house.clock.advance(HOUR_S)
        await house.until_looked()
    ((key, said),) = house.hook.told.items()
    assert key == ("search", f"anomaly:{BUSY_HOUR}")
    assert (said["under_way"], said["hour"]) == (True, "2026-09-07T08:00Z")
    measures = {each["measure"] for each in said["measures"]}
    assert measures == {"tokens", "dollars"}
    assert said["text"].startswith(
        "search is far above its own history so far in the hour from 2026-09-07T08:00Z: "
        "10,000,000 tokens (usually "
    )
    assert "$50.00" in said["text"]


async def test_that_scores_are_there_for_metrics_and_any_process(house: House) -> None:
    """Of the last whole hour; of the one under way where that is far above already."""
    async with house.watching():
        await house.until_looked()
        calm = house.anomalies.scores()["search", UsageMeasure.TOKENS]
        assert abs(calm) < 5
        house.add("search", 10_000_000)
        await house.until_looked()
        scores = house.anomalies.scores()
    assert scores["search", UsageMeasure.TOKENS] > 20
    assert abs(scores["calm", UsageMeasure.TOKENS]) < 5
    report = read_report(house.directory)
    assert Anomalies(report).scores() == scores
    assert report.at == house.clock.unix()


async def test_that_a_restart_goes_on_where_it_was(house: House) -> None:
    """From the sums: rows that were counted are not read again, and none is missing."""
    watch = house.watch()
    await watch.look()
    watch.close()
    first = house.anomalies.scores()
    house.anomalies.report = AnomalyReport()
    again = house.watch()
    await again.look()
    again.close()
    assert house.anomalies.scores() == first


async def test_that_what_could_not_be_told_is_told_later(house: House) -> None:
    """Redis was away: nobody can know whether another worker has told of it."""
    house.hook.is_away = True
    async with house.watching():
        house.add("search", 10_000_000)
        await house.until_looked()
        assert house.hook.told == {}
        house.hook.is_away = False
        async with asyncio.timeout(60):
            while not house.hook.told:
                await asyncio.sleep(0.005)


async def test_that_nothing_is_read_after_the_end(house: House) -> None:
    """Whoever keeps the archive next has the file for itself."""
    watch = house.watch()
    await watch.look()
    before = house.anomalies.report
    watch.close()
    await watch.look()
    assert house.anomalies.report is before


def test_that_a_report_of_another_version_counts_as_none(tmp_path: Path) -> None:
    """It is written anew within minutes."""
    assert read_report(tmp_path) == AnomalyReport()
    (tmp_path / "anomalies.json").write_text('{"hours": [{"tenant": 5}]}')
    assert read_report(tmp_path) == AnomalyReport()


async def test_that_a_webhook_without_a_url_only_logs() -> None:
    """It counts as heard."""

    class Batch:
        async def call(self, command: tuple[object, ...]) -> object:
            return "OK"

    async with webhook(Batch(), None) as hook:  # type: ignore[arg-type]  # all that is asked of it
        assert await hook.tell_once("search", "x", "usage_anomaly", {"text": "hello"})
    assert (hook.told_total, hook.is_heard) == (1, True)
