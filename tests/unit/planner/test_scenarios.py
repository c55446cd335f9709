from __future__ import annotations

import pytest

from app.planner.azure import Ptu, PtuFacts
from app.planner.scenarios import CALIBRATIONS, CASES, scenarios
from app.planner.traffic import arrivals


def test_every_case_meets_every_calibration() -> None:
    """And a prefix of the name chooses among them."""
    assert len(scenarios()) == len(CASES) * len(CALIBRATIONS)
    assert [scenario.name for scenario in scenarios("contended/depth")] == [
        "contended/depth 30 s",
        "contended/depth 120 s",
    ]
    assert scenarios("no such case") == ()


def test_hours_are_the_cases_own_unless_told() -> None:
    """Few large requests need more hours than many small ones to say something."""
    assert scenarios("few-large/right")[0].hours == CASES["few-large"].hours
    assert scenarios("few-large/right", hours=0.1)[0].hours == 0.1


def test_a_wrong_calibration_changes_the_truth_and_not_what_is_believed() -> None:
    """Routers are told the same everywhere; Azure does as the calibration says."""
    found = {scenario.name.split("/")[1]: scenario for scenario in scenarios("contended")}
    right = found["right"]
    # 100 PTUs of 2,500 input tokens a minute each.
    assert right.belief.tokens_per_s == right.facts.tokens_per_s == pytest.approx(4166.7, abs=0.1)
    assert {scenario.belief for scenario in found.values()} == {right.belief}
    assert found["capacity -20 %"].facts.tokens_per_s == pytest.approx(3333.3, abs=0.1)
    assert found["capacity +20 %"].facts.tokens_per_s == pytest.approx(5000)
    assert found["depth 30 s"].facts.depth_s == 30
    assert found["depth 120 s"].facts.depth_s == 120
    assert not found["no header"].facts.tells_utilization
    assert found["whole seconds"].facts.whole_seconds
    assert found["foreign traffic"].calibration.foreign > 0


@pytest.mark.parametrize("name", CASES)
def test_the_ptu_is_too_small_by_day_and_too_large_by_night(name: str) -> None:
    """Demand at the top of the day is 130 to 200 % of capacity, at night about 40 %."""
    case = CASES[name]
    ptu = Ptu(PtuFacts(tokens_per_s=1e12))  # admits all, so that all of it can be weighed
    weights = []
    hours = {"few-large": 100.0}.get(name, 0.5)
    for arrival in arrivals(case.workload, hours=hours, seed="1"):
        job = ptu.offer(arrival.request, arrival.at)
        assert job is not None
        weights.append(ptu.weight(job, arrival.output))
    mean = sum(weights) / len(weights)
    capacity = case.ptus * 2500 / 60
    assert 1.3 < case.workload.day_rate * mean / capacity < 2.0
    assert 0.3 < case.workload.night_rate * mean / capacity < 0.5
