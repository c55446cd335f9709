"""Stat and bar gauge panels: last values, coloured by their thresholds."""

from __future__ import annotations

from typing import Any, Final

from tests.grafana.boards import Json
from tests.grafana.pictures.answers import Answer, named
from tests.grafana.pictures.drawing import (
    GRID,
    TEXT,
    Box,
    area,
    color,
    fitting,
    line,
    rect,
    text,
    width,
)
from tests.grafana.pictures.styles import by_threshold, steps
from tests.grafana.pictures.units import written
from tests.tools.prometheus import Series

_MOST_PX: Final = 38
_NAME_SIZE: Final = 12
#: By how much bold text is wider.
_BOLD: Final = 1.15
_BAR_PX: Final = 26


def draw_stat(panel: Json, found: list[Answer], box: Box) -> str:
    """A number for each series, side by side; a curve behind them where there is one."""
    series = named(found)
    if not series:
        return no_data(box)
    wide = box.width / len(series)
    return "".join(
        _tile(panel, name if len(series) > 1 else "", each, _part(box, number, wide))
        for number, (name, each) in enumerate(series)
    )


def _part(box: Box, number: int, wide: float) -> Box:
    return Box(box.x + number * wide, box.y, wide, box.height)


def _tile(panel: Json, name: str, series: Series, box: Box) -> str:
    shown, fill = _shown(panel, series.value)
    size = min(_MOST_PX, _MOST_PX * (box.width - 12) / (_BOLD * width(shown, _MOST_PX)))
    middle = box.x + box.width / 2
    parts = []
    has_curve = panel["options"]["graphMode"] == "area" and len(series.points) > 1
    if has_curve:
        parts.append(_curve(series, fill, box.inset(left=2, right=2)))
    base = box.y + box.height * (0.34 if has_curve else 0.5) + size * 0.36
    if name:
        cut = fitting(name, _NAME_SIZE, box.width - 4)
        parts.append(text(middle, box.y + 12, cut, size=_NAME_SIZE, style="middle"))
        base += 12
    return "".join([*parts, text(middle, base, shown, size=size, fill=fill, style="middle bold")])


def _shown(panel: Json, value: float) -> tuple[str, str]:
    """The text and its colour; some values have names."""
    defaults = panel["fieldConfig"]["defaults"]
    for mapping in defaults.get("mappings", ()):
        named: Any = mapping["options"].get(f"{value:g}")
        if named:
            return named["text"], color(named["color"])
    shown = written(value, defaults["unit"], defaults.get("decimals"))
    return shown, by_threshold(value, steps(panel))


def _curve(series: Series, fill: str, box: Box) -> str:
    values = [value for _, value in series.points]
    low, high = min(0.0, *values), max(values)
    top, height = box.bottom - box.height * 0.3, box.height * 0.3
    spread = (high - low) or 1
    course = [
        (box.x + box.width * n / (len(values) - 1), top + height * (1 - (value - low) / spread))
        for n, value in enumerate(values)
    ]
    ground = [(box.right, box.bottom), (box.x, box.bottom)]
    return area([*course, *ground], fill, 0.15) + line(course, fill)


def draw_bars(panel: Json, found: list[Answer], box: Box) -> str:
    """A bar for each series: its name, how far it is, its value."""
    series = named(found)
    if not series:
        return no_data(box)
    defaults = panel["fieldConfig"]["defaults"]
    most = defaults.get("max") or max(each.value for _, each in series) or 1
    high = min(_BAR_PX, (box.height - 8) / len(series))
    room = min(0.45 * box.width, max(width(name, _NAME_SIZE) for name, _ in series) + 14)
    parts = []
    for number, (name, each) in enumerate(series):
        bar = Box(box.x + room, box.y + 6 + number * high, box.width - room - 76, high - 6)
        parts.append(_bar(panel, name, each.value, bar, each.value / most))
    return "".join(parts)


def _bar(panel: Json, name: str, value: float, bar: Box, part: float) -> str:
    fill = by_threshold(value, steps(panel))
    done = Box(bar.x, bar.y, bar.width * min(1.0, max(0.0, part)), bar.height)
    defaults = panel["fieldConfig"]["defaults"]
    base = bar.y + bar.height / 2 + 4
    shown = written(value, defaults["unit"], defaults.get("decimals"))
    cut = fitting(name, _NAME_SIZE, 200)
    return (
        rect(bar, GRID)
        + rect(done, fill, opacity=0.75)
        + text(bar.x - 8, base, cut, size=_NAME_SIZE, fill=TEXT, style="end")
        + text(bar.right + 70, base, shown, size=13, fill=fill, style="end bold")
    )


def no_data(box: Box) -> str:
    """What Grafana says of an empty panel."""
    x, y = box.x + box.width / 2, box.y + box.height / 2
    return text(x, y, "No data", size=14, style="middle")
