"""Holds in a dictionary."""

from __future__ import annotations

from collections.abc import Mapping


class FakeHoldBoard:
    """Holds of one process, with the order in which they were set."""

    def __init__(self) -> None:
        self.until: dict[str, float] = {}
        self.told: list[tuple[str, float]] = []

    def holds(self) -> Mapping[str, float]:
        return self.until

    def hold(self, deployment: str, until: float) -> None:
        self.told.append((deployment, until))
        self.until[deployment] = max(until, self.until.get(deployment, 0.0))

    def __repr__(self) -> str:
        return f"<FakeHoldBoard {self.until}>"
