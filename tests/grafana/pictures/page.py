"""A whole dashboard as a picture: its panels on Grafana's grid, with what Prometheus answered."""

from __future__ import annotations

from typing import Final

import resvg_py

from tests.grafana.boards import Json
from tests.grafana.pictures.answers import Answer, Span
from tests.grafana.pictures.drawing import (
    EDGE,
    FAINT,
    PAGE,
    PANEL,
    Box,
    fitting,
    rect,
    text,
)
from tests.grafana.pictures.figures import draw_bars, draw_stat
from tests.grafana.pictures.graph import draw_graph
from tests.grafana.pictures.heat import draw_heatmap
from tests.grafana.pictures.table import draw_table

WIDTH: Final = 1_600
_SVG: Final = "http://www.w3.org/2000/svg"
_FONT: Final = "DejaVu Sans, sans-serif"
_COLUMN: Final = WIDTH / 24
_UNIT: Final = 38
_GAP: Final = 4
_TOP: Final = 48
_TITLE_PX: Final = 28


def draw_page(board: Json, found: dict[int, list[Answer]], span: Span) -> str:
    """The dashboard as SVG; answers are by the panel's id."""
    bottom = max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in board["panels"])
    height = _TOP + bottom * _UNIT + _GAP
    parts = [
        f'<svg xmlns="{_SVG}" width="{WIDTH}" height="{height}" font-family="{_FONT}">',
        rect(Box(0, 0, WIDTH, height), PAGE),
        text(14, 31, board["title"], size=17, style="bold"),
        text(WIDTH - 14, 31, board["description"], size=14, fill=FAINT, style="end"),
    ]
    parts += [_panel(each, found.get(each["id"], []), span) for each in board["panels"]]
    return "".join([*parts, "</svg>"])


def as_png(svg: str) -> bytes:
    """The picture, with the machine's own fonts."""
    return bytes(resvg_py.svg_to_bytes(svg_string=svg))


def _panel(panel: Json, found: list[Answer], span: Span) -> str:
    place = panel["gridPos"]
    box = Box(
        place["x"] * _COLUMN + _GAP,
        _TOP + place["y"] * _UNIT,
        place["w"] * _COLUMN - 2 * _GAP,
        place["h"] * _UNIT - 2 * _GAP,
    )
    if panel["type"] == "row":
        return text(box.x + 8, box.y + 22, f"▾ {panel['title']}", size=15, style="bold")
    title = fitting(panel["title"], 13, box.width - 20)
    frame = rect(box, PANEL, edge=EDGE, radius=2)
    inner = box.inset(left=2, top=_TITLE_PX, right=2, bottom=4)
    return (
        frame
        + text(box.x + 10, box.y + 19, title, size=13, style="bold")
        + _content(panel, found, inner, span)
    )


def _content(panel: Json, found: list[Answer], box: Box, span: Span) -> str:
    match panel["type"]:
        case "timeseries":
            return draw_graph(panel, found, box, span)
        case "heatmap":
            return draw_heatmap(panel, found, box, span)
        case "stat":
            return draw_stat(panel, found, box)
        case "bargauge":
            return draw_bars(panel, found, box)
        case "table":
            return draw_table(panel, found, box)
        case kind:
            raise AssertionError(f"no such panel: {kind}")
