"""A plan as SVG: cost over the number of PTUs, the hours of a week, and spilling over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from app.planner.plots.svg import document, line, round_up, style
from app.planner.sizing.told import Told

_WIDTH: Final = 860
_LEFT: Final = 80
_PLOT: Final = _WIDTH - _LEFT - 30
_TOP: Final = 40
_HEIGHT: Final = 220
_TICKS: Final = 5
_CELL: Final = 24
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS: Final = 24
_TIME_HEIGHT: Final = 120
#: Costs are shown up to so many times what pay-as-you-go alone costs.
_SHOWN: Final = 1.6
_UNKNOWN: Final = "#eeeeee"
_PERCENT: Final = 100


def plotted(told: Told) -> str:
    """Of a plan as JSON: a panel of costs, two heat maps of the week, and a line of time.

    Costs have a line for each term with a dot at its best. The others are of the most PTUs that
    any term recommends: the part of them that is used, and the part of requests that spills, by
    hour of the week in UTC; then that part over the whole period. Numbers are written in: nobody
    should guess a colour.
    """
    first = max(told["recommendations"], key=lambda each: each["ptus"])
    of, hours = f"{first['ptus']} PTUs", first["hours"]
    maps, map_height = _TOP + _HEIGHT + 90, len(_DAYS) * _CELL + 70
    time = maps + 2 * map_height
    parts = [*document(_WIDTH, time + _TIME_HEIGHT + 50), *_costs(told)]
    parts += _map(f"% of {of} in use, by hour (UTC)", hours["utilization"], maps)
    parts += _map(f"% of requests that spill from {of}", hours["spilled"], maps + map_height)
    parts += _over_time(f"% of requests that spill from {of}, over time", first["timeline"], time)
    return "\n".join([*parts, "</svg>", ""])


def _costs(told: Told) -> Iterator[str]:
    options, terms = told["options"], [each["term"] for each in told["recommendations"]]
    widest = max(each["ptus"] for each in options) or 1
    top = round_up(_SHOWN * max(options[0]["usd"].values())) or 1.0
    yield f'<text x="{_LEFT}" y="{_TOP - 16}" font-weight="bold">USD of the period, by PTUs</text>'
    for tick in range(_TICKS + 1):
        part = tick / _TICKS
        x, y = _LEFT + part * _PLOT, _TOP + (1 - part) * _HEIGHT
        yield line((_LEFT, y), (_LEFT + _PLOT, y), "#dddddd")
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{part * top:,.0f}</text>'
        ptus = f"{part * widest:,.0f}"
        yield f'<text x="{x:.1f}" y="{_TOP + _HEIGHT + 18}" text-anchor="middle">{ptus}</text>'
    for place, term in enumerate(terms):
        best = told["recommendations"][place]["ptus"]
        points = {each["ptus"]: each["usd"][term] / top for each in options}
        yield from _curve(place, points, best, widest)
        yield from _legend(place, f"{term}: {best} PTUs")


def _curve(place: int, points: Mapping[int, float], best: int, widest: int) -> Iterator[str]:
    """A line through what is not above the panel, and a dot at the best."""
    colour, dash = style(place)
    shown = ((ptus / widest, part) for ptus, part in points.items() if part <= 1)
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(_at, shown))
    yield (
        f'<polyline fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}" '
        f'points="{drawn}"/>'
    )
    x, y = _at((best / widest, points[best]))
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}"/>'


def _at(point: tuple[float, float]) -> tuple[float, float]:
    return _LEFT + point[0] * _PLOT, _TOP + (1 - point[1]) * _HEIGHT


def _legend(place: int, said: str) -> Iterator[str]:
    colour, dash = style(place)
    x, y = _LEFT + place * 250, _TOP + _HEIGHT + 46
    yield (
        f'<line x1="{x}" x2="{x + 40}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2" '
        f'stroke-dasharray="{dash}"/>'
    )
    yield f'<text x="{x + 50}" y="{y + 4}">{escape(said)}</text>'


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
        yield f'<text {middle} fill="{ink}" font-size="10">{_PERCENT * value:.0f}</text>'


def _shade(value: float) -> str:
    """From white to a dark blue."""
    part = min(1.0, max(0.0, value))
    red, green, blue = (round(255 + part * (to - 255)) for to in (0, 60, 120))
    return f"#{red:02x}{green:02x}{blue:02x}"


def _over_time(title: str, told: Mapping[str, Any], top: float) -> Iterator[str]:
    """A bar for each step; the scale ends at a round part above the highest."""
    shares: Sequence[float | None] = told["spilled"]
    most = min(1.0, round_up(max((each or 0.0 for each in shares), default=0.0)) or 0.01)
    yield f'<text x="{_LEFT}" y="{top - 8}" font-weight="bold">{title}</text>'
    for part in (0.0, 0.5, 1.0):
        y = top + (1 - part) * _TIME_HEIGHT
        yield line((_LEFT, y), (_LEFT + _PLOT, y), "#dddddd")
        said = f"{_PERCENT * part * most:g}"
        yield f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{said}</text>'
    width = _PLOT / len(shares)
    for place, share in enumerate(shares):
        if share:
            high = share / most * _TIME_HEIGHT
            yield (
                f'<rect x="{_LEFT + place * width:.1f}" y="{top + _TIME_HEIGHT - high:.1f}" '
                f'width="{max(1.0, width - 0.5):.1f}" height="{high:.1f}" fill="#0072B2"/>'
            )
    for place in sorted({0, len(shares) // 2, len(shares) - 1}):
        moment = datetime.fromtimestamp(told["since"] + place * told["step_s"], UTC)
        x = _LEFT + (place + 0.5) * width
        y = top + _TIME_HEIGHT + 18
        yield f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{moment:%Y-%m-%d}</text>'
