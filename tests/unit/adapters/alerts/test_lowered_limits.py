"""A lowered limit is told once, however many requests meet it."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from app.adapters.alerts.lowered_limits import LoweredLimits, telling_lowered_limits
from app.domain.capacity.paygo_window import Lowered

HALF = Lowered(tpm=500, configured_tpm=1000)


def test_each_change_is_one_line() -> None:
    """Lowered, lowered further, restored; nothing while it stays as it is."""
    lowered: dict[str, Lowered] = {}
    limits = LoweredLimits(lambda: dict(lowered))
    with capture_logs() as lines:
        for found in ({}, {"paygo": HALF}, {"paygo": HALF}, {"paygo": Lowered(200, 1000)}, {}, {}):
            lowered.clear()
            lowered.update(found)
            limits.look()
    assert lines == [
        {
            "event": "deployment limit lowered",
            "log_level": "warning",
            "deployment": "paygo",
            "tpm": tpm,
            "configured_tpm": 1000,
        }
        for tpm in (500, 200)
    ] + [
        {
            "event": "deployment limit restored",
            "log_level": "info",
            "deployment": "paygo",
            "tpm": 1000,
        }
    ]


async def test_it_looks_for_as_long_as_the_scope_is_open() -> None:
    """Nobody has to ask."""
    looked = asyncio.Event()

    def lowered() -> dict[str, Lowered]:
        looked.set()
        return {}

    async with asyncio.timeout(10), telling_lowered_limits(lowered):
        await looked.wait()
