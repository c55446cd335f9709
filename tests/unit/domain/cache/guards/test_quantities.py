"""Numbers and their units."""

from __future__ import annotations

import pytest

from app.domain.cache.guards.items import Item
from app.domain.cache.guards.quantities import with_quantities


def said(*parts: tuple[str, str]) -> list[Item]:
    return [Item(kind, value) for kind, value in parts]


@pytest.mark.parametrize(
    ("parts", "merged"),
    [
        ([("number", "2"), ("unit", "km")], [("quantity", "2000000 length")]),
        ([("number", "2000"), ("unit", "meter")], [("quantity", "2000000 length")]),
        ([("number", "24"), ("unit", "hour")], [("quantity", "86400 time")]),
        ([("number", "1"), ("time", "day")], [("quantity", "86400 time")]),
        ([("number", "2"), ("unit", "dozen")], [("number", "24")]),
        ([("cur", "eur"), ("number", "5")], [("cur", "5 eur")]),
        ([("number", "5"), ("cur", "eur")], [("cur", "5 eur")]),
        ([("number", "5"), ("unit", "mile")], [("number", "5"), ("unit", "mile")]),
        ([("w", "km"), ("number", "x")], [("w", "km"), ("number", "x")]),
    ],
)
def test_a_quantity_has_one_form(
    parts: list[tuple[str, str]], merged: list[tuple[str, str]]
) -> None:
    """Units of one kind become the smallest of it; others stay as they are."""
    assert [(item.kind, item.value) for item in with_quantities(said(*parts))] == merged
