"""When a deployment has room."""

from __future__ import annotations

from app.domain.capacity.room import Room
from app.domain.capacity.spill import SpillReason


def test_without_a_margin_the_room_is_there_at_its_time() -> None:
    """A hold, say, which is exact."""
    assert Room(7.0, SpillReason.HELD).until == 7.0


def test_who_can_go_nowhere_else_needs_no_margin() -> None:
    """A refusal tells this time, and not the cautious one."""
    assert Room(9.0, SpillReason.PREDICTED, earliest=7.0).until == 7.0
