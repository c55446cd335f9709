"""What is known of a deployment from the beginning."""

from __future__ import annotations

from app.domain.routing.deployment import Timeouts
from tests.fakes.changed import replace
from tests.fakes.house import deployment


def test_a_whole_answer_may_take_all_of_its_time_to_begin() -> None:
    """By the deployment's own timeouts, whichever they come to be."""
    east = deployment("east", timeouts=Timeouts(first_byte=7.0, total=90.0))
    assert east.whole_timeouts == Timeouts(first_byte=90.0, total=90.0)
    slower = replace(east, timeouts=replace(east.timeouts, total=120.0))
    assert slower.whole_timeouts.first_byte == 120.0
