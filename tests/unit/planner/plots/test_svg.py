"""Parts of plots."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from app.planner.plots.svg import document, line, round_up, style


@pytest.mark.parametrize(
    ("value", "rounded"), [(0, 0), (-1, 0), (1, 1), (1.1, 2), (2.1, 2.5), (260, 500), (0.03, 0.05)]
)
def test_where_a_scale_ends(value: float, rounded: float) -> None:
    """At a number that is easy to read, and not below what is shown."""
    assert round_up(value) == pytest.approx(rounded)


def test_that_a_document_is_one() -> None:
    """Well-formed, with what is in it."""
    parts = [*document(100, 50), line((0, 0), (10, 5), "#000000"), "</svg>"]
    found = ET.fromstring("".join(parts))  # noqa: S314  # our own
    assert found.attrib["viewBox"] == "0 0 100 50"
    assert [each.tag.rpartition("}")[2] for each in found] == ["rect", "line"]


def test_that_lines_differ_in_more_than_their_colour() -> None:
    """Who cannot tell colours apart sees dashes."""
    assert len({style(place)[1] for place in range(4)}) == 4
