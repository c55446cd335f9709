"""How many PTUs recorded traffic is cheapest with: planned beside the gateway, one at a time."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.admin.guard import CallerOf, needs
from app.api.admin.roles import Action, Caller
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, Item, Moment
from app.planner.sizing.job import PlanAsk, PlanJob, PlanState
from app.settings.section import Float, Int, Name

_NOTHING: Final = PlanAsk("")
_Usd = Annotated[Float, Field(ge=0, le=10_000_000)]


class PlanBody(Body):
    """As the options of `spillgate plan`; what is left out is as configured, or its default."""

    model: Name = Field(description="as applications call it")
    base_model: Name | None = Field(None, description="another one: its sizes and prices")
    since: Moment | None = Field(None, description="Unix seconds, or ISO 8601 with a zone")
    until: Moment | None = Field(None, description="exclusive")
    kind: Literal["global", "datazone", "regional"] | None = None
    most: Annotated[Int, Field(ge=1, le=1_000_000)] | None = None
    ptus: list[Annotated[Int, Field(ge=1, le=1_000_000)]] = Field([], max_length=20)
    usd_per_ptu_hour: _Usd | None = None
    usd_per_ptu_month: _Usd | None = None
    usd_per_ptu_year: _Usd | None = None
    growth: Annotated[Float, Field(ge=0.01, le=100)] | None = Field(
        None, description="what if so many times as much is asked"
    )
    cached: Annotated[Float, Field(ge=0, le=0.99)] | None = Field(
        None, description="what if a cache answers this part"
    )
    without: list[Name] = Field([], max_length=1000, description="what if these tenants are gone")
    seed: Int | None = None
    variants: bool = Field(default=False, description="whether the best of every kind is told, too")

    def asked(self) -> PlanAsk:
        """As a value."""
        given = self.given()
        return PlanAsk(**given | {"ptus": tuple(self.ptus), "without": tuple(self.without)})


class OptionView(BaseModel):
    """One number of PTUs; shares are parts of 1, dollars of the whole period."""

    ptus: int
    utilization: float
    spilled: int
    spilled_share: float
    spilled_tokens: int
    refused: int = Field(description="by Azure, where each request asks the PTUs first")
    wait_s: float = Field(description="for room, what spilled, on average")
    spill_usd: float
    usd: dict[str, float] = Field(description="by term")


class HoursView(BaseModel):
    """By hour of the week, from Monday 0:00 UTC; null: the period has no such hour."""

    utilization: list[float | None]
    spilled: list[float | None]


class TimelineView(BaseModel):
    """Shares of requests that spill, as time goes on."""

    since: float
    step_s: int
    spilled: list[float | None]


class RecommendationView(BaseModel):
    """The cheapest number by one term."""

    term: str
    ptus: int
    confidence: dict[str, float] = Field(description="in what part of resamples a number was best")
    break_even: float | None
    hours: HoursView
    timeline: TimelineView


class VariantView(BaseModel):
    """The best by one term, were the PTUs sold as another kind."""

    kind: str
    term: str
    ptus: int
    usd: float = Field(description="of the whole period")
    spilled_share: float
    sure: float = Field(description="in what part of resamples this number was best")


class PlanResult(BaseModel):
    """What `spillgate plan --json` prints."""

    requests: int
    tokens: int
    since: float
    until: float
    days: int
    options: list[OptionView]
    recommendations: list[RecommendationView]
    variants: list[VariantView] = Field(description="empty unless they were asked for")


class PlanView(BaseModel):
    """The plan under way, or the last one."""

    state: str = Field(description="none, running, done, failed or cancelled")
    asked: dict[str, Any] = Field(description="with what was completed")
    begun_by: str = Field("", description="the administrator's id")
    started_at: float | None = None
    ended_at: float | None = None
    replayed: int = Field(0, description="numbers of PTUs so far")
    error: str | None = None
    result: PlanResult | None = None

    @classmethod
    def of(cls, job: PlanJob | None) -> PlanView:
        """As it is shown."""
        if job is None:
            return cls(state="none", asked={})
        names = PlanAsk.__dataclass_fields__
        return cls(
            state=job.state,
            asked={name: getattr(job.ask, name) for name in names if _is_said(job.ask, name)},
            begun_by=job.by,
            started_at=job.started_at,
            ended_at=job.ended_at,
            replayed=job.replayed,
            error=job.error,
            result=None if job.told is None else PlanResult.model_validate(job.told),
        )


def _is_said(ask: PlanAsk, name: str) -> bool:
    return bool(getattr(ask, name) != getattr(_NOTHING, name))


def may_cancel(caller: Caller, begun_by: str) -> bool:
    """Whether it is its own plan, or its role may end anybody's."""
    return caller.actor.id == begun_by or caller.may(Action.CANCEL_PLANS)


def add_plan_routes(router: APIRouter, services: AdminServices) -> None:
    """Put them on the router. A plan is of all tenants together: no tenant-admin may ask."""

    @router.get("/plan", openapi_extra=needs(Action.MAKE_PLAN))
    async def read_plan() -> Item[PlanView]:
        """The plan under way with its progress, or what the last one found."""
        return Item(data=PlanView.of(services.planner.current))

    @router.post("/plan", status_code=HTTPStatus.ACCEPTED, openapi_extra=needs(Action.MAKE_PLAN))
    async def make_plan(caller: CallerOf, body: PlanBody) -> Item[PlanView]:
        """Begin a plan, in a process of the lowest priority; 409 while another is being made."""
        return Item(data=PlanView.of(services.planner.start(body.asked(), caller.actor.id)))

    @router.delete("/plan", openapi_extra=needs(Action.MAKE_PLAN))
    async def cancel_plan(caller: CallerOf) -> Item[PlanView]:
        """End the plan under way: whoever began it, and whoever may end anybody's."""
        job = services.planner.current
        # Nothing is awaited from here until it is told to end: it is this plan that ends.
        if job is not None and job.state is PlanState.RUNNING and not may_cancel(caller, job.by):
            caller.require(Action.CANCEL_PLANS)
        return Item(data=PlanView.of(await services.planner.cancel()))
