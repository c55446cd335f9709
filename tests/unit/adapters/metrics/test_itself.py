"""What the operating system says of the process."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from app.adapters.metrics.families import CPU, MEMORY, MOST_FILES, OPEN_FILES, STARTED
from app.adapters.metrics.itself import read_process
from app.adapters.metrics.readings import Readings


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc on this system")
def test_the_process_is_told_as_others_tell_it() -> None:
    """Processor time grows, memory and files are its own, and it began before now."""
    readings = Readings()
    read_process(readings)
    before = readings.read()
    sum(n * n for n in range(2_000_000))
    with Path(os.devnull).open("rb"):
        after = readings.read()
    assert after[CPU][()] > before[CPU][()]
    assert after[OPEN_FILES][()] == before[OPEN_FILES][()] + 1
    assert after[OPEN_FILES][()] < after[MOST_FILES][()]
    assert after[MEMORY][()] > 10_000_000
    assert after[STARTED][()] < time.time()
