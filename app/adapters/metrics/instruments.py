"""The families as prometheus-client's metrics, in a registry of their own."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from app.adapters.metrics.family import Family, FamilyKind

_Child = TypeVar("_Child", Counter, Histogram)
_KINDS: Final = {FamilyKind.COUNTER: Counter, FamilyKind.HISTOGRAM: Histogram}


class Children(dict[tuple[Hashable, ...], _Child], Generic[_Child]):
    """Children by their label values, bound when first asked for."""

    __slots__ = ("_family",)

    def __init__(self, family: _Child) -> None:
        super().__init__()
        self._family: _Child = family

    def __missing__(self, labels: tuple[Hashable, ...]) -> _Child:
        child: _Child = self._family.labels(*labels) if labels else self._family
        self[labels] = child
        return child


class Instruments:
    """What counts here, each made once; nothing is in prometheus-client's global registry."""

    def __init__(self) -> None:
        # Of the whole process: a start time for each series doubles a scrape, and says little.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # prometheus-client's own
        self.registry = CollectorRegistry(auto_describe=False)
        self._children: dict[Family, Children[Any]] = {}

    def counters(self, family: Family) -> Children[Counter]:
        """The children of a counter."""
        return self._made(family)

    def histograms(self, family: Family) -> Children[Histogram]:
        """The children of a histogram."""
        return self._made(family)

    def begin(self, family: Family, labels: tuple[str, ...]) -> None:
        """Have this series from now on, at 0; a family that nothing counts raises KeyError."""
        _ = self._children[family][labels]

    def _made(self, family: Family) -> Children[Any]:
        made = self._children[family] = Children(self._make(family))
        return made

    def _make(self, family: Family) -> Any:
        buckets = {"buckets": family.buckets} if family.buckets else {}
        kind: Any = _KINDS[family.kind]
        return kind(family.name, family.help, family.labels, registry=self.registry, **buckets)
