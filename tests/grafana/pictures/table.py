"""A table panel: its queries' rows joined by what labels they share, columns as organised."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from tests.grafana.boards import Json
from tests.grafana.pictures.answers import Answer
from tests.grafana.pictures.drawing import EDGE, GRID, TEXT, Box, fitting, line, rect, text, width
from tests.grafana.pictures.figures import no_data
from tests.grafana.pictures.styles import by_threshold, properties
from tests.grafana.pictures.units import written

_ROW_PX: Final = 26
_SIZE: Final = 12
_HEADER: Final = "#8ab8ff"

Cell = str | float | None
TableRow = dict[str, Cell]


def draw_table(panel: Json, found: list[Answer], box: Box) -> str:
    """A header and as many rows as there is room for; the rest is to be scrolled to."""
    names, rows = contents(panel, found)
    if not rows:
        return no_data(box)
    inner = box.inset(left=8, right=8, top=2)
    places = _places(panel, names, rows, inner)
    most = max(1, int(inner.height / _ROW_PX) - 1)
    parts = [_header(names, places, inner)]
    for number, row in enumerate(rows[:most]):
        y = inner.y + (number + 1) * _ROW_PX
        parts.append(line([(inner.x, y), (inner.right, y)], EDGE))
        for name, (x, wide) in zip(names, places, strict=True):
            parts.append(_cell(panel, name, row.get(name), Box(x, y, wide, _ROW_PX)))
    return "".join(parts)


def contents(panel: Json, found: list[Answer]) -> tuple[list[str], list[TableRow]]:
    """Titles in their order, and rows by title."""
    organized = panel["transformations"][-1]["options"]
    rows = _merged(found)
    titles: dict[str, str] = organized["renameByName"]
    order = sorted(titles, key=organized["indexByName"].__getitem__)
    shown = [{titles[name]: row.get(name) for name in order} for row in rows]
    for by in panel["options"].get("sortBy", ()):
        shown.sort(key=lambda row: _rank(row[by["displayName"]]), reverse=bool(by["desc"]))
    return [titles[name] for name in order], shown


def _rank(cell: Cell) -> float:
    return cell if isinstance(cell, float) else -1.0


def _merged(found: list[Answer]) -> list[TableRow]:
    """A row for each set of labels; who has fewer labels is part of every row that has them."""
    rows: list[TableRow] = []
    for answer in found:
        name = f"Value #{answer.target['refId']}" if len(found) > 1 else "Value"
        for series in answer.series:
            fitting_rows = [row for row in rows if _fits(row, series.labels.items(), name)]
            for row in fitting_rows or [_added(rows)]:
                row |= {**series.labels, name: series.value}
    return rows


def _fits(row: TableRow, labels: Iterable[tuple[str, str]], name: str) -> bool:
    return name not in row and all(row.get(key, value) == value for key, value in labels)


def _added(rows: list[TableRow]) -> TableRow:
    rows.append({})
    return rows[-1]


def _places(
    panel: Json, names: list[str], rows: list[TableRow], box: Box
) -> list[tuple[float, float]]:
    """Where columns are: as wide as what is in them, scaled to the panel."""
    wants = [
        max(
            width(name, _SIZE),
            *(width(_written(panel, name, row.get(name))[0], _SIZE) for row in rows),
            90 if _is_gauge(panel, name) else 0,
        )
        + 16
        for name in names
    ]
    scale = box.width / sum(wants)
    places, x = [], box.x
    for want in wants:
        places.append((x, want * scale))
        x += want * scale
    return places


def _header(names: list[str], places: list[tuple[float, float]], box: Box) -> str:
    return "".join(
        text(x + 4, box.y + 18, fitting(name, _SIZE, wide), size=_SIZE, fill=_HEADER, style="bold")
        for name, (x, wide) in zip(names, places, strict=True)
    )


def _cell(panel: Json, name: str, cell: Cell, box: Box) -> str:
    shown, fill = _written(panel, name, cell)
    if not (_is_gauge(panel, name) and isinstance(cell, float)):
        cut = fitting(shown, _SIZE, box.width)
        return text(box.x + 4, box.y + 18, cut, size=_SIZE, fill=fill)
    bar = Box(box.x + 4, box.y + 5, box.width - 64, box.height - 10)
    done = Box(bar.x, bar.y, bar.width * min(1.0, max(0.0, cell)), bar.height)
    value = text(box.right - 4, box.y + 18, shown, size=_SIZE, fill=fill, style="end")
    return rect(bar, GRID) + rect(done, fill, opacity=0.75) + value


def _is_gauge(panel: Json, name: str) -> bool:
    options: Any = properties(panel, name).get("custom.cellOptions", {})
    return bool(options.get("type") == "gauge")


def _written(panel: Json, name: str, cell: Cell) -> tuple[str, str]:
    """The text of a cell and its colour."""
    if not isinstance(cell, float):
        return cell or "", TEXT
    found = properties(panel, name)
    unit = found.get("unit", panel["fieldConfig"]["defaults"]["unit"])
    steps = found.get("thresholds", {}).get("steps")
    return written(cell, unit, found.get("decimals")), by_threshold(cell, steps) if steps else TEXT
