"""A deadline that moves with every wait and hardly ever touches the event loop.

Most waits end long before their deadline. The loop's timer is left where it is when a deadline
moves on; once it fires it is set anew where there still is something to wait for. So a connection
costs a timer per time-out that has passed, not one per request or read.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from math import inf
from typing import Final

#: Loops count in milliseconds, so that a timer may fire a little before its time. Seconds.
TICK_S: Final = 0.001


class Alarm:
    """Rings once for each deadline that passes."""

    __slots__ = ("_fires_at", "_handle", "_loop", "_ring", "due")

    def __init__(self, loop: AbstractEventLoop, ring: Callable[[], None]) -> None:
        """`due` is on the loop's clock; infinity: nobody waits, which may be set from outside."""
        self._loop = loop
        self._ring = ring
        self._handle: TimerHandle | None = None
        self._fires_at = inf
        self.due = inf

    def set(self, due: float) -> None:
        """Ring at `due` instead of when it was to ring before."""
        self.due = due
        if due < self._fires_at:
            self._arm()

    def end(self) -> None:
        """Never ring again."""
        self.due = -inf
        self._ring = _nothing
        if self._handle is not None:
            self._handle.cancel()

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._fires_at = self.due
        self._handle = self._loop.call_at(self.due, self._fire)

    def _fire(self) -> None:
        self._handle, self._fires_at = None, inf
        if self.due == inf:
            return
        if self._loop.time() + TICK_S < self.due:
            self._arm()
            return
        self.due = inf
        self._ring()


def _nothing() -> None:
    """Nobody is there any more."""
