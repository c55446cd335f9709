"""Plots as SVG: a dot for each median, a line for its spread, on a scale of powers of ten."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from loadtest.bench.quantiles import Spread

_WIDTH: Final = 760
_LEFT: Final = 230
_RIGHT: Final = 90
_TOP: Final = 56
_ROW: Final = 30
_FOOT: Final = 34
_OURS: Final = "#c2410c"
_OTHERS: Final = "#334155"
_GRID: Final = "#cbd5e1"
_OPENING: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
    'aria-label="{title}">'
)
_SPREAD: Final = (
    '<line x1="{x1:.1f}" y1="{y}" x2="{x2:.1f}" y2="{y}" stroke="{colour}" stroke-width="3"/>'
)
_FONT: Final = 'font-family="sans-serif"'


@dataclass(frozen=True, slots=True)
class Row:
    """One of a plot's; `ours` is told apart."""

    label: str
    spread: Spread
    ours: bool = False


def plot(title: str, unit: str, rows: Sequence[Row]) -> str:
    """The picture; every value above zero."""
    height = _TOP + _ROW * len(rows) + _FOOT
    scale = _Scale.of([value for row in rows for value in (row.spread.least, row.spread.most)])
    parts = [
        _OPENING.format(width=_WIDTH, height=height, title=escape(title)),
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
        _text(16, 26, title, size=15, weight="bold"),
        _text(16, 44, f"{unit}; dot: median of rounds, line: least to most", size=11),
        *(part for power in scale.powers for part in _grid(scale, power, height)),
        *(part for at, row in enumerate(rows) for part in _row(scale, row, _TOP + _ROW * at)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class _Scale:
    """From one power of ten to another."""

    low: int
    high: int

    @classmethod
    def of(cls, values: Sequence[float]) -> _Scale:
        low = math.floor(math.log10(min(values)))
        return cls(low, max(low + 1, math.ceil(math.log10(max(values)))))

    @property
    def powers(self) -> range:
        return range(self.low, self.high + 1)

    def x(self, value: float) -> float:
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)


def _grid(scale: _Scale, power: int, height: int) -> list[str]:
    x = scale.x(10.0**power)
    bottom = height - _FOOT + 4
    return [
        f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{_GRID}"/>',
        _text(x, bottom + 16, f"{10.0**power:,g}", anchor="middle", size=11),
    ]


def _row(scale: _Scale, row: Row, top: int) -> list[str]:
    y, colour = top + _ROW / 2, _OURS if row.ours else _OTHERS
    least, median, most = (
        scale.x(each) for each in (row.spread.least, row.spread.median, row.spread.most)
    )
    return [
        _text(_LEFT - 12, y + 4, row.label, anchor="end", weight="bold" if row.ours else "normal"),
        _SPREAD.format(x1=least, x2=most, y=y, colour=colour),
        f'<circle cx="{median:.1f}" cy="{y}" r="6" fill="{colour}"/>',
        _text(most + 12, y + 4, told(row.spread.median)),
    ]


def told(value: float) -> str:
    """Three digits, or all before the point."""
    if value == 0:
        return "0"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" {_FONT} font-size="{size}" font-weight="{weight}" '
        f'text-anchor="{anchor}" fill="#0f172a">{escape(text)}</text>'
    )
