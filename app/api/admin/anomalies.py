"""Tenants' hours beside what they should come to by their own history."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.api.admin.guard import CallerOf, needs
from app.api.admin.roles import Action, Caller
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, Item
from app.domain.quota.anomaly import HOUR_S, AnomalyReport, HourFound
from app.settings.section import Float


class AnomaliesQuery(Body):
    """Which hours."""

    tenant: str | None = None
    least_score: Float | None = Field(None, description="only with a measure that is this far up")


class DeviationView(BaseModel):
    """One measure of an hour, in requests, tokens or US dollars."""

    model_config = ConfigDict(from_attributes=True)

    measure: str = Field(description="requests, tokens or dollars")
    score: float = Field(
        description="scaled median absolute deviations above its median; negative: below"
    )
    value: float
    usual: float = Field(description="the median of like hours")
    history: str = Field(description="which are like it: hour_of_week or hour_of_day")
    samples: int = Field(description="how many of them there were")


class HourView(BaseModel):
    """A tenant's last whole hour, or the one under way where that is far above already."""

    tenant: str
    hour: float = Field(description="its beginning, Unix seconds")
    under_way: bool
    measures: list[DeviationView]

    @classmethod
    def of(cls, found: HourFound) -> HourView:
        """As it is shown."""
        measures = [DeviationView.model_validate(each) for each in found.deviations]
        hour = float(found.hour * HOUR_S)
        return cls(tenant=found.tenant, hour=hour, under_way=found.under_way, measures=measures)


class AnomaliesView(BaseModel):
    """Tenants without enough history are not there."""

    looked_at: float | None = Field(description="Unix seconds; null: not yet, or it is off")
    hours: list[HourView] = Field(description="highest scores first")

    @classmethod
    def of(cls, report: AnomalyReport, asked: AnomaliesQuery, caller: Caller) -> AnomaliesView:
        """What is asked for of what the caller sees."""
        found = [
            each
            for each in report.hours
            if caller.sees(each.tenant)
            and asked.tenant in {None, each.tenant}
            and (asked.least_score is None or each.highest >= asked.least_score)
        ]
        found.sort(key=lambda each: (-each.highest, each.tenant))
        return cls(looked_at=report.at or None, hours=[HourView.of(each) for each in found])


def add_anomaly_route(router: APIRouter, services: AdminServices) -> None:
    """Put it on the router."""

    @router.get("/anomalies", openapi_extra=needs(Action.READ_USAGE))
    async def list_anomalies(
        caller: CallerOf, asked: Annotated[AnomaliesQuery, Query()]
    ) -> Item[AnomaliesView]:
        """How far each tenant's last hour is off its own history, as last looked at."""
        if asked.tenant is not None:
            caller.require_sight(asked.tenant)
        report = await asyncio.to_thread(services.anomalies)
        return Item(data=AnomaliesView.of(report, asked, caller))
