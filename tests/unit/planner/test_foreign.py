"""Traffic past the gateway, and what is known of it beforehand."""

from __future__ import annotations

import pytest

from app.planner.foreign import foreign_arrivals, usual
from app.planner.scenarios import scenarios
from app.planner.strategy import NO_FOREIGN
from app.planner.traffic import arrivals

(SCENARIO,) = scenarios("few-large/foreign", hours=6.0)
(ALONE,) = scenarios("few-large/right", hours=6.0)


def test_where_there_is_none_nothing_comes_and_nothing_is_usual() -> None:
    """As most calibrations have it."""
    assert list(foreign_arrivals(ALONE)) == []
    assert usual(ALONE) is NO_FOREIGN


def test_it_is_a_quarter_of_our_own_and_shares_no_conversation_with_it() -> None:
    """From a seed of its own."""
    own = list(arrivals(SCENARIO.case.workload, hours=6.0, seed=str(SCENARIO.seed)))
    foreign = list(foreign_arrivals(SCENARIO))
    assert len(foreign) == pytest.approx(len(own) / 4, rel=0.25)
    talks = {arrival.request.conversation for arrival in own}
    assert talks.isdisjoint(arrival.request.conversation for arrival in foreign)


def test_what_is_usual_is_the_rate_by_the_hour_and_other_sizes_of_the_same_kind() -> None:
    """Who knows it does not know what comes; that is not drawn from."""
    known, came = usual(SCENARIO), list(foreign_arrivals(SCENARIO))
    assert known.rate(0.0) == pytest.approx(0.025 / 4)
    assert known.rate(3 * 3600.0) == pytest.approx(0.1 / 4)
    assert len(known.sizes) == pytest.approx(len(came), rel=0.25)
    assert all(size.adds > 0 and size.lasts > 0 for size in known.sizes)
    used = sum(size.adds - size.gives_back for size in known.sizes) / len(known.sizes)
    assert 8 < used < 30  # seconds of this PTU
    prompts = sorted(arrival.request.prompt for arrival in foreign_arrivals(SCENARIO, draws="x"))
    assert prompts != sorted(arrival.request.prompt for arrival in came)
