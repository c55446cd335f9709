"""This machine's clocks."""

from __future__ import annotations

import time


class SystemClock:
    """The clocks that everything runs on outside of tests.

    Each request asks them dozens of times: they are the system's own functions.
    """

    #: Monotonic time in seconds.
    now = staticmethod(time.monotonic)
    #: Time of day as Unix time in seconds.
    unix = staticmethod(time.time)
