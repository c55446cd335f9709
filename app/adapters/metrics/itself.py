"""The process as its operating system sees it, under the names that every Prometheus client has."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from app.adapters.metrics import families as f
from app.adapters.metrics.readings import Readings, Values

_PROC: Final = Path("/proc/self")
_PAGE: Final = resource.getpagesize()
#: Of what stands behind the process's name in `stat`, counted from 0 (proc(5)).
_STARTED, _RESIDENT = 19, 21


def read_process(readings: Readings) -> None:
    """Have it read. What only /proc tells has no series where there is none, as on macOS."""
    readings.add(f.CPU, lambda: {(): time.process_time()})
    readings.add(f.MOST_FILES, lambda: {(): float(resource.getrlimit(resource.RLIMIT_NOFILE)[0])})
    readings.add(f.MEMORY, _where_told(lambda: float(_stat(_RESIDENT)) * _PAGE))
    readings.add(f.OPEN_FILES, _where_told(lambda: float(len([*(_PROC / "fd").iterdir()]))))
    with suppress(OSError):
        started = _started()
        readings.add(f.STARTED, lambda: {(): started})


def _where_told(read: Callable[[], float]) -> Callable[[], Values]:
    """/proc is memory: reading it takes some 20 microseconds, and waits for nothing."""

    def values() -> Values:
        with suppress(OSError):
            return {(): read()}
        return {}

    return values


def _stat(field: int) -> int:
    told = (_PROC / "stat").read_bytes()
    return int(told[told.rindex(b")") + 1 :].split()[field])


def _started() -> float:
    """Unix time. Raises OSError."""
    boot = next(
        line.split()[1]
        for line in Path("/proc/stat").read_bytes().splitlines()
        if line.startswith(b"btime ")
    )
    return float(boot) + _stat(_STARTED) / os.sysconf("SC_CLK_TCK")
