from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from app.api.console.figures.drawing import HEIGHT, WIDTH, line_of, parts_of


@given(st.lists(st.floats(0, 1e12), min_size=2, max_size=200))
def test_a_line_is_inside_its_box(values: list[float]) -> None:
    """Whatever is drawn; from its left to its right."""
    line = line_of(values)
    assert line is not None
    points = [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", line.path)]
    assert len(points) == len(values)
    assert points[0][0] == 0
    assert abs(points[-1][0] - WIDTH) < 0.1
    assert all(0 <= y <= HEIGHT for _, y in points)


def test_a_line_needs_two_points() -> None:
    """One says nothing of where it goes."""
    assert line_of([]) is None
    assert line_of([5.0]) is None


def test_a_line_below_a_known_top_leaves_room() -> None:
    """Half used is half way up."""
    line = line_of([0.5, 0.5], 1.0)
    assert line is not None
    assert line.path == "M0.0,20.0 L160.0,20.0"


def test_parts_stand_one_behind_the_other() -> None:
    """In hundredths of the whole, which may be nothing."""
    found = parts_of([("a", 1.0), ("b", 0.5)], 2.0)
    assert [(part.start, part.width) for part in found] == [(0, 50), (50, 25)]
    assert [part.width for part in parts_of([("a", 1.0)], 0.0)] == [0]
