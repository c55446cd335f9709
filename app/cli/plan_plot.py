"""A plan as SVG: cost over the number of PTUs, and the hours of a week."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from app.cli.svg import document, line, round_up, style
from app.planner.sizing.plan import PtuPlan, Recommendation

_WIDTH: Final = 860
_LEFT: Final = 80
_PLOT: Final = _WIDTH - _LEFT - 30
_TOP: Final = 40
_HEIGHT: Final = 220
_TICKS: Final = 5
_CELL: Final = 24
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS: Final = 24
#: Costs are shown up to so many times what pay-as-you-go alone costs.
_SHOWN: Final = 1.6
_UNKNOWN: Final = "#eeeeee"


def plotted(found: PtuPlan) -> str:
    """One panel of costs, a line for each term with a dot at its best; below, two heat maps.

    They are of the most PTUs that any term recommends: the part of them that is used, and the part
    that spills, by hour of the week in UTC. Numbers are written in: nobody should guess a colour.
    """
    first = max(found.recommendations, key=lambda each: each.option.ptus)
    maps = _TOP + _HEIGHT + 90
    map_height = len(_DAYS) * _CELL + 70
    height = maps + 2 * map_height
    of = f"{first.option.ptus} PTUs"
    parts = [*document(_WIDTH, height), *_costs(found)]
    parts += _map(f"% of {of} in use, by hour (UTC)", first.hours.utilization, maps)
    parts += _map(f"% of requests that spill from {of}", first.hours.spilled, maps + map_height)
    return "\n".join([*parts, "</svg>", ""])


def _costs(found: PtuPlan) -> Iterator[str]:
    widest = max(each.ptus for each in found.options) or 1
    top = round_up(_SHOWN * max(cost.usd for cost in found.options[0].costs.values())) or 1.0
    yield f'<text x="{_LEFT}" y="{_TOP - 16}" font-weight="bold">USD of the period, by PTUs</text>'
    for tick in range(_TICKS + 1):
        part = tick / _TICKS
        x, y = _LEFT + part * _PLOT, _TOP + (1 - part) * _HEIGHT
        yield line((_LEFT, y), (_LEFT + _PLOT, y), "#dddddd")
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{part * top:,.0f}</text>'
        ptus = f"{part * widest:,.0f}"
        yield f'<text x="{x:.1f}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{ptus}</text>'
    for place, each in enumerate(found.recommendations):
        points = [(o.ptus / widest, o.costs[each.term].usd / top) for o in found.options]
        points = [point for point in points if point[1] <= 1]
        best = (each.option.ptus / widest, each.option.costs[each.term].usd / top)
        yield from _curve(place, points, best)
        yield from _legend(place, each)


def _curve(
    place: int, points: Sequence[tuple[float, float]], best: tuple[float, float]
) -> Iterator[str]:
    colour, dash = style(place)
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(_at, points))
    yield (
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}" '
        f'points="{drawn}"/>'
    )
    x, y = _at(best)
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'


def _at(point: tuple[float, float]) -> tuple[float, float]:
    return _LEFT + point[0] * _PLOT, _TOP + (1 - point[1]) * _HEIGHT


def _legend(place: int, each: Recommendation) -> Iterator[str]:
    colour, dash = style(place)
    x, y = _LEFT + place * 250, _TOP + _HEIGHT + 46
    yield (
        f'<line x1="{x}" x2="{x + 40}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2" '
        f'stroke-dasharray="{dash}"/>'
    )
    yield f'<text x="{x + 50}" y="{y + 4}">{each.term}: {each.option.ptus} PTUs</text>'


def _map(title: str, values: Sequence[float | None], top: float) -> Iterator[str]:
    yield f'<text x="{_LEFT}" y="{top - 8}" font-weight="bold">{title}</text>'
    width = _PLOT / _HOURS
    for hour in range(_HOURS):
        x = _LEFT + (hour + 0.5) * width
        y = top + len(_DAYS) * _CELL + 16
        yield f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{hour}</text>'
    for day, name in enumerate(_DAYS):
        y = top + day * _CELL
        yield f'<text x="{_LEFT - 8}" y="{y + 16}" text-anchor="end">{name}</text>'
        for hour in range(_HOURS):
            yield from _cell(values[day * _HOURS + hour], _LEFT + hour * width, y, width)


def _cell(value: float | None, x: float, y: float, width: float) -> Iterator[str]:
    fill = _UNKNOWN if value is None else _shade(value)
    yield (
        f'<rect x="{x:.1f}" y="{y}" width="{width - 1:.1f}" height="{_CELL - 1}" fill="{fill}"/>'
    )
    if value is not None:
        ink = "#ffffff" if value > 0.55 else "#000000"  # noqa: PLR2004  # where black is hard to read
        middle = f'x="{x + width / 2:.1f}" y="{y + 16}" text-anchor="middle"'
        yield f'<text {middle} fill="{ink}" font-size="10">{100 * value:.0f}</text>'


def _shade(value: float) -> str:
    """From white to a dark blue."""
    part = min(1.0, max(0.0, value))
    red, green, blue = (round(255 + part * (to - 255)) for to in (0, 60, 120))
    return f"#{red:02x}{green:02x}{blue:02x}"
