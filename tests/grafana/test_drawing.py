"""The small renderer draws what a panel says, and says so where there is nothing to draw."""

from __future__ import annotations

import re
from pathlib import Path

import promql_parser as promql
import pytest

from tests.grafana.boards import DASHBOARDS, Json, board, filled, panels
from tests.grafana.pictures.answers import Answer, Span
from tests.grafana.pictures.axes import Bounds, linear, logarithmic
from tests.grafana.pictures.page import as_png, draw_page
from tests.grafana.pictures.units import written
from tests.grafana.promql import labels
from tests.tools.prometheus import Series

SPAN = Span(1_000_000.0, 1_000_060.0, 10.0)
TIMES = [SPAN.start + 10 * number for number in range(7)]
each_board = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "text"),
    [
        (0.0, "s", None, "0 s"),
        (0.0123, "s", None, "12.3 ms"),
        (0.95, "s", None, "950 ms"),
        (75, "s", None, "1.25 mins"),
        (90_000, "s", None, "1.04 days"),
        (0.9993, "percentunit", 2, "99.93%"),
        (1_234, "currencyUSD", None, "$1.23K"),
        (-5, "currencyUSD", None, "-$5"),
        (0, "short", None, "0"),
        (1_500_000, "short", None, "1.5 Mil"),
        (100, "reqps", None, "100 req/s"),
        (3 * 2**20, "bytes", None, "3 MiB"),
        (1, "bool_yes_no", None, "Yes"),
        (float("inf"), "s", None, "∞"),
    ],
)
def test_figures_are_written_as_grafana_writes_them(
    value: float, unit: str, decimals: int | None, text: str
) -> None:
    """Three figures, and the unit's own multiples."""
    assert written(value, unit, decimals) == text


def test_axes_have_round_figures_around_what_is_shown() -> None:
    """Nothing is cut off, and little is left empty."""
    axis = linear([3.0, 47.0], Bounds(low=0))
    assert axis.ticks == (0, 20, 40, 60)
    assert (axis.place(0), axis.place(60)) == (0, 1)
    assert linear([100 * 2**20], Bounds(low=0, binary=True)).ticks[1] == 32 * 2**20
    decades = logarithmic([0.02, 30])
    assert decades.ticks == pytest.approx((0.01, 0.1, 1, 10, 100))
    assert decades.place(1) == pytest.approx(0.5)


@each_board
def test_every_panel_is_drawn(path: Path) -> None:
    """Of every kind, with made-up answers: its title is there, and figures or a legend."""
    read = board(path)
    found = {
        panel["id"]: [_made_up(target) for target in panel["targets"]] for panel in panels(read)
    }
    svg = draw_page(read, found, SPAN)
    assert "No data" not in svg
    shown = re.sub(r"<[^>]+>", "\n", svg)
    for panel in panels(read):
        assert panel["title"].split()[0] in shown
    assert as_png(svg).startswith(b"\x89PNG")


@each_board
def test_empty_panels_say_so(path: Path) -> None:
    """As Grafana does, and not as if the value were 0."""
    read = board(path)
    assert draw_page(read, {}, SPAN).count("No data") == len(panels(read))


def _made_up(target: Json) -> Answer:
    """Two series that have the labels of the expression."""
    known = labels(promql.parse(filled(target["expr"]))) or frozenset()
    bounds = ["0.1", "+Inf"]
    made = [
        Series(
            {name: bounds[n] if name == "le" else f"{name}-{n}" for name in known},
            tuple((at, 1.0 + n + index) for index, at in enumerate(TIMES)),
        )
        for n in range(2 if known else 1)
    ]
    return Answer(target, tuple(made))
