"""Points in steps."""

from __future__ import annotations

from app.domain.reconciliation.series import HOUR_S, Measure, Point, Series, series_of


def test_that_points_fill_the_hours_of_a_file() -> None:
    """Minutes are added up; what no line says was nothing; names' case does not matter."""
    points = [
        Point("East", "A", Measure.PROMPT, 7200, 5),
        Point("east", "a", Measure.PROMPT, 7260, 6),
        Point("east", "b", Measure.OUTPUT, 3 * HOUR_S + 1, 7),
    ]
    a, b = series_of(points, HOUR_S)
    assert a == Series("east", "a", Measure.PROMPT, 7200, HOUR_S, (11, 0))
    assert (b.starts, b.tokens, b.ends) == (7200, (0, 7), 4 * HOUR_S)
    assert series_of([], HOUR_S) == []
