"""Requests that the gateway makes itself, each on behalf of a tenant, who pays for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from app.domain.call.request import InferenceRequest
from app.domain.call.trace import TraceContext
from app.domain.capacity.shares import RequestClass
from app.domain.identity.tenant import Principal, Tenant
from app.domain.quota.usage import Usage

#: Whose key an errand counts under where no caller's is known. Keys' ids are longer.
OWN_KEY: Final = "gateway"


class Purpose(StrEnum):
    """What an errand is for, as the ledger and usage name it; a closed set."""

    SAMPLE = "sample"  # what the cache answered is asked upstream, too
    JUDGEMENT = "judgement"  # a model says whether two answers are the same
    EMBEDDING = "embedding"  # a prompt becomes a vector
    HEDGE = "hedge"  # of two deployments that were asked for one answer, the one that lost


#: What measures the cache, and may together cost a tenant so much a day.
MEASURING: Final = frozenset({Purpose.SAMPLE, Purpose.JUDGEMENT})


@dataclass(frozen=True, slots=True)
class Errand:
    """One request; it is given up after `limit_s` seconds.

    `usd_per_day` is what this tenant's MEASURING errands may cost together, None where nothing but
    the tenant's own limits holds. `tags` and `cause` are those of the request that it is made for.
    """

    purpose: Purpose
    principal: Principal
    request: InferenceRequest
    limit_s: float
    usd_per_day: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    cause: TraceContext | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The whole answer to an errand, as a caller would have got it; a stream is its frames."""

    body: bytes
    is_stream: bool = False
    usage: Usage | None = None


def patient(principal: Principal) -> Principal:
    """The same, last in line: what nobody waits for takes nobody's place."""
    routing = replace(principal.tenant.routing, request_class=RequestClass.BATCH)
    return replace(principal, tenant=replace(principal.tenant, routing=routing))


def of_any_model(tenant: Tenant) -> Tenant:
    """The same, where the model is the configuration's choice: its list is of what it may name."""
    return replace(tenant, models=None)
