"""Points of the small shapes that pages draw as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

WIDTH: Final = 160
HEIGHT: Final = 40
_FEWEST: Final = 2


class Line(NamedTuple):
    """A sparkline: its path, the area below it, and what it is between."""

    path: str
    area: str
    least: float
    most: float


def line_of(values: Sequence[float], top: float | None = None) -> Line | None:
    """In a box of WIDTH by HEIGHT, from 0 up; None of fewer than two values."""
    if len(values) < _FEWEST:
        return None
    most = max(top or 0.0, *values) or 1.0
    step = WIDTH / (len(values) - 1)
    points = [
        f"{number * step:.1f},{HEIGHT - 1 - (HEIGHT - 2) * max(0.0, value) / most:.1f}"
        for number, value in enumerate(values)
    ]
    path = "M" + " L".join(points)
    area = f"{path} L{WIDTH},{HEIGHT} L0,{HEIGHT} Z"
    return Line(path, area, min(values), max(values))


class Part(NamedTuple):
    """A part of a bar: where it begins and how long it is, of 100."""

    name: str
    value: float
    start: float
    width: float
    number: int  # which colour


def parts_of(values: Sequence[tuple[str, float]], whole: float) -> list[Part]:
    """One behind the other, in a bar that is `whole`."""
    parts, start = list[Part](), 0.0
    for number, (name, value) in enumerate(values):
        width = 100 * value / whole if whole else 0.0
        parts.append(Part(name, value, round(start, 2), round(width, 2), number % 8))
        start += width
    return parts
