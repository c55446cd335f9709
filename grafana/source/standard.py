"""Families that are not ours: of the process, as prometheus-client tells it, and of the scrape."""

from __future__ import annotations

from typing import Final

from app.adapters.metrics.family import Merge, counter, gauge

UP: Final = gauge("up", "Whether Prometheus could scrape it.", merge=Merge.MIN)
CPU: Final = counter("process_cpu_seconds_total", "Processor time.")
MEMORY: Final = gauge("process_resident_memory_bytes", "Memory in use.", merge=Merge.SUM)
OPEN_FILES: Final = gauge("process_open_fds", "Open file descriptors.", merge=Merge.SUM)
MOST_FILES: Final = gauge("process_max_fds", "How many there may be.", merge=Merge.SUM)
STARTED: Final = gauge("process_start_time_seconds", "When it started.", merge=Merge.MIN)

STANDARD: Final = (UP, CPU, MEMORY, OPEN_FILES, MOST_FILES, STARTED)
