"""Parts of plots as SVG, which need no library and no viewer but a browser."""

from __future__ import annotations

import math
from typing import Final

#: Okabe and Ito's colours, which colour-blind readers can tell apart.
_COLOURS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_DASHES: Final = ("none", "8 3", "2 3", "8 3 2 3")
_SVG: Final = "http://www.w3.org/2000/svg"


def document(width: int, height: int) -> tuple[str, str]:
    """How a plot begins; it ends with `</svg>`."""
    font = 'font-family="sans-serif" font-size="12"'
    return (
        f'<svg xmlns="{_SVG}" viewBox="0 0 {width} {height}" {font}>',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    )


def style(place: int) -> tuple[str, str]:
    """A colour and a dash, so that neither alone tells the lines apart."""
    return _COLOURS[place % len(_COLOURS)], _DASHES[place % len(_DASHES)]


def line(start: tuple[float, float], end: tuple[float, float], colour: str) -> str:
    """A thin one."""
    ends = f'x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"'
    return f'<line {ends} stroke="{colour}"/>'


def round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5 and 10 times a power of ten."""
    if value <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if value <= step * power)
