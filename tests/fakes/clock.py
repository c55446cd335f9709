"""Time that only moves when told to."""

from __future__ import annotations


class FakeClock:
    """Monotonic time and time of day, in step, advanced by hand."""

    def __init__(self, now: float = 1000.0, unix: float = 1_790_000_000.0) -> None:
        self._now = now
        self._unix = unix

    def now(self) -> float:
        return self._now

    def unix(self) -> float:
        return self._unix

    def advance(self, seconds: float) -> None:
        self._now += seconds
        self._unix += seconds

    def __repr__(self) -> str:
        return f"<FakeClock at {self._now:g}>"
