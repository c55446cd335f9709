"""One way to say a quantity: half an hour is 30 minutes, 24 hours are a day, 2000 m are 2 km."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Final

from app.domain.cache.guards.items import Item
from app.domain.cache.guards.numerals import shown

#: What a unit is of the smallest of its kind, by its name in the tables.
_SIZES: Final = {
    "ms": ("time", Decimal("0.001")), "second": ("time", Decimal(1)),
    "seconds": ("time", Decimal(1)), "minute": ("time", Decimal(60)),
    "hour": ("time", Decimal(3600)), "day": ("time", Decimal(86400)),
    "week": ("time", Decimal(604800)), "month": ("months", Decimal(1)),
    "year": ("months", Decimal(12)), "mm": ("length", Decimal(1)), "cm": ("length", Decimal(10)),
    "meter": ("length", Decimal(1000)), "km": ("length", Decimal(1000000)),
    "mg": ("mass", Decimal(1)), "gram": ("mass", Decimal(1000)), "kg": ("mass", Decimal(1000000)),
    "ml": ("volume", Decimal(1)), "liter": ("volume", Decimal(1000)),
}  # fmt: skip
_HALVES: Final = frozenset({"0.5", "0.25"})
_DOZEN: Final = "dozen"


def with_quantities(items: Sequence[Item]) -> tuple[Item, ...]:
    """`items`, a number and the unit behind it made one."""
    return tuple(_merged(items))


def _merged(items: Sequence[Item]) -> Iterator[Item]:
    at = 0
    while at < len(items):
        quantity = _quantity(items[at : at + 2])
        yield quantity or items[at]
        at += 2 if quantity else 1


def _quantity(two: Sequence[Item]) -> Item | None:
    kinds = tuple(item.kind for item in two)
    if kinds in {("number", "cur"), ("cur", "number")} and two[0].chunk == two[1].chunk:
        number, of = two if kinds[0] == "number" else reversed(two)
        return replace(of, value=f"{number.value} {of.value}")
    if kinds in {("number", "unit"), ("number", "time")}:
        return _measured(*two)
    return None


def _measured(number: Item, unit: Item) -> Item | None:
    if unit.chunk != number.chunk and number.value not in _HALVES:
        return None
    try:
        count = Decimal(number.value)
    except InvalidOperation:
        return None
    if unit.value == _DOZEN:
        return replace(number, value=shown(count * 12))
    if unit.value not in _SIZES:
        return None
    of, size = _SIZES[unit.value]
    return replace(number, kind="quantity", value=f"{shown(count * size)} {of}")
