from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.planner.latency.statistics import Estimate, quantile, ratio_of_medians, summarize

TIMES = st.lists(st.floats(min_value=0.0, max_value=1e4), min_size=1, max_size=60)
PARTS = st.floats(min_value=0.0, max_value=1.0)


@given(TIMES, PARTS)
def test_a_quantile_is_numpys(values: list[float], part: float) -> None:
    """Interpolated as spreadsheets do, at the ends as well."""
    assert quantile(sorted(values), part) == pytest.approx(np.quantile(values, part), abs=1e-9)


@given(TIMES)
def test_statistics_are_numpys(values: list[float]) -> None:
    """In whatever order the values came."""
    found = summarize(values, Random(1), resamples=5)
    assert found is not None
    told = [found.least, found.greatest, found.mean.value, found.median.value, found.p95.value]
    oracle = [np.min(values), np.max(values), np.mean(values), np.median(values)]
    assert told == pytest.approx([*oracle, np.quantile(values, 0.95)], abs=1e-9)
    assert found.p99.value == pytest.approx(np.quantile(values, 0.99), abs=1e-9)
    assert found.count == len(values)


@given(TIMES)
def test_an_interval_is_around_its_statistic_and_within_the_sample(values: list[float]) -> None:
    """Nothing is told that no value supports."""
    found = summarize(values, Random(1), resamples=20)
    assert found is not None
    for each in (found.mean, found.median, found.p95, found.p99):
        if each.low is None or each.high is None:
            continue
        assert each.low <= each.value <= each.high
        assert each.low >= found.least - 1e-9
        assert each.high <= found.greatest + 1e-9


def test_nothing_is_told_of_no_values() -> None:
    """There is no time of a request that was never answered."""
    assert summarize([], Random(1)) is None
    with pytest.raises(ValueError, match="no values"):
        quantile([], 0.5)


@pytest.mark.parametrize(
    ("count", "sure"),
    [
        (4, []),
        (19, ["mean", "median"]),
        (20, ["mean", "median", "p95"]),
        (99, ["mean", "median", "p95"]),
        (100, ["mean", "median", "p95", "p99"]),
    ],
)
def test_a_percentile_beyond_the_sample_has_no_interval(count: int, sure: list[str]) -> None:
    """p99 needs 100 values, p95 needs 20, and 4 are too few for anything."""
    found = summarize([float(each) for each in range(count)], Random(1), resamples=50)
    assert found is not None
    kinds = ["mean", "median", "p95", "p99"]
    assert [each for each in kinds if getattr(found, each).low is not None] == sure


def test_a_seed_gives_the_same_intervals_again() -> None:
    """A report can be made again."""
    values = [Random(3).random() for _ in range(30)]
    assert summarize(values, Random(5)) == summarize(values, Random(5))


def test_nineteen_in_twenty_intervals_hold_the_truth() -> None:
    """Of means and medians of many samples whose truth is known."""
    rng, held = Random(11), {"mean": 0, "median": 0}
    samples = 200
    for _ in range(samples):
        found = summarize([rng.gauss(10, 2) for _ in range(40)], rng, resamples=200)
        assert found is not None
        for name in held:
            estimate: Estimate = getattr(found, name)
            assert estimate.low is not None
            assert estimate.high is not None
            held[name] += estimate.low <= 10 <= estimate.high
    # Percentile intervals are a little narrow; a chance of 1 in 10,000 is allowed for.
    assert all(0.86 <= count / samples <= 0.995 for count in held.values()), held


def test_the_ratio_of_medians_says_how_sure_it_is() -> None:
    """Twice as slow is 2, and samples that hardly spread leave little doubt."""
    fast = [1 + each / 1000 for each in range(50)]
    found = ratio_of_medians([2 * each for each in fast], fast, Random(1))
    assert found is not None
    assert found.value == pytest.approx(2)
    assert found.low is not None
    assert found.high is not None
    assert 1.9 < found.low <= 2 <= found.high < 2.1
    assert ratio_of_medians([], fast, Random(1)) is None
    assert ratio_of_medians(fast, [0.0] * 9, Random(1)) is None
