"""What anomalies were found last, for whoever tells of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.domain.quota.anomaly import AnomalyReport, UsageMeasure

Scores = Mapping[tuple[str, UsageMeasure], float]


@dataclass(slots=True)
class Anomalies:
    """What was found last by this process; nothing, where another one keeps the archive."""

    report: AnomalyReport = field(default_factory=AnomalyReport)

    def scores(self) -> Scores:
        """By tenant and measure; of tenants with enough history."""
        return {
            (found.tenant, each.measure): each.score
            for found in self.report.hours
            for each in found.deviations
        }
