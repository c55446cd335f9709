"""Why a request went where it went: one record of it, and the same in plain sentences."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from app.api.admin.guard import CallerOf, needs
from app.api.admin.lookup import tenant_of
from app.api.admin.roles import Action, Caller
from app.api.admin.services import AdminServices
from app.api.admin.shapes import Body, Item
from app.domain.cache.outcome import CacheResult
from app.domain.call.request import Operation
from app.domain.capacity.spill import SpillReason
from app.domain.explain.explanation import Explanation
from app.domain.explain.why import summary, why_asked, why_candidate, why_skipped
from app.domain.ledger.completion import Outcome
from app.domain.policy.findings import PolicyKind
from app.domain.policy.rules import Action as PolicyAction
from app.domain.quota.limit import LimitName, Mode
from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Kind
from app.domain.routing.throttle import ThrottleClass
from app.errors import UnknownEntry

_KEPT: Final = "one comes when the request is over, and is kept for explain.keep_s, if at all"


class _View(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class CandidateView(_View):
    """One that was to be asked, in that order."""

    deployment: str
    tier: int = Field(description="from 0")
    predicted_utilization: float | None = Field(description="1.0 is all; null: not known")
    weight: float | None = Field(description="in its tier; null: it was not drawn by weight")
    expected_wait_s: float = Field(description="of two drawn the one with less goes first")
    is_warm: bool = Field(description="its cache may know the prompt")
    why: str = ""


class SkipView(_View):
    """One that was not asked."""

    deployment: str
    tier: int
    reason: SpillReason
    wait_s: float | None = Field(description="how much longer that would have held; null: for good")
    predicted_utilization: float | None
    at_its_turn: bool = Field(description="it was a candidate, and found wanting at its turn")
    why: str = ""


class AttemptView(_View):
    """One that was asked."""

    deployment: str
    tier: int
    verdict: Verdict
    began_s: float = Field(description="after the request's arrival")
    took_s: float = Field(description="until its first content, or until it had refused")
    kind: Kind | None
    status: int | None = Field(description="null: no answer came")
    code: str | None
    throttle: ThrottleClass | None = Field(description="why it refused")
    retry_after_s: float | None
    actual_utilization: float | None = Field(description="as its answer told; 1.0 is all")
    upstream_request_id: str | None
    native_spillover_from: str | None = Field(description="Azure itself moved it away from there")
    why: str = ""


class LimitView(_View):
    """A limit that was asked, in requests, tokens or nano-dollars."""

    name: LimitName
    scope: str
    amount: int
    left: int | None = Field(description="with this request taken; null: nobody could tell")
    mode: Mode
    is_over: bool = Field(description="a soft or shadow limit that it went over")


class ReservedView(_View):
    """What was taken from the account before it ran."""

    requests: int
    tokens: int
    nano_usd: int
    limits: list[LimitView]
    degraded: str | None = Field(description="the policy in force without the account")


class SettledView(_View):
    """What was charged in its place."""

    input: int
    cached_input: int = Field(description="part of `input`")
    output: int
    reasoning: int = Field(description="part of `output`")
    nano_usd: int


class CachedView(_View):
    """What the cache did."""

    result: CacheResult
    reason: str
    fingerprint: str = Field(description="what the answer is evicted by")
    source: str | None = Field(description="the request that the answer was made for")
    age_s: float | None
    distance: float | None = Field(description="cosine distance of the nearest that was found")
    would_hit: bool = Field(description="in shadow mode: it came from upstream all the same")
    saved_nano_usd: int
    saved_s: float


class PolicyView(_View):
    """A rule of its tenant's input policy that it broke."""

    kind: PolicyKind
    name: str = Field(description="of the setting, or of the pattern")
    action: PolicyAction
    field: str = Field(description="where in the body; empty: in all of it")


class LoadView(_View):
    """What it was expected to ask of a deployment, in tokens."""

    prompt: int
    output: int
    cached: int
    request_class: str


class ExplanationView(_View):
    """One request; `why` is the whole of it in a few sentences. Durations are seconds."""

    request_id: str
    at: float = Field(description="its arrival, Unix seconds")
    duration_s: float
    outcome: Outcome
    tenant: str
    spill: SpillReason
    status: int | None
    error: str | None
    operation: Operation | None
    stream: bool
    key_id: str | None
    model: str | None
    deployment: str | None
    deployment_kind: Kind | None
    time_to_first_token_s: float | None
    errand: str = Field(description="what the gateway itself asked it for; empty: a caller's")
    cache: CachedView | None = Field(description="null: no cache is on for it")
    load: LoadView | None
    last_resort: bool = Field(description="nobody was expected to have room; all were asked")
    candidates: list[CandidateView]
    skipped: list[SkipView]
    attempts: list[AttemptView]
    reserved: ReservedView | None
    settled: SettledView | None
    flags: list[str]
    policies: list[PolicyView]
    why: list[str] = []

    @classmethod
    def of(cls, found: Explanation) -> ExplanationView:
        """As it is shown, with its sentences."""
        view = cls.model_validate(found)
        view.why = summary(found)
        for candidate, its_view in zip(found.candidates, view.candidates, strict=True):
            its_view.why = why_candidate(candidate, found)
        for skip, skip_view in zip(found.skipped, view.skipped, strict=True):
            skip_view.why = why_skipped(skip)
        for attempt, attempt_view in zip(found.attempts, view.attempts, strict=True):
            attempt_view.why = why_asked(attempt)
        return view


class ExplainQuery(Body):
    """Whose request it was, where two tenants chose the same id."""

    tenant: str | None = Field(None, max_length=64)


def add_explain_route(router: APIRouter, services: AdminServices) -> None:
    """Put it on the router."""

    @router.get("/explain/{request_id}", openapi_extra=needs(Action.READ_EXPLANATIONS))
    async def explain(
        caller: CallerOf, request_id: str, asked: Annotated[ExplainQuery, Query()]
    ) -> Item[ExplanationView]:
        """Why a request went where it went, by the id that its answer bore in `x-request-id`.

        404 where it is not, or no longer, kept, or another tenant's.
        """
        tenants = _tenants(services, caller, asked.tenant)
        found = await services.explanations.find(request_id, tenants)
        if found is None:
            message = f"There is no explanation of a request {request_id[:64]!r}: {_KEPT}."
            raise UnknownEntry(message)
        return Item(data=ExplanationView.of(found))


def _tenants(services: AdminServices, caller: Caller, given: str | None) -> list[str]:
    """Those whose requests may be looked at. Raises UnknownEntry."""
    if given is not None:
        return [tenant_of(services, caller, given).name]
    return [name for name in services.store.current.tenants if caller.sees(name)]
