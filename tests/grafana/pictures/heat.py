"""A heatmap panel: how many fell into each bucket at each time."""

from __future__ import annotations

import math
from typing import Final

from tests.grafana.boards import Json
from tests.grafana.pictures.answers import Answer, Span
from tests.grafana.pictures.axes import times
from tests.grafana.pictures.drawing import FAINT, Box, rect, text, width
from tests.grafana.pictures.figures import no_data
from tests.grafana.pictures.units import written

#: Light to dark, as the scheme "Oranges" is on a dark page: the brighter, the more.
_DARK: Final = (0x3B, 0x1F, 0x10)
_BRIGHT: Final = (0xFF, 0xD8, 0xA8)
_EXPONENT: Final = 0.5
_SIZE: Final = 11
_LABEL_PX: Final = 13

Counts = list[tuple[float, dict[float, float]]]


def draw_heatmap(panel: Json, found: list[Answer], box: Box, span: Span) -> str:
    """The panel's content, a row for each bucket."""
    rows = _buckets(found)
    if not rows:
        return no_data(box)
    unit = panel["options"]["yAxis"]["unit"]
    labels = [written(bound, unit) for bound, _ in rows]
    left = max(width(label, _SIZE) for label in labels) + 12
    plot = box.inset(left=left, top=6, right=10, bottom=24)
    most = max((n for _, counts in rows for n in counts.values()), default=0) or 1
    high = plot.height / len(rows)
    parts = [times(span.start, span.end, plot)]
    for number, (_, counts) in enumerate(rows):
        row = Box(plot.x, plot.bottom - (number + 1) * high, plot.width, high)
        parts += _cells(counts, most, row, span)
    every = math.ceil(_LABEL_PX / high)
    for number in range(0, len(rows), every):
        y = plot.bottom - (number + 0.5) * high + 4
        parts.append(text(plot.x - 6, y, labels[number], size=_SIZE, fill=FAINT, style="end"))
    return "".join(parts)


def _buckets(found: list[Answer]) -> Counts:
    """From below, what is in each bucket and not in those below it."""
    cumulative = sorted(
        (float(series.labels["le"]), dict(series.points))
        for answer in found
        for series in answer.series
    )
    rows: Counts = []
    below: dict[float, float] = {}
    for bound, counts in cumulative:
        rows.append((bound, {at: max(0.0, n - below.get(at, 0.0)) for at, n in counts.items()}))
        below = counts
    return rows


def _cells(counts: dict[float, float], most: float, row: Box, span: Span) -> list[str]:
    wide = row.width * span.step_s / (span.end - span.start)
    cells = []
    for at, n in counts.items():
        x = row.x + (at - span.start) / (span.end - span.start) * row.width
        if n > 1e-9 and x + wide <= row.right + 1:
            cells.append(rect(Box(x, row.y, wide - 0.5, row.height - 0.5), _color(n / most)))
    return cells


def _color(part: float) -> str:
    share = part**_EXPONENT
    mixed = (
        round(dark + (bright - dark) * share) for dark, bright in zip(_DARK, _BRIGHT, strict=True)
    )
    return "#" + "".join(f"{each:02x}" for each in mixed)
