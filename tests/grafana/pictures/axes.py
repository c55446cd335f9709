"""Axes: values to pixels, and the round figures that stand beside them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from tests.grafana.pictures.drawing import FAINT, GRID, Box, line, text, width

_STEPS: Final = (1.0, 2.0, 2.5, 5.0, 10.0)
_TIME_STEPS_S: Final = (5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600, 10_800, 86_400)
_LABEL_PX: Final = 62
_SIZE: Final = 11


@dataclass(frozen=True, slots=True)
class Axis:
    """From `low` to `high`; `place` says how far up a value is, from 0 to 1."""

    low: float
    high: float
    ticks: tuple[float, ...]
    place: Callable[[float], float]


@dataclass(frozen=True, slots=True)
class Bounds:
    """What an axis reaches at least; a `binary` one has steps of powers of two."""

    low: float | None = None
    high: float | None = None
    binary: bool = False


def linear(values: Iterable[float], bounds: Bounds) -> Axis:
    """Round bounds around the values."""
    known = [*values, *(each for each in (bounds.low, bounds.high) if each is not None)]
    bottom, top = min(known, default=0.0), max(known, default=1.0)
    if top <= bottom:
        top = bottom + (abs(bottom) or 1.0)
    least = (top - bottom) / 4
    step = 2.0 ** math.ceil(math.log2(least)) if bounds.binary else _round_up(least)
    first, last = math.floor(bottom / step + 1e-9), math.ceil(top / step - 1e-9)
    ticks = tuple(step * number for number in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks, lambda v: (v - ticks[0]) / (ticks[-1] - ticks[0]))


def logarithmic(values: Iterable[float]) -> Axis:
    """Powers of ten around the values above 0."""
    known = [each for each in values if each > 0] or [1.0]
    first, last = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    last = max(last, first + 1)
    ticks = tuple(10.0**power for power in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks, lambda v: _power(v, ticks[0], last - first))


def _power(value: float, low: float, decades: int) -> float:
    return math.log10(max(value, low) / low) / decades


def _round_up(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    found: float = next(each for each in _STEPS if power * each >= step * (1 - 1e-9))
    return power * found


def upright(axis: Axis, box: Box, label: Callable[[float], str]) -> str:
    """Lines across, each with its figure to the left of the box."""
    parts = []
    for tick in axis.ticks:
        y = box.bottom - axis.place(tick) * box.height
        parts.append(line([(box.x, y), (box.right, y)], GRID))
        parts.append(text(box.x - 6, y + 4, label(tick), size=_SIZE, fill=FAINT, style="end"))
    return "".join(parts)


def room_for(axis: Axis, label: Callable[[float], str]) -> float:
    """How wide the figures of an axis are."""
    return max(width(label(tick), _SIZE) for tick in axis.ticks) + 12


def times(start: float, end: float, box: Box) -> str:
    """Times below the box, and lines up from them."""
    most = max(2, int(box.width / _LABEL_PX))
    step = next((each for each in _TIME_STEPS_S if (end - start) / each <= most), 86_400)
    parts = []
    tick = math.ceil(start / step) * step
    while tick <= end:
        x = box.x + (tick - start) / (end - start) * box.width
        at_edge = x > box.right - _LABEL_PX / 3
        parts.append(line([(x, box.y), (x, box.bottom)], GRID))
        clock = datetime.fromtimestamp(tick, UTC).strftime("%H:%M:%S" if step < 60 else "%H:%M")
        shown = "" if at_edge else clock
        parts.append(text(x, box.bottom + 15, shown, size=_SIZE, fill=FAINT, style="middle"))
        tick += step
    return "".join(parts)
