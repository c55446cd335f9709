"""Traffic that grew, shrank, or was answered elsewhere."""

from __future__ import annotations

import pytest

from app.planner.sizing.traffic import Recorded
from app.planner.sizing.what_if import WhatIf

TRAFFIC = [
    Recorded(1000.0 * number, 1.0, 100, 0, number, tenant="ab"[number % 2])
    for number in range(4000)
]


def test_that_by_default_nothing_is_different() -> None:
    """Not the order, even."""
    assert WhatIf().of(TRAFFIC, seed=1) == TRAFFIC


@pytest.mark.parametrize("growth", [0.5, 1.5, 2.0, 3.25])
def test_that_growth_asks_as_many_times(growth: float) -> None:
    """Of each size alike, at about the same time; and the same again by its seed."""
    found = WhatIf(growth=growth).of(TRAFFIC, seed=1)
    assert len(found) == pytest.approx(growth * len(TRAFFIC), rel=0.05)
    assert found == WhatIf(growth=growth).of(TRAFFIC, seed=1)
    mean = sum(each.output for each in found) / len(found)
    assert mean == pytest.approx(1999.5, rel=0.05)
    assert all(abs(each.at - 1000.0 * each.output) <= 900 for each in found)


def test_that_a_cache_answers_its_share() -> None:
    """Whoever asks."""
    found = WhatIf(cached=0.3).of(TRAFFIC, seed=1)
    assert len(found) == pytest.approx(0.7 * len(TRAFFIC), rel=0.05)


def test_that_a_tenant_is_gone() -> None:
    """All of it, and nobody else."""
    found = WhatIf(without=frozenset("b")).of(TRAFFIC, seed=1)
    assert found == [each for each in TRAFFIC if each.tenant == "a"]
