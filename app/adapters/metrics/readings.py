"""What is read when somebody asks rather than counted as it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from app.adapters.metrics.family import Family, FamilyKind

#: By label values, in the order of the family's labels; `()` where it has none.
Values = Mapping[tuple[str, ...], float]
Reader = Callable[[], Values]


class Readings:
    """Readers by family; several may tell parts of one."""

    def __init__(self) -> None:
        self._readers: list[tuple[Family, Reader]] = []
        self._failing: set[Family] = set()

    def add(self, family: Family, reader: Reader) -> None:
        """Ask `reader`, on the event loop, whenever metrics are asked for; it does no I/O."""
        self._readers.append((family, reader))

    def read(self) -> dict[Family, dict[tuple[str, ...], float]]:
        """Everything as of now. A reader that fails leaves its part out, and is logged once."""
        found: dict[Family, dict[tuple[str, ...], float]] = {}
        for family, reader in self._readers:
            try:
                values = reader()
            except Exception:  # noqa: BLE001  # one number less is better than none at all
                if family not in self._failing:
                    self._failing.add(family)
                    structlog.get_logger().exception("metric_unreadable", family=family.name)
                continue
            found.setdefault(family, {}).update(values)
        return found


class Page:
    """All families in their order, each once, those without a series included: a collector."""

    def __init__(
        self,
        families: Sequence[Family],
        counted: Collector,
        read: Mapping[Family, Values],
    ) -> None:
        """`counted` holds what was counted, `read` what was read."""
        self._families = families
        self._counted = counted
        self._read = read

    def collect(self) -> Iterator[Metric]:
        """As prometheus-client's encoders ask for them."""
        counted = {metric.name: metric for metric in self._counted.collect()}
        for family in self._families:
            name = family.name.removesuffix("_total")
            yield counted.get(name) or _metric(family, self._read.get(family, {}))


def _metric(family: Family, values: Values) -> Metric:
    if family.kind is FamilyKind.HISTOGRAM:
        return HistogramMetricFamily(family.name, family.help, labels=family.labels)
    made: CounterMetricFamily | GaugeMetricFamily
    if family.kind is FamilyKind.COUNTER:
        made = CounterMetricFamily(family.name, family.help, labels=family.labels)
    else:
        made = GaugeMetricFamily(family.name, family.help, labels=family.labels)
    for labels, value in values.items():
        made.add_metric(labels, value)
    return made
