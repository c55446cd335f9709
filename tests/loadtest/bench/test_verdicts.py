from __future__ import annotations

from typing import Any

import pytest

from loadtest.bench.results import Run
from loadtest.bench.verdicts import verdicts
from tests.loadtest.bench.runs import run, turn


def whole(**ours: Any) -> Run:
    """A run in which all is met, but for what a lane of ours has otherwise."""
    closed = {"per_s": 12_000.0, "cpu_us": 80.0}
    one = {"p50": 0.30, "p99": 0.55}
    streams = {"frames_per_s": 40_000.0, "ttft_p50": 1.5, "cpu_us": 12.0, "changed": 0.0}
    few = {"ttft_p50": 0.5, "frames_per_s": 5000.0}
    large = {"alone_p50": 0.5, "alone_p99": 2.0, "beside_100000_p99": 4.0}
    lanes: dict[str, Any] = {
        "closed32": closed | ours.get("closed32", {}),
        "one": one | ours.get("one", {}),
        "streams400": streams | ours.get("streams400", {}),
        "streams50": few | ours.get("streams50", {}),
        "large": large | {"beside_400000_slowest": 20.5} | ours.get("large", {}),
        "open75": {"p99": 4.9} | ours.get("open75", {}),
    }
    direct = {"frames_per_s": 40_500.0, "ttft_p50": 0.2}
    return run(
        turn(
            "direct",
            closed32={"per_s": 60_000.0},
            one={"p50": 0.05, "p99": 0.06},
            streams400=direct,
            streams50=direct,
        ),
        turn(
            "envoy",
            closed32={"per_s": 20_000.0, "cpu_us": 32.0},
            streams400=streams | {"cpu_us": 10.0},
        ),
        turn("spillgate", differs=[], **lanes),
        turn("spillgate-two-workers"),
        turn("portkey", closed32={"per_s": 1_200.0}),
        turn("litellm", closed32={"per_s": 170.0}),
    )


def not_met(found: Run) -> list[str]:
    return [f"{each.point}: {each.asked}" for each in verdicts(found) if not each.met]


def test_what_meets_every_bound_is_met() -> None:
    """At the bound itself, too."""
    assert not_met(whole()) == []


@pytest.mark.parametrize(
    ("lane", "name", "value", "point"),
    [
        ("closed32", "per_s", 7_599.0, "1"),
        ("closed32", "cpu_us", 85.0, "1"),
        ("one", "p50", 0.31, "2"),
        ("one", "p99", 0.67, "2"),
        ("streams400", "frames_per_s", 37_999.0, "3"),
        ("streams400", "ttft_p50", 1.6, "3"),
        ("streams400", "cpu_us", 13.1, "3"),
        ("streams400", "changed", 1.0, "3"),
        ("streams50", "ttft_p50", 0.81, "3"),
        ("large", "beside_100000_p99", 4.1, "4"),
        ("large", "beside_400000_slowest", 20.6, "4"),
        ("open75", "p99", 5.1, "5"),
    ],
)
def test_each_bound_is_one(lane: str, name: str, value: float, point: str) -> None:
    """What is a little beyond it is not met, and is told under its point."""
    missed = not_met(whole(**{lane: {name: value}}))
    assert missed
    assert {each.partition(":")[0] for each in missed} == {point}


def test_a_figure_is_of_rounds_of_the_same_machine() -> None:
    """A ratio is taken within each round, and then its median: a slow round is slow for both."""
    found = run(
        *(
            turn(name, number, closed32={"per_s": per_s})
            for number, rates in enumerate([(100, 40), (50, 20), (10, 9)])
            for name, per_s in zip(("envoy", "spillgate"), rates, strict=True)
        )
    )
    ratio = next(each for each in verdicts(found) if "0.38 times Envoy" in each.asked)
    assert (ratio.found, ratio.met) == ("0.40 times", True)


def test_what_was_not_measured_is_neither() -> None:
    """A quick look judges nothing but what it saw."""
    found = verdicts(run(turn("spillgate", differs=["ledger 1, expected 2"])))
    assert [each.point for each in found if each.met is not None] == ["0", "6"]
    assert found[0].met is False
