"""Metrics of several real processes, some of which freeze, are killed, or end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from app.adapters.clock import SystemClock
from app.adapters.metrics.exposition import Metrics
from app.adapters.metrics.families import FAMILIES, IN_FLIGHT
from app.adapters.metrics.snapshots import Snapshots

REQUESTS = "llm_requests_total"
DEADLINE_S = 60.0
WORKER = "tests.integration.metrics.worker"


class Worker:
    """One process, and where it tells."""

    def __init__(self, process: asyncio.subprocess.Process, path: Path) -> None:
        self.process = process
        self.path = path

    async def count(self, requests: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{requests}\n".encode())
        await self.says("counted")

    async def says(self, word: str) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            assert await self.process.stdout.readline() == f"{word}\n".encode()

    async def end(self) -> None:
        """As a worker that drained."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        await self.gone()

    async def kill(self) -> None:
        self.process.kill()
        await self.gone()

    async def gone(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.process.wait()


@asynccontextmanager
async def worker(path: Path) -> AsyncIterator[Worker]:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", WORKER, str(path))
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    try:
        running = Worker(process, path)
        await running.says("ready")
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def told(snapshots: Snapshots) -> dict[str, float]:
    """The sum of each line's name over all of its labels."""
    content_type, page = await snapshots.page("application/openmetrics-text")
    assert content_type.startswith("application/openmetrics-text")
    found: dict[str, float] = {}
    families = text_string_to_metric_families(page.decode())  # type: ignore[no-untyped-call]  # the library's
    for family in families:
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


@pytest.fixture
def snapshots() -> Snapshots:
    """With patience for a busy machine."""
    return Snapshots(limit_s=DEADLINE_S)


async def test_workers_are_told_as_one(tmp_path: Path, snapshots: Snapshots) -> None:
    """Counts and gauges of parts add up; every family is there, in text, too."""
    async with worker(tmp_path / "a") as one, worker(tmp_path / "b") as two:
        snapshots.joined("a", one.path)
        snapshots.joined("b", two.path)
        await one.count(3)
        await two.count(4)
        found = await told(snapshots)
        assert (found[REQUESTS], found["spillgate_workers"]) == (7, 2)
        assert found["llm_requests_in_flight"] == 10
        _, text = await snapshots.page("text/plain")
        for family in FAMILIES:
            assert f"# TYPE {family.name} {family.kind}\n" in text.decode()


async def test_what_a_worker_counted_stays_when_it_is_gone(
    tmp_path: Path, snapshots: Snapshots
) -> None:
    """All of it where it ended; where it was killed, what it told last. No counter ever falls."""
    async with worker(tmp_path / "a") as one, worker(tmp_path / "b") as two:
        snapshots.joined("a", one.path)
        snapshots.joined("b", two.path)
        await one.count(3)
        await two.count(4)
        assert (await told(snapshots))[REQUESTS] == 7
        await one.count(10)
        await one.end()
        snapshots.exited("a")
        found = await told(snapshots)
        assert (found[REQUESTS], found["spillgate_workers"]) == (17, 1)
        assert found["llm_requests_in_flight"] == 5
        await two.kill()
        for _ in range(2):
            assert (await told(snapshots))[REQUESTS] == 17, "before anybody knows of its death"
        snapshots.exited("b")
        found = await told(snapshots)
        assert found[REQUESTS] == 17
        assert "llm_requests_in_flight" not in found


async def test_lost_is_what_was_counted_since_the_last_look(
    tmp_path: Path, snapshots: Snapshots
) -> None:
    """Nobody needs to scrape for it; nothing else is lost."""
    async with worker(tmp_path / "a") as one:
        snapshots.joined("a", one.path)
        await one.count(3)
        await snapshots.look()
        await one.count(2)
        await one.kill()
    snapshots.exited("a")
    assert (await told(snapshots))[REQUESTS] == 3
    assert not one.path.exists(), "a killed worker leaves its socket"


async def test_who_asks_counts_too(tmp_path: Path) -> None:
    """Its own page is one more, whatever becomes of workers."""
    metrics = Metrics(10, SystemClock())
    metrics.readings.add(IN_FLIGHT, lambda: {(): 7.0})
    snapshots = Snapshots(limit_s=DEADLINE_S, own=metrics.openmetrics)
    async with worker(tmp_path / "a") as one:
        snapshots.joined("a", one.path)
        assert (await told(snapshots))["llm_requests_in_flight"] == 5 + 7
        await one.kill()
    snapshots.exited("a")
    assert (await told(snapshots))["llm_requests_in_flight"] == 7


async def test_a_worker_that_is_started_anew_counts_from_nothing(
    tmp_path: Path, snapshots: Snapshots
) -> None:
    """Beside what the one before it had counted, once."""
    async with worker(tmp_path / "a") as one:
        snapshots.joined("a", one.path)
        await one.count(3)
        await told(snapshots)
        await one.kill()
    async with worker(tmp_path / "a") as another:
        snapshots.joined("a", another.path)
        await another.count(2)
        assert (await told(snapshots))[REQUESTS] == 5


async def test_a_frozen_worker_costs_the_limit_and_no_count(tmp_path: Path) -> None:
    """It is not given up: when it is back, it is counted once."""
    patient = Snapshots(limit_s=DEADLINE_S)
    async with worker(tmp_path / "a") as one, worker(tmp_path / "b") as two:
        hasty = Snapshots(limit_s=0.2)
        for each in (patient, hasty):
            each.joined("a", one.path)
            each.joined("b", two.path)
        await one.count(3)
        await two.count(4)
        async with asyncio.timeout(DEADLINE_S):
            while (await told(hasty)).get(REQUESTS) != 7:
                pass
        one.process.send_signal(signal.SIGSTOP)
        began = asyncio.get_running_loop().time()
        found = await told(hasty)
        assert found[REQUESTS] == 7
        assert asyncio.get_running_loop().time() - began < DEADLINE_S / 2
        assert found["spillgate_workers"] <= 1
        assert hasty.silent_total >= 1
        one.process.send_signal(signal.SIGCONT)
        await one.count(1)
        found = await told(patient)
        assert (found[REQUESTS], found["spillgate_workers"]) == (8, 2)
