"""Sums over those that are ahead: the same as looking at each of them."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.capacity.ladder import Ladder, Rung

levels = st.floats(-100, 100)
rungs = st.builds(Rung, levels, st.floats(0, 1), st.floats(0, 100), st.integers(0, 3))
names = st.sampled_from([f"t{number}" for number in range(40)])
#: Somebody is put somewhere, or dropped.
steps = st.lists(st.tuples(names, rungs | st.none()), max_size=150)


def climbed(history: list[tuple[str, Rung | None]]) -> tuple[Ladder, dict[str, Rung]]:
    """A ladder that all of this has happened to, and who should be where."""
    ladder, there = Ladder(), dict[str, Rung]()
    for number, (name, rung) in enumerate(history):
        if rung is not None:
            there[name] = rung
            ladder.put(name, rung)
        elif there.pop(name, None) is not None:
            ladder.drop(name)
        if number % 7 == 0:
            ladder.ahead(0.0, 1.0, 1.0, 1)  # sums are made, and then overtaken
    return ladder, there


def ahead(rung: Rung, level: float, most: float) -> float:
    return min(most, max(0.0, level - rung.level))


def test_who_is_ahead_counts_for_how_far() -> None:
    """At most as far as is asked; who is behind, or of a lower rank, counts for nothing."""
    ladder = Ladder()
    ladder.put("near", Rung(-2.0, 0.5, 10.0, rank=1))
    ladder.put("far", Rung(-50.0, 0.1, 1.0, rank=2))
    ladder.put("behind", Rung(3.0, 1.0, 100.0, rank=3))
    guaranteed = 0.5 * 2 + 0.1 * 10
    assert ladder.ahead(0.0, 10.0, 5.0, 1) == pytest.approx((guaranteed, 10.0 * 2 + 1.0 * 5))
    assert ladder.ahead(0.0, 10.0, 5.0, 2) == pytest.approx((guaranteed, 1.0 * 5))


@given(steps, levels, st.tuples(st.floats(0, 65), st.floats(0, 65)), st.integers(0, 3))
def test_sums_are_those_of_all(
    history: list[tuple[str, Rung | None]], level: float, mosts: tuple[float, float], rank: int
) -> None:
    """However few there are, and however many moved, came and went since sums were made."""
    most, most_weighed = mosts
    ladder, there = climbed(history)
    everybody: Iterable[Rung] = there.values()
    guaranteed = sum(each.guarantee * ahead(each, level, most) for each in everybody)
    weighed = sum(
        each.weight * ahead(each, level, most_weighed) for each in everybody if each.rank >= rank
    )
    found = ladder.ahead(level, most, most_weighed, rank)
    assert found == pytest.approx((guaranteed, weighed), abs=1e-6)
    assert sorted(ladder) == sorted(everybody)


def test_it_stays_exact_far_from_nothing() -> None:
    """After weeks, with somebody who never takes and so stays where it was at the beginning."""
    ladder = Ladder()
    ladder.put("never", Rung(0.0, 0.5, 1.0))
    for number in range(50):
        ladder.put(f"t{number}", Rung(3e6 + number * 0.1, 0.01, 1.0))
    guaranteed, _ = ladder.ahead(3e6 + 1.0, 60.0, 60.0, 0)
    assert guaranteed == pytest.approx(
        0.5 * 60 + sum(0.01 * (1.0 - number * 0.1) for number in range(11)), abs=1e-6
    )
