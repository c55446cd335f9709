"""Plans in a process of their own."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.adapters.archive.archive import Archive
from app.adapters.clock import SystemClock
from app.adapters.plan_runner import PlanRunner
from app.bootstrap.plan_defaults import COMMAND
from app.domain.ledger.ledger_row import encode
from app.errors import AlreadyRunning
from app.planner.sizing.job import PlanAsk, PlanJob, PlanState
from tests.fakes.ledger_rows import ledger_row

ASK = PlanAsk("gpt-4o", "gpt-4o")
NOW = 1_790_000_000.0


def runner(script: str) -> PlanRunner:
    """One whose plans are made by these lines."""
    return PlanRunner((sys.executable, "-c", script), Path("ledger"), lambda: NOW)


async def until(said: Callable[[], bool]) -> None:
    """Poll, with a deadline."""
    async with asyncio.timeout(60):
        while not said():
            await asyncio.sleep(0.01)


def job(of: PlanRunner) -> PlanJob:
    assert of.current is not None
    return of.current


def has_ended(of: PlanRunner) -> bool:
    return job(of).state is not PlanState.RUNNING


async def test_a_plan_and_its_progress() -> None:
    """Counts come as they are told, then what was found; options are passed on."""
    made = runner(
        "import sys; print(1, file=sys.stderr); print(12, file=sys.stderr); "
        "import json; print(json.dumps({'argv': sys.argv[1:]}))"
    )
    assert made.start(ASK).state is PlanState.RUNNING
    await until(lambda: has_ended(made))
    found = job(made)
    assert (found.state, found.replayed, found.ended_at) == (PlanState.DONE, 12, NOW)
    assert found.told is not None
    assert found.told["argv"] == [
        *("--archive=ledger", "--at-most=1000000", "--model=gpt-4o", "--as=gpt-4o")
    ]


async def test_a_plan_that_cannot_be_made() -> None:
    """Says why in the command's own words."""
    made = runner("import sys; print('spillgate: no traffic', file=sys.stderr); sys.exit(2)")
    made.start(ASK)
    await until(lambda: has_ended(made))
    assert (job(made).state, job(made).error) == (PlanState.FAILED, "no traffic")


@pytest.mark.parametrize("script", ["", "print('{')"])
async def test_that_no_plan_is_none(script: str) -> None:
    """Nothing, or half of it."""
    made = runner(script)
    made.start(ASK)
    await until(lambda: has_ended(made))
    assert job(made).state is PlanState.FAILED
    assert job(made).error


async def test_that_there_is_one_at_a_time_and_that_it_can_be_ended() -> None:
    """Its process is gone then, and the next one may begin."""
    made = runner("import os, sys, time; print(os.getpid(), file=sys.stderr); time.sleep(600)")
    made.start(ASK)
    await until(lambda: job(made).replayed > 0)
    with pytest.raises(AlreadyRunning):
        made.start(ASK)
    process = job(made).replayed
    ended = await made.cancel()
    assert ended is not None
    assert ended.state is PlanState.CANCELLED
    assert not Path(f"/proc/{process}").exists()
    assert (await made.cancel()) == ended
    made.start(ASK)
    await made.cancel()


async def test_that_a_ledger_is_planned_by_the_command_itself(tmp_path: Path) -> None:
    """From the archive's files to a recommendation, at the lowest priority."""
    rows = [
        ledger_row(
            str(number),
            at=NOW + 4 * number + 1,
            started_at=NOW + 4 * number,
            duration=1.0,
            deployment="ptu",
            input=4000,
            output=50,
        )
        for number in range(900)
    ]
    with Archive.open(tmp_path, SystemClock()) as archive:
        archive.append_all(
            {"search": [(f"{number + 1}-0", encode(row)) for number, row in enumerate(rows)]}
        )
    made = PlanRunner(COMMAND, tmp_path, lambda: NOW)
    made.start(PlanAsk("gpt-4o", "gpt-4o", ptus=(20,), usd_per_ptu_year=10.0))
    await until(lambda: has_ended(made))
    found = job(made)
    assert (found.state, found.error) == (PlanState.DONE, None)
    assert found.told is not None
    assert found.told["requests"] == 900
    assert found.replayed > 0
    assert {each["term"] for each in found.told["recommendations"]} == {
        *("hourly", "monthly", "yearly")
    }
    assert 20 in {each["ptus"] for each in found.told["options"]}


def test_that_a_plan_ends_with_the_gateway() -> None:
    """Its process does not outlive the loop that it was begun in."""
    made = runner("import os, sys, time; print(os.getpid(), file=sys.stderr); time.sleep(600)")

    async def begin() -> None:
        made.start(ASK)
        await until(lambda: job(made).replayed > 0)

    asyncio.run(begin())
    assert job(made).state is PlanState.CANCELLED
    assert not Path(f"/proc/{job(made).replayed}").exists()
