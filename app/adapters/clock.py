"""This machine's clocks."""

from __future__ import annotations

import time


class SystemClock:
    """The clocks that everything runs on outside of tests."""

    def now(self) -> float:
        """Monotonic time in seconds."""
        return time.monotonic()

    def unix(self) -> float:
        """Time of day as Unix time in seconds."""
        return time.time()
