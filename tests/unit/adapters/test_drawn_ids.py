"""Ids of requests and reservations: alike in form, and none twice."""

from __future__ import annotations

import re

from app.adapters.drawn_ids import DrawnIds


def test_no_id_is_given_twice() -> None:
    """Not of one source, nor of two; more are asked for than are drawn at once."""
    sources = (DrawnIds(), DrawnIds())
    drawn = [draw() for draw in sources for _ in range(1000)]
    assert len(set(drawn)) == len(drawn)


def test_ids_have_their_prefix_and_96_bits() -> None:
    """As many as a request's id has that is drawn alone."""
    assert re.fullmatch(r"req_[0-9a-f]{24}", DrawnIds("req_")())
    assert re.fullmatch(r"[0-9a-f]{24}", DrawnIds()())
