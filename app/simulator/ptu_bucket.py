"""The leaky bucket that admits requests to a provisioned deployment.

Azure: provisioned throughput concept page, section "Utilization-based request evaluation", 2026-02.
"""

from __future__ import annotations


class PtuBucket:
    """Input-token equivalents in flight or recently used, draining at the deployment's capacity.

    All times are seconds of one clock that never runs backwards; all amounts are input tokens.
    """

    __slots__ = ("_depth", "_level", "_rate", "_updated")

    def __init__(self, *, tokens_per_s: float, window_s: float, now: float) -> None:
        self._rate = tokens_per_s
        self._depth = tokens_per_s * window_s
        self._level = 0.0
        self._updated = now

    def utilization(self, now: float) -> float:
        """The filled part: 1.0 is full, and more is possible."""
        self._drain(now)
        return self._level / self._depth

    def wait(self, now: float) -> float:
        """Seconds until a request is admitted; 0 when it is now."""
        self._drain(now)
        return max(0.0, (self._level - self._depth) / self._rate)

    def admit(self, amount: float, now: float) -> bool:
        """Take `amount`, however large, unless the bucket is over its depth already."""
        if self.wait(now) > 0:
            return False
        self._level += amount
        return True

    def correct(self, difference: float, now: float) -> None:
        """Add what was used beyond the estimate, or give back what was not (a negative value)."""
        self._drain(now)
        self._level = max(0.0, self._level + difference)

    def _drain(self, now: float) -> None:
        self._level = max(0.0, self._level - self._rate * (now - self._updated))
        self._updated = now


class LearnedOutput:
    """The output length expected of a request that names no cap: a running mean."""

    __slots__ = ("_mean",)

    def __init__(self, *, start: float = 256.0) -> None:
        self._mean = start

    @property
    def tokens(self) -> int:
        return round(self._mean)

    def observe(self, tokens: int) -> None:
        self._mean += 0.1 * (tokens - self._mean)
