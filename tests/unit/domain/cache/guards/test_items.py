"""What a prompt says, counted."""

from __future__ import annotations

from app.domain.cache.guards.items import Item, Reading


def test_the_same_thing_said_twice_counts_twice() -> None:
    """Where and how it is said does not matter for the count."""
    items = (Item("w", "door"), Item("w", "door", lead="to", chunk=2), Item("time", "m3"))
    counted = Reading("en", items, frozenset()).count()
    assert counted == {("w", "door"): 2, ("time", "m3"): 1}
