"""A time series panel: lines or stacked areas over time, thresholds, a legend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tests.grafana.boards import Json
from tests.grafana.pictures.answers import Answer, Span, named
from tests.grafana.pictures.axes import Axis, Bounds, linear, logarithmic, room_for, times, upright
from tests.grafana.pictures.drawing import Box, area, color, fitting, line, rect, text, width
from tests.grafana.pictures.figures import no_data
from tests.grafana.pictures.styles import Style, steps, styles
from tests.grafana.pictures.units import written

_LEGEND_PX: Final = 17
_MOST_LINES: Final = 2
_SIZE: Final = 11
_FILL: Final = 0.1
_STACKED_FILL: Final = 0.4
#: A point further from the last than that is after a gap.
_GAP: Final = 1.6

Points = list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Line:
    """One series as it is drawn: stacked ones stand on `floor`."""

    name: str
    points: Points
    floor: Points
    style: Style


def draw_graph(panel: Json, found: list[Answer], box: Box, span: Span) -> str:
    """The panel's content."""
    lines = _lines(panel, found)
    if not lines:
        return no_data(box)
    legend = list(_rows(lines, box.width))[:_MOST_LINES]
    axis = _axis(panel, lines)
    unit = panel["fieldConfig"]["defaults"]["unit"]

    def label(value: float) -> str:
        return written(value, unit)

    plot = box.inset(
        left=room_for(axis, label), top=6, right=10, bottom=22 + _LEGEND_PX * len(legend)
    )
    parts = [times(span.start, span.end, plot), upright(axis, plot, label)]
    parts += [_drawn(each, axis, plot, span) for each in lines]
    parts += [_threshold(step, axis, plot) for step in _shown_steps(panel)]
    parts.append(_legend(legend, Box(box.x, plot.bottom + 22, box.width, 0)))
    return "".join(parts)


def _lines(panel: Json, found: list[Answer]) -> list[_Line]:
    series = named(found)
    is_stacked = panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal"
    below: dict[float, float] = {}
    made = []
    for (name, each), style in zip(
        series, styles(panel, [name for name, _ in series]), strict=True
    ):
        stands = is_stacked and not style.dashed
        floor = [(at, below.get(at, 0.0)) for at, _ in each.points] if stands else []
        points = [(at, value + (below.get(at, 0.0) if stands else 0)) for at, value in each.points]
        if stands:
            below |= dict(points)
        made.append(_Line(name, points, floor, style))
    return made


def _axis(panel: Json, lines: list[_Line]) -> Axis:
    defaults = panel["fieldConfig"]["defaults"]
    custom = defaults["custom"]
    values = [value for each in lines for _, value in each.points]
    if custom.get("scaleDistribution", {}).get("type") == "log":
        return logarithmic(values)
    low, high = custom.get("axisSoftMin"), custom.get("axisSoftMax")
    return linear(values, Bounds(low, high, binary=defaults["unit"] == "bytes"))


def _drawn(each: _Line, axis: Axis, plot: Box, span: Span) -> str:
    def at(point: tuple[float, float]) -> tuple[float, float]:
        x = plot.x + (point[0] - span.start) / (span.end - span.start) * plot.width
        return x, plot.bottom - axis.place(point[1]) * plot.height

    parts = []
    for first, last in _stretches(each.points, span.step_s * _GAP):
        course = [at(point) for point in each.points[first:last]]
        floor = [at(point) for point in each.floor[first:last]]
        if not each.style.dashed:
            ground = floor or [(x, plot.bottom) for x, _ in course]
            opacity = _STACKED_FILL if floor else _FILL
            parts.append(area([*course, *reversed(ground)], each.style.color, opacity))
        parts.append(line(course, each.style.color, dash="6 4" if each.style.dashed else ""))
        if last - first == 1:
            ((x, y),) = course
            parts.append(rect(Box(x - 2, y - 2, 4, 4), each.style.color, radius=2))
    return "".join(parts)


def _stretches(points: Points, gap_s: float) -> Iterator[tuple[int, int]]:
    """From where to where there is no gap."""
    first = 0
    for number, (one, other) in enumerate(pairwise(points), 1):
        if other[0] - one[0] > gap_s:
            yield first, number
            first = number
    if points:
        yield first, len(points)


def _shown_steps(panel: Json) -> list[Json]:
    style = panel["fieldConfig"]["defaults"]["custom"]["thresholdsStyle"]["mode"]
    return [each for each in steps(panel) if each["value"] is not None and style != "off"]


def _threshold(step: Json, axis: Axis, plot: Box) -> str:
    if not axis.low <= step["value"] <= axis.high:
        return ""
    y = plot.bottom - axis.place(step["value"]) * plot.height
    return line([(plot.x, y), (plot.right, y)], color(step["color"]), dash="8 5")


def _rows(lines: list[_Line], room: float) -> Iterator[list[_Line]]:
    """The legend, broken into lines."""
    row: list[_Line] = []
    used = 0.0
    for each in lines:
        wide = _wide(each)
        if row and used + wide > room:
            yield row
            row, used = [], 0.0
        row.append(each)
        used += wide
    if row:
        yield row


def _wide(each: _Line) -> float:
    return width(each.name, _SIZE) + 30


def _legend(rows: list[list[_Line]], box: Box) -> str:
    parts = []
    for number, row in enumerate(rows):
        x, y = box.x + 10, box.y + _LEGEND_PX * number + 12
        for each in row:
            parts.append(rect(Box(x, y - 6, 12, 3), each.style.color, radius=1))
            parts.append(text(x + 17, y, fitting(each.name, _SIZE, box.width - 30), size=_SIZE))
            x += _wide(each)
    return "".join(parts)
