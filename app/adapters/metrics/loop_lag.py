"""How late the event loop wakes up: what everybody whom it serves waits for."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

#: Four looks a second cost nothing and see what holds everybody up for longer than that.
EVERY_S: Final = 0.25


class Observing(Protocol):
    """A histogram."""

    def observe(self, amount: float) -> None:
        """Count it."""
        ...


class LoopLag:
    """Something must run `keep_looking`."""

    def __init__(self, histogram: Observing, every_s: float = EVERY_S) -> None:
        self._histogram = histogram
        self._every_s = every_s

    async def keep_looking(self) -> None:
        """Observe it, for ever."""
        time = asyncio.get_running_loop().time
        while True:
            due = time() + self._every_s
            await asyncio.sleep(self._every_s)
            self._histogram.observe(max(0.0, time() - due))
