"""A plan as SVG."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from app.planner.sizing.plan import plan
from app.planner.sizing.plot import plotted
from app.planner.sizing.told import as_json
from tests.unit.planner.sizing.test_plan import question, steady


def test_that_every_panel_is_drawn() -> None:
    """Costs with a dot for each term, two weeks of hours, and a bar for each hour that spills."""
    found = plan(question(0.5, 0.2), steady(42_000, days=1))
    root = ET.fromstring(plotted(as_json(found)))  # noqa: S314  # our own
    drawn = [each.tag.rpartition("}")[2] for each in root.iter()]
    assert (drawn.count("polyline"), drawn.count("circle")) == (2, 2)
    titles = [each.text or "" for each in root.iter() if each.attrib.get("font-weight")]
    assert [title.split(" from")[0] for title in titles] == [
        "USD of the period, by PTUs",
        "% of 45 PTUs in use, by hour (UTC)",
        "% of requests that spill",
        "% of requests that spill",
    ]
    assert drawn.count("rect") == 1 + 2 * 168


def test_that_spilling_has_its_bars() -> None:
    """One for each hour in which something did, none beyond the panel."""
    found = plan(question(0.5), steady(42_000, days=1))
    root = ET.fromstring(plotted(as_json(found)))  # noqa: S314  # our own
    bars = [each for each in root.iter() if each.attrib.get("fill") == "#0072B2"]
    heights = [float(each.attrib["height"]) for each in bars if "height" in each.attrib]
    assert len(heights) == 24
    assert max(heights) <= 120
