"""The event loop of a process: what it tells of, what runs beside a block, which signals end it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from app.adapters.logs.configure import loop_trouble


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run work for as long as the block; whichever fails ends both and comes out as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            yield
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None  # one line can tell of one only


async def watched(main: Coroutine[Any, Any, None]) -> None:
    """Have the loop tell of what nobody awaits as everything else is told."""
    asyncio.get_running_loop().set_exception_handler(loop_trouble)
    await main


def until_told(*signals: signal.Signals) -> asyncio.Event:
    """An event that the given signals set."""
    told = asyncio.Event()
    for number in signals or (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told
