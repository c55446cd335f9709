"""What a plan foresees for a number of PTUs, and what that number of simulated ones then does.

The simulated deployment is an implementation of its own, with a network, three replicas and their
router, prompt caches and learnt lengths. The plan is given what the ledger would have of a run.
"""

from __future__ import annotations

from functools import cache

import pytest

from app.domain.capacity.provisioned import PtuCapacity
from app.planner.contenders import Contender
from app.planner.scenarios import CACHED_WEIGHT, INPUT_TPM_PER_PTU, OUTPUT_RATIO, scenarios
from app.planner.shadow import Said, ShadowRouter
from app.planner.simulate import simulate
from app.planner.sizing.replay import replay, weighed
from app.planner.sizing.traffic import Recorded
from app.planner.strategy import Site, Target, Usage
from app.planner.traffic import Request
from tests.fakes.changed import replace

CAPACITY = PtuCapacity(INPUT_TPM_PER_PTU / 60, OUTPUT_RATIO, CACHED_WEIGHT)


class Ledger(ShadowRouter):
    """The router of one replica, which writes down what it served, as the ledger would."""

    def __init__(self, site: Site[Said], rows: list[Recorded]) -> None:
        super().__init__(site, fair=False)
        self._rows = rows
        self._began: dict[int, float] = {}

    def choose(self, request: Request, now: float) -> Target:
        self._began[request.id] = now
        return super().choose(request, now)

    def completed(self, request: Request, usage: Usage, now: float) -> None:
        super().completed(request, usage, now)
        at = self._began.pop(request.id)
        told = (usage.input, usage.cached, usage.output, request.cap)
        self._rows.append(Recorded(at, now - at, *told))


@cache
def run(case: str, hours: float, ptus: int) -> tuple[list[Recorded], float]:
    """The ledger of a run with so many PTUs, and the part of its requests that spilled."""
    (scenario,) = scenarios(f"{case}/right", hours=hours)
    rows: list[Recorded] = []
    scenario = replace(scenario, case=replace(scenario.case, ptus=ptus))
    tally = simulate(scenario, Contender(lambda site: Ledger(site, rows))).tally
    assert len(rows) == tally.requests
    return rows, 1 - tally.admitted / tally.requests


def foreseen(case: str, hours: float, recorded_with: int, ptus: int) -> float:
    """The part that spills, by the ledger of a run with other PTUs."""
    recorded, _ = run(case, hours, recorded_with)
    found = replay(weighed(recorded, CAPACITY), ptus, CAPACITY.tokens_per_s)
    return found.spilled / len(recorded)


@pytest.mark.parametrize(
    ("case", "hours", "recorded_with", "ptus"),
    [
        ("contended", 0.5, 100, 80),
        ("contended", 0.5, 100, 100),
        ("contended", 0.5, 120, 132),
        ("few-large", 24, 15, 12),
        ("few-large", 24, 15, 15),
        ("few-large", 24, 15, 20),
        ("many-small", 0.05, 120, 100),
    ],
)
def test_that_what_spills_is_foreseen_within_two_points(
    case: str, hours: float, recorded_with: int, ptus: int
) -> None:
    """From a ledger of as many PTUs, and of somewhat more or fewer."""
    _, spilled = run(case, hours, ptus)
    assert foreseen(case, hours, recorded_with, ptus) == pytest.approx(spilled, abs=0.02)


def test_that_many_more_ptus_do_a_little_better_than_foreseen() -> None:
    """They serve more of each conversation in one place, so that more is cached than was recorded.

    With half as many again as were recorded with, three points; it is never foreseen too well.
    """
    _, spilled = run("contended", 0.5, 150)
    assert spilled < foreseen("contended", 0.5, 100, 150) < spilled + 0.04
