"""An ejection is told once, however many requests it keeps away."""

from __future__ import annotations

import asyncio
from typing import Any

from structlog.testing import capture_logs

from app.adapters.alerts.ejections import Ejections, telling_ejections
from app.domain.routing.health import HEALTHY, State, Status
from tests.fakes.clock import FakeClock


def line(event: str, level: str, **more: Any) -> dict[str, Any]:
    return {"event": event, "log_level": level, "deployment": "a", **more}


def test_each_change_is_one_line() -> None:
    """Out, out for longer, back; neither probes nor a ramp are told."""
    states: dict[str, State] = {}
    clock = FakeClock()
    first, second = (State(Status.EJECTED, clock.now() + length) for length in (30.0, 60.0))
    ramping = State(Status.RAMPING, clock.now(), 0.5)
    ejections = Ejections(lambda: states, clock)
    with capture_logs() as lines:
        for found in (HEALTHY, first, first, State(Status.HALF_OPEN), second, ramping, HEALTHY):
            states |= {"a": found, "b": HEALTHY}
            ejections.look()
    assert lines == [
        line("deployment ejected", "warning", for_s=30.0),
        line("deployment ejected", "warning", for_s=60.0),
        line("deployment back", "info"),
    ]


def test_one_that_was_removed_is_not_back() -> None:
    """It is in no configuration any more."""
    clock = FakeClock()
    states = {"a": State(Status.EJECTED, clock.now() + 30.0)}
    ejections = Ejections(lambda: states, clock)
    ejections.look()
    states.clear()
    with capture_logs() as lines:
        ejections.look()
    assert lines == []


async def test_it_looks_for_as_long_as_the_scope_is_open() -> None:
    """Nobody has to ask."""
    looked = asyncio.Event()

    def states() -> dict[str, State]:
        looked.set()
        return {}

    async with asyncio.timeout(10), telling_ejections(states, FakeClock()):
        await looked.wait()
