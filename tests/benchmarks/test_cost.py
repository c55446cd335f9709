from __future__ import annotations

import asyncio
import sys

import pytest

from loadtest.bench.environments import Missing
from tests.benchmarks.cost import NOTED, Cost, Turns, measured, noted, reference_ns, this_python

#: What else runs on a machine only ever adds, and not each time; a regression is there each time.
TRIES = 3

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark is for Linux")


@pytest.mark.alone
@pytest.mark.timeout(600)  # three tries on a busy machine
def test_a_request_and_a_frame_cost_no_more_than_noted() -> None:
    """Processor time of a whole gateway, governed, as a ratio to work that does not change.

    Where it is meant to cost more, or costs less now: `make bench-cost ARGS=--set`.
    """
    if noted().python != this_python():
        pytest.skip(f"{NOTED.name} was measured with Python {noted().python}")
    try:
        found = asyncio.run(measured())
        for _ in range(TRIES - 1):
            if found.over(noted().cost):
                found = found.least(asyncio.run(measured()))
    except Missing as missing:
        pytest.skip(str(missing))
    assert found.over(noted().cost) == []


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (Cost(10.0, 1.0), []),
        (Cost(12.5, 1.25), []),
        (Cost(5.0, 0.5), []),
        (Cost(12.6, 1.0), ["a request"]),
        (Cost(10.0, 1.26), ["a relayed frame"]),
        (Cost(20.0, 2.0), ["a request", "a relayed frame"]),
    ],
)
def test_a_quarter_more_is_a_regression(now: Cost, told: list[str]) -> None:
    """Of either; less is none."""
    over = now.over(Cost(10.0, 1.0))
    assert [each.partition(" costs ")[0] for each in over] == told


def test_of_several_tries_the_least_counts() -> None:
    """Of each by itself: a busy moment spoils one figure or the other."""
    assert Cost(10.0, 2.0).least(Cost(20.0, 1.0)) == Cost(10.0, 1.0)


def test_a_turn_that_was_disturbed_changes_nothing() -> None:
    """A low quantile of many turns: those that others made dearer are not among them."""
    calm = Turns([50.0] * 16, [1000.0] * 16, [40.0] * 16)
    disturbed = Turns([50.0] * 12 + [90.0] * 4, [1000.0] * 6 + [2500.0] * 10, [40.0] * 16)
    assert disturbed.cost() == calm.cost() == Cost(20.0, 0.8)


def test_the_reference_is_the_same_work_each_time() -> None:
    """Twice as many units take about twice as long: a unit is one."""
    one, other = (min(reference_ns(times) for _ in range(5)) for times in (20, 80))
    assert 0.5 < one / other < 2
