"""What strangers and troubles can have written: so much, and how much more there was.

A scan makes a line for each of its requests, a broken disk one for each row. The lines of a
tenant's requests are not counted here: its own limits bound those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

#: Lines at once of one event, and a second; a minute of it is 60.
BURST: Final = 300
STRANGERS_BURST: Final = 60
_EACH_S: Final = 1.0
#: Events are words of the code, those of libraries their loggers' names: a few hundred.
_MOST_EVENTS: Final = 1000
_OTHERS: Final = "others"


class Flood:
    """A bucket of lines for each event."""

    def __init__(self, now: Callable[[], float]) -> None:
        """`now` in seconds, never going back."""
        self._now = now
        self._buckets: dict[str, tuple[float, float]] = {}  # lines left, and when that was so
        self._held_back: dict[str, int] = {}

    def admits(self, event: str, burst: int = BURST) -> bool:
        """Whether one more line is written; if not, it is counted."""
        if event not in self._buckets and len(self._buckets) >= _MOST_EVENTS:
            event = _OTHERS
        now = self._now()
        left, then = self._buckets.get(event, (burst, now))
        left = min(float(burst), left + (now - then) / _EACH_S)
        if left < 1:
            self._held_back[event] = self._held_back.get(event, 0) + 1
            self._buckets[event] = (left, now)
            return False
        self._buckets[event] = (left - 1, now)
        return True

    def take_held_back(self) -> dict[str, int]:
        """How many were not written since this was last asked, by event."""
        taken, self._held_back = self._held_back, {}
        return taken
