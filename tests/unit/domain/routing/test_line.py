"""Lines of those who wait."""

from __future__ import annotations

from time import process_time

from hypothesis import given
from hypothesis import strategies as st

from app.domain.routing.line import Line

places = st.tuples(st.integers(0, 3), st.integers(0, 30))


@given(st.lists(st.tuples(st.booleans(), places), max_size=300))
def test_the_first_is_the_smallest_of_those_that_are_left(
    moves: list[tuple[bool, tuple[int, int]]],
) -> None:
    """Whoever came, left and came again, in whatever order."""
    line: Line[str] = Line()
    present: set[tuple[int, int]] = set()
    for comes, place in moves:
        if comes and place not in present:
            line.add(place, str(place))
            present.add(place)
        elif not comes:
            line.discard(place)
            present.discard(place)
        assert line.first == (str(min(present)) if present else None)
        assert len(line) == len(present)


def seconds_for(count: int) -> float:
    """Until so many have come behind one who stays, and have left again from the middle."""
    line: Line[int] = Line()
    began = process_time()
    line.add((0, 0), 0)
    for number in range(1, count):
        line.add((1, number), number)
    for number in range(1, count):
        line.discard((1, number))
    assert len(line) == 1
    return process_time() - began


def test_a_long_line_costs_each_no_more() -> None:
    """Eight times as many take about eight times as long, not 64 times."""
    least = min(seconds_for(2_000) for _ in range(5))
    assert min(seconds_for(16_000) for _ in range(5)) < 24 * least


def test_who_left_is_forgotten_behind_one_who_stays() -> None:
    """Otherwise a long wait would keep what all others had."""
    line: Line[int] = Line()
    line.add((0, 0), 0)
    for number in range(10_000):
        line.add((1, number), number)
        line.discard((1, number))
    assert len(line._places) < 1000  # noqa: SLF001  # memory is what this is about
