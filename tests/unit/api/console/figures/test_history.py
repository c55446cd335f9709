from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.console.figures.history import FRESH_S, MOST, NOW_S, History, quantile_of
from tests.fakes.clock import FakeClock


class Counter:
    """A page of metrics with one counter; `asked` is how often it was."""

    def __init__(self) -> None:
        self.value = 0.0
        self.asked = 0

    async def page(self, accept: str) -> tuple[str, bytes]:
        assert accept == "text/plain"
        self.asked += 1
        return accept, f'llm_requests_total{{model="m"}} {self.value}\n'.encode()


@pytest.fixture
def clock() -> FakeClock:
    """Stands still until it is told."""
    return FakeClock()


@pytest.fixture
def counter() -> Counter:
    """Nothing was counted yet."""
    return Counter()


@pytest.fixture
def history(counter: Counter, clock: FakeClock) -> History:
    """Nobody has looked."""
    return History(counter.page, clock.now)


async def test_a_rate_needs_two_looks(history: History, counter: Counter, clock: FakeClock) -> None:
    """Then it is what was counted between them, by their distance."""
    assert (await history.window()).rate("llm_requests_total") is None
    counter.value = 30
    clock.advance(10)
    window = await history.window()
    assert window.rate("llm_requests_total") == 3
    assert window.rates("llm_requests_total", model="m") == [3]
    assert window.grown_by("llm_requests_total", "model") == {"m": 30}


async def test_now_is_the_last_minute(history: History, counter: Counter, clock: FakeClock) -> None:
    """What is older is drawn, and not counted in."""
    for _ in range(10):
        await history.window()
        counter.value += 60 if counter.value == 0 else 1
        clock.advance(10)
    window = await history.window()
    assert window.length_s == NOW_S
    assert window.rate("llm_requests_total") == pytest.approx(0.1)
    assert len(window.rates("llm_requests_total")) == 10


async def test_whoever_looks_at_the_same_time_costs_one_page(
    history: History, counter: Counter, clock: FakeClock
) -> None:
    """And a sample is good for a second."""
    await asyncio.gather(*(history.window() for _ in range(20)))
    assert counter.asked == 1
    clock.advance(FRESH_S)
    await history.window()
    assert counter.asked == 2


async def test_a_counter_that_begins_anew_counts_from_nothing(
    history: History, counter: Counter, clock: FakeClock
) -> None:
    """A worker that was started again takes nothing away."""
    counter.value = 100
    await history.window()
    counter.value = 20
    clock.advance(10)
    assert (await history.window()).grown("llm_requests_total") == 20


async def test_what_nobody_looked_at_is_not_made_up(
    history: History, counter: Counter, clock: FakeClock
) -> None:
    """After a long time without anybody, it begins anew; and samples are bounded in number."""
    await history.window()
    counter.value = 1000
    clock.advance(NOW_S + 1)
    assert (await history.window()).rate("llm_requests_total") is None
    for _ in range(MOST + 10):
        clock.advance(2)
        await history.window()
    assert len((await history.window()).samples) == MOST


async def test_a_house_without_metrics_has_pages(clock: FakeClock) -> None:
    """With nothing on them."""
    window = await History(None, clock.now).window()
    assert window.rate("llm_requests_total") is None
    assert window.quantile("llm_time_to_first_token_seconds", 0.5) is None


def test_quantiles_are_those_of_prometheus() -> None:
    """Linear within a bucket; above the last bound it is that bound; of nothing there is none."""
    inf = float("inf")
    assert quantile_of({1.0: 0, 2.0: 10, inf: 10}, 0.5) == 1.5
    assert quantile_of({1.0: 5, 2.0: 10, inf: 10}, 0.5) == 1.0
    assert quantile_of({1.0: 0, 2.0: 0, inf: 10}, 0.5) == 2.0
    assert quantile_of({1.0: 0, inf: 0}, 0.5) is None
    assert quantile_of({}, 0.5) is None


@given(
    st.lists(st.integers(0, 50), min_size=2, max_size=6), st.floats(0.01, 0.99), st.floats(0.0, 0.3)
)
def test_a_higher_quantile_is_no_less(counts: list[int], part: float, more: float) -> None:
    """Whatever was counted."""
    bounds = [*map(float, range(1, len(counts))), float("inf")]
    cumulative = {bound: float(sum(counts[: i + 1])) for i, bound in enumerate(bounds)}
    low, high = quantile_of(cumulative, part), quantile_of(cumulative, min(0.99, part + more))
    assert (low is None) == (high is None) == (sum(counts) == 0)
    assert low is None or high is None or low <= high + 1e-9
