"""Series that are there before their first event.

What a counter grows by is told by the difference between two scrapes: of a series that begins with
its first event, that event is in no rate. So what has a closed set of values, or is named in the
configuration, begins at 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from app.adapters.metrics import families as f
from app.adapters.metrics.family import Family
from app.adapters.metrics.names import OTHER
from app.adapters.metrics.receipts import GIVEN_UP
from app.adapters.metrics.tallies import TOKEN_TYPES
from app.domain.cache.entry import Bypass
from app.domain.cache.outcome import BYPASSED, CacheResult
from app.domain.call.errand import Purpose
from app.domain.capacity.shares import RequestClass
from app.domain.capacity.spill import SpillReason
from app.domain.identity.tenant import LossPolicy, Tenant
from app.domain.ledger.completion import Outcome
from app.domain.ledger.error_type import FAULTS, ErrorType, Fault
from app.domain.policy.findings import PolicyKind
from app.domain.policy.rules import Action
from app.domain.quota.limit import Mode
from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Deployment, Fleet
from app.domain.routing.throttle import REASONS

Series = tuple[Family, tuple[str, ...]]

#: What may wake somebody up. The faults of callers are many, and no news.
_ALARMING: Final = frozenset({Fault.CAPACITY, Fault.UPSTREAM, Fault.GATEWAY})
_CLASSES: Final = tuple(each.name.lower() for each in RequestClass)
_BY_MODEL: Final = (f.LATENCY, f.INPUT_TOKENS, f.OUTPUT_TOKENS, f.CACHE_SAVED_TIME)
#: Of a tenant that is let in without its account: who is not, is refused.
_DEGRADED: Final = (LossPolicy.LOCAL_SHARE, LossPolicy.FAIL_OPEN)


@dataclass(frozen=True, slots=True)
class Known:
    """What is configured now, as far as labels go; tenants by name."""

    fleet: Fleet = field(default_factory=lambda: Fleet({}, {}))
    tenants: Mapping[str, Tenant] = field(default_factory=dict)


def series_of(known: Known, tenants: Iterable[str]) -> Iterator[Series]:
    """Those that begin at 0; of tenants, these have series of their own."""
    yield from _always()
    for deployment in known.fleet.deployments.values():
        yield from _of_deployment(deployment)
    for model in known.fleet.models:
        yield from _of_model(model)
    for name in tenants:
        yield from _of_tenant(name, known.tenants.get(name))


def _each(family: Family, *values: Iterable[str]) -> Iterator[Series]:
    return ((family, labels) for labels in product(*values))


def _of_deployment(deployment: Deployment) -> Iterator[Series]:
    name = (deployment.name,)
    yield from _each(f.ATTEMPTS, name, Verdict)
    yield from _each(f.THROTTLES, name, REASONS[deployment.kind])
    yield from _each(f.DEPLOYMENT_TOKENS, name, TOKEN_TYPES)
    yield f.DEPLOYMENT_COST, (deployment.name, deployment.kind)
    yield f.RETRY_AFTER, name
    yield f.ESTIMATED, name


def _of_model(model: str) -> Iterator[Series]:
    yield from _errors(model, _ALARMING)
    yield from _each(f.SPILL, (model,), (each for each in SpillReason if each != SpillReason.NONE))
    yield from _each(f.CACHE_SAVED_TOKENS, (model,), TOKEN_TYPES)
    yield from ((family, (model,)) for family in _BY_MODEL)


def _errors(model: str, faults: Iterable[Fault]) -> Iterator[Series]:
    kinds = (kind for kind in ErrorType if FAULTS[kind] in faults)
    return ((f.ERRORS, (model, kind, FAULTS[kind])) for kind in kinds)


def _of_tenant(name: str, tenant: Tenant | None) -> Iterator[Series]:
    yield f.SPILL_COST, (name,)
    yield from _each(f.DEGRADED, (name,), _DEGRADED)
    limits = tenant.limits if tenant is not None else ()
    hard = (rule.name for rule in limits if rule.mode is Mode.HARD)
    yield from _each(f.QUOTA_REFUSALS, (name,), hard)


def _always() -> Iterator[Series]:
    """Whatever is configured."""
    yield from _errors(OTHER, {Fault.GATEWAY})
    yield from _of_tenant(OTHER, None)
    yield from _each(f.CLASS_REQUESTS, _CLASSES, SpillReason)
    yield from _each(f.POLICY_FINDINGS, PolicyKind, (Action.BLOCK, Action.FLAG))
    yield from _each(f.QUEUE_WAIT, _CLASSES)
    yield from _each(f.CACHE_REQUESTS, CacheResult)
    yield from _each(f.CACHE_REASONS, (CacheResult.BYPASS,), (BYPASSED.reason, *Bypass))
    yield from _each(f.CACHE_DISTANCE, (CacheResult.SEMANTIC, CacheResult.MISS))
    made = [each for each in Purpose if each is not Purpose.HEDGE]
    yield from _each(f.ERRANDS, made, Outcome)
    yield f.ERRANDS, (Purpose.HEDGE, GIVEN_UP)
    yield from _each(f.ERRAND_TOKENS, Purpose, TOKEN_TYPES)
    yield from _each(f.ERRAND_COST, Purpose)
