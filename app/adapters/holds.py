"""Until when each deployment asked not to be asked, as this process knows it."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from app.ports import Clock


class LocalHoldBoard:
    """Holds of one process, on its monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._first_end = inf

    def holds(self) -> Mapping[str, float]:
        """By deployment, the end of its hold; past ones are gone."""
        if self._until and (now := self._clock.now()) >= self._first_end:
            self._until = {name: until for name, until in self._until.items() if until > now}
            self._first_end = min(self._until.values(), default=inf)
        return self._until

    def hold(self, deployment: str, until: float) -> None:
        """Hold a deployment; a longer hold that is known stays."""
        known = self._until.get(deployment)
        if known is None or until > known:
            # A new dict: a caller may be reading the one that it was given.
            self._until = {**self._until, deployment: until}
            self._first_end = min(self._first_end, until)
