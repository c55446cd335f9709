"""How often a classifier of content may be called, and for how much money a day."""

from __future__ import annotations

from typing import Final

from app.domain.policy.safety import Unchecked

_DAY_S: Final = 86_400


class SafetyBudget:
    """Of one worker: a bucket of calls that fills each second, and dollars of the UTC day."""

    def __init__(self) -> None:
        """Full; nothing is spent yet."""
        self._calls = 0.0
        self._at: float | None = None
        self._day = 0
        self.spent_usd = 0.0

    def take(
        self, calls: int, usd: float, *, per_s: float, per_day: float, now: float, unix: float
    ) -> Unchecked | None:
        """Take them, all or none; why not. `now` is monotonic, `unix` tells the day.

        As many calls as a second's may be made at once, and always those of one request.
        """
        most = max(per_s, float(calls))
        filled = most if self._at is None else self._calls + (now - self._at) * per_s
        self._calls, self._at = min(most, filled), now
        day = int(unix // _DAY_S)
        if day != self._day:
            self._day, self.spent_usd = day, 0.0
        if self.spent_usd + usd > per_day:
            return Unchecked.BUDGET
        if self._calls < calls:
            return Unchecked.RATE
        self._calls -= calls
        self.spent_usd += usd
        return None
