"""The section about usage that is far off a tenant's own history."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from app.settings.section import Float, Int, Section
from app.settings.webhook import WebhookUrl


class LeastDifference(Section):
    """What an hour must at least have more than usual; less is no anomaly, however unusual."""

    requests: Annotated[Int, Field(ge=1)] = 200
    """How many more."""
    tokens: Annotated[Int, Field(ge=1)] = 500_000
    """How many more."""
    usd: Annotated[Float, Field(gt=0)] = 5.0
    """How many US dollars more."""


class Anomalies(Section):
    """Hours are compared with the same hour of earlier weeks, in the tenant's time zone."""

    enabled: bool = True
    """Whether hours are compared."""
    score: Annotated[Float, Field(ge=2, le=100)] = 5.0
    """From how many scaled median absolute deviations above its median an hour is told of."""
    history_weeks: Annotated[Int, Field(ge=2, le=52)] = 8
    """How far back is compared with; older rows are not looked at."""
    least_history_weeks: Annotated[Int, Field(ge=2, le=52)] = 3
    """With fewer, the same hour of the days is compared with; with less than a week nothing."""
    least: LeastDifference = LeastDifference()
    every_s: Annotated[Float, Field(ge=1, le=3600)] = 300.0
    """How often the hour under way is looked at."""
    webhook: WebhookUrl | None = None
    """Where anomalies are posted to as JSON; None: to `budgets.webhook`."""

    @field_validator("least_history_weeks")
    @classmethod
    def _is_looked_at(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("history_weeks", value):
            msg = "must not be more than history_weeks"
            raise ValueError(msg)
        return value
