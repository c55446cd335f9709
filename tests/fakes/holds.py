"""Holds in a dictionary."""

from __future__ import annotations

from collections.abc import Mapping

from app.ports import Clock
from tests.fakes.clock import FakeClock


class FakeHoldBoard:
    """Holds of one process, with the order in which they were set."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Without a clock time stands still, and no hold ends."""
        self._clock = clock or FakeClock()
        self.until: dict[str, float] = {}
        self.told: list[tuple[str, float]] = []
        self.reads = 0

    def holds(self) -> Mapping[str, float]:
        self.reads += 1
        now = self._clock.now()
        return {name: until for name, until in self.until.items() if until > now}

    def hold(self, deployment: str, until: float) -> None:
        self.told.append((deployment, until))
        self.until[deployment] = max(until, self.until.get(deployment, 0.0))

    def __repr__(self) -> str:
        return f"<FakeHoldBoard {self.until}>"
