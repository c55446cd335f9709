from __future__ import annotations

import json

import pytest

from app.planner.latency.plan import Plan
from app.planner.latency.report import report
from app.planner.latency.sample import Ending, Sample

PLAN = Plan(("ptu", "paygo"))


def answered(deployment: str, ttft_s: float, tpot_s: float | None = 0.01) -> Sample:
    return Sample(deployment, Ending.ANSWERED, ttft_s, tpot_s, 3 * ttft_s, 500, 100, 40)


SAMPLES = [
    *(answered("paygo", 0.2 + each / 100) for each in range(9)),
    *(answered("ptu", 0.1 + each / 200, None if each else 0.02) for each in range(9)),
    *(Sample("ptu", Ending.THROTTLED, why="429") for _ in range(3)),
    Sample("ptu", Ending.FAILED, why="503"),
]


def test_refusals_and_failures_are_counted_apart_from_what_was_answered() -> None:
    """And have no part in any time."""
    ptu, paygo = report(PLAN, SAMPLES)
    assert (ptu.deployment, ptu.answered, ptu.throttled, ptu.failed) == ("ptu", 9, 3, 1)
    assert ptu.why == {"429": 3, "503": 1}
    assert (paygo.answered, paygo.throttled, paygo.failed, paygo.why) == (9, 0, 0, {})
    assert (paygo.input_tokens, paygo.cached_tokens, paygo.output_tokens) == (500, 100, 40)
    counts = [each.count if each else 0 for each in ptu.times.values()]
    assert counts == [9, 1, 9], "answers of one token have no time per token"


def test_each_is_compared_with_the_first() -> None:
    """The first with nobody."""
    ptu, paygo = report(PLAN, SAMPLES)
    assert ptu.ratios == {}
    ratio = paygo.ratios["ttft_s"]
    assert ratio is not None
    assert ratio.value == pytest.approx(0.24 / 0.12)


def test_who_never_answered_has_no_times() -> None:
    """Nor has the comparison with it."""
    ptu, paygo = report(PLAN, [answered("paygo", 0.2), Sample("ptu", Ending.FAILED, why="503")])
    assert set(ptu.times.values()) == {None}
    assert set(paygo.ratios.values()) == {None}


def test_a_report_is_json_without_its_single_values() -> None:
    """And the same each time, its intervals included."""
    told = [each.as_json() for each in report(PLAN, SAMPLES)]
    assert json.loads(json.dumps(told)) == told
    assert "values" not in told[0]
    assert told == [each.as_json() for each in report(PLAN, SAMPLES)]
