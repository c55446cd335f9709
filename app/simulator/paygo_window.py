"""The two windows that admit requests to a pay-as-you-go deployment.

Azure: quota page, 2026-09. Tokens are an estimate added to a counter that is reset each minute, and
once the counter has reached the limit everything is refused until the reset. Calls are evaluated
over "typically 1 or 10 seconds": here over 10. Refused calls count as calls.
"""

from __future__ import annotations

import math
from typing import Final

MINUTE: Final = 60.0
CALLS_WINDOW: Final = 10.0


class FixedWindow:
    """A counter that starts anew `length` seconds after the first use since the last reset."""

    __slots__ = ("_ends", "_length", "limit", "used")

    def __init__(self, *, limit: int, length: float) -> None:
        self.limit = limit
        self.used = 0
        self._length = length
        self._ends = -math.inf

    def roll(self, now: float) -> None:
        if now >= self._ends:
            self.used = 0
            self._ends = now + self._length

    def left(self, now: float) -> int:
        self.roll(now)
        return max(0, self.limit - self.used)

    def reset_in(self, now: float) -> float:
        """Seconds until the counter is 0 again."""
        self.roll(now)
        return self._ends - now


def token_window(tpm: int) -> FixedWindow:
    return FixedWindow(limit=tpm, length=MINUTE)


def call_window(rpm: int) -> FixedWindow:
    """A sixth of `rpm` per 10 s; fewer than 6 a minute are counted by the minute."""
    if rpm < MINUTE / CALLS_WINDOW:
        return FixedWindow(limit=rpm, length=MINUTE)
    return FixedWindow(limit=int(rpm * CALLS_WINDOW / MINUTE), length=CALLS_WINDOW)
