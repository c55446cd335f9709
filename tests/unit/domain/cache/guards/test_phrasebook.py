"""The format of the tables."""

from __future__ import annotations

from app.domain.cache.guards.phrasebook import parse


def test_a_line_is_phrases_of_one_value() -> None:
    """The first phrase names the value unless the line does; remarks and empty lines are none."""
    table = "# remark\n[w]\nbuy, get hold of\n\n[time]\nm1 = january, jan\n"
    assert list(parse(table)) == [
        ("w", "buy", "buy"),
        ("w", "buy", "get hold of"),
        ("time", "m1", "january"),
        ("time", "m1", "jan"),
    ]
