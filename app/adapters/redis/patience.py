"""Patience with another process, counted only while our own event loop was there to listen.

A busy loop fires its timers late and reads answers late: by the clock on the wall it would blame
Redis for its own crowd.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

_SLICES: Final = 5


async def within(patience_s: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. Raises TimeoutError after `patience_s` seconds of listening in vain.

    The time is counted in five slices, each at most its own length however late its end is noticed.
    """
    task = asyncio.ensure_future(work)
    try:
        for _ in range(_SLICES):
            done, _ = await asyncio.wait({task}, timeout=patience_s / _SLICES)
            if done:
                return task.result()
        raise TimeoutError
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
