"""Evidence in memory, for one replica."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from app.domain.cache.error_rate import Comparison, tightened
from app.domain.cache.measured import (
    DAYS,
    Evidence,
    MeasuredError,
    day_of,
    evidence_by_model,
    field_of,
    measured,
)
from app.ports import Clock


class FakeMeasuredErrors:
    """Both ports; `recorded` has every comparison."""

    def __init__(self, clock: Clock, *, widest: float = 0.1) -> None:
        self._clock = clock
        self._widest = widest
        self._days: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self._before: dict[tuple[str, str], float] = {}
        self._told: set[tuple[str, str]] = set()
        self.bound: Callable[[str, str], float] = lambda _tenant, _model: 0.02
        self.recorded: list[tuple[str, str, float, Comparison]] = []

    def threshold(self, tenant: str, model: str) -> float:
        evidence = self._evidence(tenant).get(model, Evidence())
        found = self._before[tenant, model] = tightened(
            evidence.bands,
            bound=self.bound(tenant, model),
            widest=self._widest,
            current=self._before.get((tenant, model)),
        )
        return found

    def record(self, tenant: str, model: str, distance: float, comparison: Comparison) -> None:
        self.recorded.append((tenant, model, distance, comparison))
        day = day_of(self._clock.unix())
        self._days[tenant, day][field_of(model, distance, comparison)] += 1

    async def listed(self, tenant: str) -> Sequence[MeasuredError]:
        return [
            measured(
                tenant,
                model,
                evidence,
                threshold=self.threshold(tenant, model),
                widest=self._widest,
            )
            for model, evidence in sorted(self._evidence(tenant).items())
        ]

    async def is_news(self, tenant: str, told: str) -> bool:
        is_news = (tenant, told) not in self._told
        self._told.add((tenant, told))
        return is_news

    def _evidence(self, tenant: str) -> dict[str, Evidence]:
        first = day_of(self._clock.unix()) - DAYS + 1
        return evidence_by_model(
            counts for (name, day), counts in self._days.items() if name == tenant and day >= first
        )
