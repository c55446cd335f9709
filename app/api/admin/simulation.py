"""What limits would have refused of what the ledger holds; nothing is changed."""

from __future__ import annotations

from typing import Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.admin.guard import CallerOf, needs
from app.api.admin.ledger_readers import LedgerReaders
from app.api.admin.lookup import check_rules, tenant_of
from app.api.admin.roles import Action
from app.api.admin.rules import RuleBodies, RuleView, rules_of
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, Item, Moment
from app.domain.identity.directory import TenantEntry
from app.domain.ledger.usage_query import UsageQuery
from app.domain.ledger.what_if import LimitOutcome, TooManyRows, WhatIf, what_if
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import FORMS, Kind, LimitRule
from app.errors import MalformedRequest

#: A request is recorded when it has ended: at most so long (seconds) after it began.
_LONGEST_S: Final = 3600.0


class SimulationBody(Body):
    """Limits to be tried on a tenant's recorded requests of a period."""

    tenant: str
    limits: RuleBodies = Field(min_length=1)
    since: Moment | None = None
    until: Moment | None = None


class LimitOutcomeView(BaseModel):
    """What one of the limits did."""

    limit: RuleView
    over: int = Field(description="requests it had no room for")
    first_at: float | None
    peak: int = Field(description="the most it would have had to hold, in its own unit")

    @classmethod
    def of(cls, outcome: LimitOutcome) -> LimitOutcomeView:
        """As it is shown."""
        return cls(
            limit=RuleView.of(outcome.rule),
            over=outcome.over,
            first_at=outcome.first_at,
            peak=outcome.peak,
        )


class Simulation(BaseModel):
    """What would have been."""

    requests: int = Field(description="recorded in the period, those refused then left out")
    refused: int = Field(description="that a hard limit would have refused")
    first_refused_at: float | None
    by_limit: list[LimitOutcomeView]

    @classmethod
    def of(cls, outcome: WhatIf) -> Simulation:
        """As it is shown."""
        return cls(
            requests=outcome.requests,
            refused=outcome.refused,
            first_refused_at=outcome.first_refused_at,
            by_limit=[LimitOutcomeView.of(each) for each in outcome.limits],
        )


def add_simulation_route(
    router: APIRouter, services: AdminServices, readers: LedgerReaders
) -> None:
    """Put it on the router."""

    @router.post("/limits/simulate", openapi_extra=needs(Action.SIMULATE_LIMITS))
    async def simulate_limits(caller: CallerOf, body: SimulationBody) -> Item[Simulation]:
        """Replay the ledger against limits, before they are set."""
        tenant = tenant_of(services, caller, body.tenant)
        check_rules(services, body.limits)
        rules = rules_of(body.limits)
        query = UsageQuery(
            (),
            _first_needed(body.since, rules, tenant),
            None if body.until is None else body.until + _LONGEST_S,
            {"tenant": frozenset({tenant.name})},
        )

        def replay() -> WhatIf:
            rows = (row for _, row in services.usage.rows(query) if query.matches(row))
            return what_if(rows, rules, since=body.since, until=body.until)

        try:
            return Item(data=Simulation.of(await readers.read(caller, replay)))
        except TooManyRows as error:
            raise MalformedRequest(f"since: {error}.", param="since") from error


def _first_needed(
    since: float | None, rules: tuple[LimitRule, ...], tenant: TenantEntry
) -> float | None:
    """From when on there is something that counts in limits at `since`."""
    if since is None:
        return None
    kinds, zone = {FORMS[rule.name][0] for rule in rules}, ZoneInfo(tenant.time_zone)
    bounds = [since - _LONGEST_S]
    if Kind.MONTH in kinds:
        bounds.append(months_around(since, zone)[1].starts / 1000)
    if Kind.DAY in kinds:
        bounds.append(days_around(since, zone)[1].starts / 1000)
    return min(bounds)
