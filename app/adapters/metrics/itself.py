"""The process as its operating system sees it, under the names that every Prometheus client has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from prometheus_client import ProcessCollector

from app.adapters.metrics import families as f
from app.adapters.metrics.family import Family
from app.adapters.metrics.readings import Readings

FAMILIES: Final = (f.CPU, f.MEMORY, f.OPEN_FILES, f.MOST_FILES, f.STARTED)


def read_process(readings: Readings) -> None:
    """Have them read. Where there is no /proc, as on macOS, they have no series."""
    collector = ProcessCollector(registry=None)
    for family in FAMILIES:
        readings.add(family, partial(_read, collector, family))


def _read(collector: ProcessCollector, family: Family) -> Mapping[tuple[str, ...], float]:
    """/proc is memory: reading it takes some 50 microseconds, and waits for nothing."""
    samples = (sample for metric in collector.collect() for sample in metric.samples)
    value = next((sample.value for sample in samples if sample.name == family.name), None)
    return {} if value is None else {(): value}
