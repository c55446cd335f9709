"""The distributions of a comparison as SVG: for each kind of time, which part was as fast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final
from xml.sax.saxutils import escape

from app.planner.latency.report import TIMES, Measured
from app.planner.plots.svg import document, line, round_up, style

_WIDTH: Final = 860
_PANEL: Final = 220
_LEFT: Final = 70
_PLOT: Final = _WIDTH - _LEFT - 30
_HEIGHT: Final = 140
_TOP: Final = 34
_TICKS: Final = 5
_MS: Final = 1000


def plotted(found: Sequence[Measured]) -> str:
    """One panel for each kind of time; a line rises from 0 to 100 % of a deployment's answers.

    A dot marks each median.
    """
    height = len(TIMES) * _PANEL + 30 + 20 * len(found)
    parts = [*document(_WIDTH, height)]
    for place, (name, title) in enumerate(TIMES.items()):
        parts += _panel(found, name, title, place * _PANEL + _TOP)
    parts += _legend(found, len(TIMES) * _PANEL + 20)
    return "\n".join([*parts, "</svg>", ""])


def _panel(found: Sequence[Measured], name: str, title: str, top: float) -> Iterator[str]:
    longest = max((value for each in found for value in each.values[name]), default=0.0)
    end = round_up(longest) or 1.0
    yield f'<text x="{_LEFT}" y="{top - 12}" font-weight="bold">{title}, ms</text>'
    for tick in range(_TICKS + 1):
        part = tick / _TICKS
        x, y = _LEFT + part * _PLOT, top + (1 - part) * _HEIGHT
        yield line((_LEFT, y), (_LEFT + _PLOT, y), "#dddddd")
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{part:.0%}</text>'
        shown = f"{part * end * _MS:g}"
        yield f'<text x="{x:.1f}" y="{top + _HEIGHT + 18}" text-anchor="middle">{shown}</text>'
    for place, each in enumerate(found):
        yield from _curve(sorted(each.values[name]), place, top, end)


def _curve(ordered: Sequence[float], place: int, top: float, end: float) -> Iterator[str]:
    if not ordered:
        return
    colour, dash = style(place)
    points = [f"{_LEFT},{top + _HEIGHT}"]
    for rank, value in enumerate(ordered):
        x = _LEFT + value / end * _PLOT
        steps = (rank / len(ordered), (rank + 1) / len(ordered))
        points += [f"{x:.1f},{top + (1 - part) * _HEIGHT:.1f}" for part in steps]
    points.append(f"{_LEFT + _PLOT},{top}")
    yield (
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}" '
        f'points="{" ".join(points)}"/>'
    )
    middle = _LEFT + ordered[(len(ordered) - 1) // 2] / end * _PLOT
    yield f'<circle cx="{middle:.1f}" cy="{top + _HEIGHT / 2}" r="5" fill="{colour}"/>'


def _legend(found: Sequence[Measured], top: float) -> Iterator[str]:
    for place, each in enumerate(found):
        colour, dash = style(place)
        y = top + 20 * place
        yield (
            f'<line x1="{_LEFT}" x2="{_LEFT + 40}" y1="{y}" y2="{y}" stroke="{colour}" '
            f'stroke-width="2" stroke-dasharray="{dash}"/>'
        )
        said = f"{escape(each.deployment)} ({each.answered} answers)"
        yield f'<text x="{_LEFT + 50}" y="{y + 4}">{said}</text>'
