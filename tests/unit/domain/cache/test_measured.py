"""What was measured, as it is counted and shown."""

from __future__ import annotations

import pytest

from app.domain.cache.error_rate import Band, Comparison
from app.domain.cache.measured import Evidence, day_of, evidence_by_model, field_of, measured

SAME, DIFFERENT, UNDECIDED = Comparison.SAME, Comparison.DIFFERENT, Comparison.UNDECIDED


def test_what_was_counted_is_read_again() -> None:
    """Day by day, model by model; a model's name may hold anything."""
    model = "ft:gpt-4o:acme::x"
    days = [
        {field_of(model, 0.051, SAME): 3, field_of("other", 0.0, DIFFERENT): 1},
        {field_of(model, 0.059, SAME): 2, field_of(model, 0.2, DIFFERENT): 1},
        {field_of(model, 0.1, UNDECIDED): 4},
    ]
    assert evidence_by_model(days) == {
        model: Evidence((Band(5, 5, 0), Band(20, 0, 1)), 4),
        "other": Evidence((Band(0, 0, 1),), 0),
    }


@pytest.mark.parametrize("field", ["", "same", "same:x:m", "worse:1:m", "same:-1:m"])
def test_what_another_version_wrote_is_passed_over(field: str) -> None:
    """Nothing is made of it."""
    assert evidence_by_model([{field: 1}]) == {}


def test_days_end_at_midnight() -> None:
    """UTC, on every replica."""
    assert day_of(86_400 * 20_000 - 0.1) == 19_999
    assert day_of(86_400 * 20_000) == 20_000


def test_it_is_shown_with_how_sure_it_is() -> None:
    """The interval is of what was decided."""
    shown = measured("acme", "m", Evidence((Band(1, 90, 10),), 7), threshold=0.1, widest=0.25)
    assert (shown.samples, shown.false_hits, shown.undecided, shown.rate) == (100, 10, 7, 0.1)
    assert shown.low == pytest.approx(0.0552, abs=1e-4)
    assert shown.high == pytest.approx(0.1744, abs=1e-4)
