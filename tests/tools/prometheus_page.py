"""What was counted and read, as prometheus-client's own encoders ask for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from app.adapters.metrics.family import Family, FamilyKind
from app.adapters.metrics.instruments import Children, Distribution, Instruments
from app.adapters.metrics.readings import Values


@dataclass(frozen=True, slots=True)
class Page:
    """All families in their order, each once, those without a series included: a collector."""

    families: Sequence[Family]
    counted: Instruments
    read: Mapping[Family, Values]

    def collect(self) -> Iterator[Metric]:
        """By the library's own kinds of metrics."""
        for family in self.families:
            children = self.counted.children.get(family)
            yield _read(family, self.read.get(family, {})) if children is None else _of(children)


def _of(children: Children[Any]) -> Metric:
    if children.family.kind is FamilyKind.COUNTER:
        return _read(children.family, {name: each.value for name, each in children.series.items()})
    return _histogram(children.family, children.series)


def _read(family: Family, values: Values) -> Metric:
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


def _histogram(family: Family, series: Mapping[tuple[str, ...], Distribution]) -> Metric:
    bounds = [floatToGoString(bound) for bound in (*family.buckets, inf)]  # type: ignore[no-untyped-call]  # the library's
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    for labels, each in series.items():
        examples = [one and Exemplar(dict(one.labels), *one[1:]) for one in each.examples]
        buckets = [*zip(bounds, accumulate(each.counts), examples, strict=True)]
        metric.add_metric(labels, buckets, each.total)  # type: ignore[arg-type]  # no example is one, too
    return metric
