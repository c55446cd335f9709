from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from app.adapters.logs import configure_logs
from app.adapters.logs.control import LogControl
from app.domain.identity.directory import LogsEntry
from app.settings.logs import LogRules
from tests.fakes.clock import FakeClock
from tests.fakes.receipts import served
from tests.unit.adapters.logs.conftest import Logged


def test_what_operators_say_holds_until_it_ends(stream: Logged) -> None:
    """Then the configuration does, which may be another one by then."""
    logs, clock = configure_logs("info", stream), FakeClock()
    control = LogControl(logs, clock.unix, LogRules(level="warning", requests=False))
    control.apply()
    assert logs.threshold.name == "warning"

    said = LogsEntry("debug", "all", until=clock.unix() + 10)
    control.said = lambda: said
    control.apply()
    structlog.get_logger().debug("detail")
    control.requests.observe(served())
    clock.advance(10)
    control.rules = LogRules(level="error", requests=False)
    control.apply()
    structlog.get_logger().warning("quiet")
    control.requests.observe(served())

    assert [line["event"] for line in stream.lines] == ["detail", "request"]
    assert logs.threshold.name == "error"


def test_a_part_of_requests_is_enough(stream: Logged) -> None:
    """As much of them as the configuration says, if operators want that."""
    logs, clock = configure_logs("info", stream), FakeClock()
    control = LogControl(logs, clock.unix, LogRules(requests="sample", sample=0.0))
    control.apply()
    control.requests.observe(served())
    control.requests.observe(served(status=500))

    (line,) = stream.lines
    assert line["status"] == 500


async def test_it_follows_by_itself(stream: Logged) -> None:
    """Soon after somebody said something."""
    logs, clock = configure_logs("info", stream), FakeClock()
    control = LogControl(logs, clock.unix, LogRules())
    following = asyncio.create_task(control.keep_applying())
    control.said = lambda: LogsEntry("error", until=clock.unix() + 1)
    async with asyncio.timeout(60):
        while logs.threshold.name != "error":
            await asyncio.sleep(0.01)
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following


def test_a_process_that_logs_in_its_own_way_keeps_it(stream: Logged) -> None:
    """Its requests are looked after all the same."""
    configure_logs("info", stream)
    control = LogControl(None, FakeClock().unix, LogRules(level="error", requests=False))
    control.know(["a secret of ours"])
    control.apply()
    control.requests.observe(served())
    structlog.get_logger().info("as before")

    assert [line["event"] for line in stream.lines] == ["as before"]
    assert control.dropped_total == 0
