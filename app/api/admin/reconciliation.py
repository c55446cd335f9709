"""Azure's count of tokens beside the ledger's."""

from __future__ import annotations

from typing import Annotated, Final, Self

from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from app.api.admin.guard import CallerOf, needs
from app.api.admin.ledger_readers import LedgerReaders
from app.api.admin.roles import Action
from app.api.admin.services import AdminServices
from app.api.admin.shapes import LAST_MOMENT, Body, Item
from app.domain.ledger.usage_query import UsageQuery, selected
from app.domain.reconciliation.compare import Compared, Reconciled, Step, reconciled
from app.domain.reconciliation.counted import counted
from app.domain.reconciliation.ptu_hours import add_ptu_hours
from app.domain.reconciliation.series import DAY_S, HOUR_S, Measure, Series
from app.settings.section import Int

#: A request is recorded when it has ended: at most so long after it began, seconds.
_LONGEST_S: Final = 3600
_MOST_STEPS: Final = 9000
_Name = Annotated[str, Field(max_length=256)]


class SeriesBody(Body):
    """What Azure counted of one deployment, or of a resource where `deployment` is empty."""

    resource: _Name = Field("", description="the account's name; empty: any")
    deployment: _Name = Field("", description="as Azure calls it")
    measure: Measure
    starts: Int = Field(ge=0, le=int(LAST_MOMENT), description="Unix seconds of the first step")
    tokens: list[Annotated[Int, Field(ge=0)]] = Field(min_length=1, max_length=_MOST_STEPS)


class ReconciliationBody(Body):
    """All series of an export, in steps of an hour or a day (UTC)."""

    step_s: Int = Field(HOUR_S, description="3600 or 86400")
    series: list[SeriesBody] = Field(min_length=1, max_length=1000)

    @model_validator(mode="after")
    def _steps_are_whole(self) -> Self:
        if self.step_s not in {HOUR_S, DAY_S}:
            raise PydanticCustomError("step", "step_s must be 3600 or 86400")
        if any(each.starts % self.step_s for each in self.series):
            raise PydanticCustomError("step", "series must start with a whole step")
        return self

    def read(self) -> list[Series]:
        """As values."""
        return [
            Series(
                each.resource.lower(),
                each.deployment.lower(),
                each.measure,
                each.starts,
                self.step_s,
                tuple(each.tokens),
            )
            for each in self.series
        ]


class StepView(BaseModel):
    """Tokens, or PTU hours; `azure - ledger = edge + hedges + broken + failed + unexplained`."""

    starts: int = Field(description="Unix seconds")
    azure: int
    ledger: int
    edge: int = Field(description="of requests under way at its beginning or end")
    hedges: int = Field(description="of those of two that were given up, whose answer is estimated")
    broken: int = Field(description="of answers that broke off, which are estimated")
    failed: int = Field(description="of requests that were given back after an upstream had worked")
    unexplained: int = Field(description="above zero: Azure counted more")

    @classmethod
    def of(cls, step: Step) -> StepView:
        """As it is shown."""
        return cls(
            starts=step.starts,
            azure=step.azure,
            ledger=step.ledger,
            edge=step.edge,
            hedges=step.hedges,
            broken=step.broken,
            failed=step.failed,
            unexplained=step.unexplained,
        )


class ComparedView(BaseModel):
    """One series. Steps without any difference are left out."""

    deployments: list[str] = Field(description="as configured; several add up")
    resource: str
    azure_deployment: str
    measure: Measure
    counted_at: str = Field(description="begin or end: when a request seems to count in Azure")
    errands: int = Field(description="of the ledger's, what the gateway asked for itself")
    total: StepView
    unexplained_more: int = Field(description="tokens that Azure counted beyond the ledger")
    unexplained_less: int = Field(description="tokens that the ledger counted beyond Azure")
    steps: list[StepView]

    @classmethod
    def of(cls, compared: Compared) -> ComparedView:
        """As it is shown."""
        more, less = compared.unexplained
        return cls(
            deployments=list(compared.deployments),
            resource=compared.series.resource,
            azure_deployment=compared.series.deployment,
            measure=compared.series.measure,
            counted_at="begin" if compared.begun else "end",
            errands=compared.errands,
            total=StepView.of(compared.total),
            unexplained_more=more,
            unexplained_less=less,
            steps=[StepView.of(each) for each in compared.steps if each.azure != each.ledger],
        )


class ForeignView(BaseModel):
    """A series that is of no configured deployment."""

    resource: str
    azure_deployment: str
    measure: Measure
    tokens: int


class ReconciliationView(BaseModel):
    """All series of an export."""

    since: int = Field(description="Unix seconds")
    until: int = Field(description="exclusive")
    step_s: int
    compared: list[ComparedView]
    foreign: list[ForeignView] = Field(description="of no configured deployment")
    silent: dict[str, int] = Field(description="tokens of deployments that the export has not")

    @classmethod
    def of(cls, found: Reconciled, series: list[Series]) -> ReconciliationView:
        """As it is shown."""
        return cls(
            since=min(each.starts for each in series),
            until=max(each.ends for each in series),
            step_s=series[0].step_s,
            compared=[ComparedView.of(each) for each in found.compared],
            foreign=[
                ForeignView(
                    resource=each.resource,
                    azure_deployment=each.deployment,
                    measure=each.measure,
                    tokens=sum(each.tokens),
                )
                for each in found.foreign
            ],
            silent=found.silent,
        )


def add_reconciliation_route(
    router: APIRouter, services: AdminServices, readers: LedgerReaders
) -> None:
    """Put it on the router. It tells of all tenants together: no tenant-admin may ask."""

    @router.post("/usage/reconciliation", openapi_extra=needs(Action.READ_DEPLOYMENTS))
    async def reconcile_usage(
        caller: CallerOf, body: ReconciliationBody
    ) -> Item[ReconciliationView]:
        """Compare what Azure counted, by deployment and hour or day, with the ledger."""
        series = body.read()
        found = await readers.read(caller, _reconciled, services, series)
        return Item(data=ReconciliationView.of(found, series))


def _reconciled(services: AdminServices, series: list[Series]) -> Reconciled:
    since = min(each.starts for each in series)
    until = max(each.ends for each in series) + _LONGEST_S
    query = UsageQuery((), since, until)
    rows = selected((row for _, row in services.usage.rows(query)), query)
    found, rules = counted(rows, series[0].step_s), services.billing()
    add_ptu_hours(found, rules.purchases, series, services.clock.unix())
    return reconciled(series, rules.places, found)
