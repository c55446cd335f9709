"""Patience with another process, counted only while our own event loop was there to listen.

A busy loop fires its timers late and reads answers late: by the clock on the wall it would blame
Redis for its own crowd. So time is counted in slices, each at most its own length however late its
end is noticed.
"""

from __future__ import annotations

from collections import deque
from typing import Final

#: Slices of one patience: it ends after them, at most one more.
SLICES: Final = 10


class Patience:
    """Which of many things that end in the order they began have taken too long.

    Nothing is noted of each: their numbers at the end of every slice say it.
    """

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun: deque[int] = deque(maxlen=SLICES)

    def overdue(self, begun: int, done: int) -> int:
        """How many of the first that are not done began too long ago.

        To be asked at the end of each slice; both are totals.
        """
        long_ago = self._begun[0] if len(self._begun) == SLICES else 0
        self._begun.append(begun)
        return max(0, long_ago - done)
