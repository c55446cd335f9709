from __future__ import annotations

import pytest

from loadtest.bench.soak import Look, judged

START = 150.0


def looks(growth: float, *, after: int = 30) -> list[Look]:
    """Half an hour: quickly up by 20 MB in the first ten minutes, then by `growth` every ten."""
    found = [Look(0.0, START, 26), Look(30.0, START + 2, 30)]
    for minute in range(1, 31):
        settled = START + 20 * min(1.0, minute / 10) + growth * max(0, minute - 10) / 10
        found.append(Look(minute * 60.0, settled, 60 + minute % 2))
    return [*found, Look(31 * 60.0, START + 20, after)]


def test_what_is_filled_at_first_is_no_leak() -> None:
    """The slope is that of what follows; descriptors in use meanwhile do not count."""
    found = judged(looks(0.5))
    assert found.slope == pytest.approx(0.5, abs=0.05)
    assert found.broken() == []


@pytest.mark.parametrize(
    ("growth", "after", "told"),
    [(1.2, 30, "MB in 10 minutes"), (0.0, 31, "descriptors after")],
)
def test_each_bound_is_one(growth: float, after: int, told: str) -> None:
    """Memory that grows, a descriptor that is not given back."""
    (broken,) = judged(looks(growth, after=after)).broken()
    assert told in broken
