"""Waits to a few microseconds; event loops' own timers round to a millisecond."""

from __future__ import annotations

import asyncio
import ctypes
import os
from typing import Final, Self

_MONOTONIC: Final = 1  # CLOCK_MONOTONIC, which Python's is on Linux
_NONBLOCK: Final = 0o4000
_ABSOLUTE: Final = 1  # TFD_TIMER_ABSTIME
_NS: Final = 1_000_000_000


#: `itimerspec` of timerfd_settime(2): an interval, which stays zero, and a moment; s and ns each.
_Setting: Final = ctypes.c_long * 4


class PreciseTimer:
    """One who waits at a time; Linux alone (timerfd_create(2); in Python's `os` from 3.13)."""

    def __enter__(self) -> Self:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(_MONOTONIC, _NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._rang = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._fd, self._ring)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    async def until(self, moment: float) -> None:
        """Wait until `time.monotonic()`, in seconds, is there."""
        at = int(moment * _NS)
        setting = _Setting(0, 0, at // _NS, at % _NS)
        self._rang.clear()
        self._libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(setting), None)
        await self._rang.wait()

    def _ring(self) -> None:
        os.read(self._fd, 8)
        self._rang.set()
