"""One configuration snapshot as a gateway; what outlives snapshots is handed in."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from app.adapters.azure.deployments import AzureOpenAI
from app.adapters.azure.entra import EntraCredential
from app.adapters.drawn_ids import DrawnIds
from app.adapters.estimator import Estimator
from app.adapters.identity.directory_keys import DirectoryCallers, DirectoryKeys
from app.adapters.upstream import HttpTransport
from app.bootstrap import tracing
from app.bootstrap.caching import Cached, caches_of, caching_of
from app.bootstrap.callers import Directories, SigningKeysByPlace, caller_tokens
from app.bootstrap.credentials import Identity, credential_of
from app.bootstrap.errands import errands_of
from app.bootstrap.hedging import Hedges
from app.bootstrap.prices import price_table
from app.bootstrap.safety import SafetyPlaces, content_safety
from app.bootstrap.values import capacities_of, fleet_of
from app.cohort import Cohort
from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.shares import RequestClass
from app.domain.policy.rules import policy_of
from app.domain.quota.price import PriceTable
from app.domain.routing.deployment import Fleet
from app.domain.routing.doubts import Doubts
from app.domain.routing.health import Health, HealthPolicy
from app.domain.routing.live_rules import LiveRules
from app.domain.routing.operations import Operations
from app.domain.routing.retry_budget import RetryBudget, RetryPolicy
from app.domain.routing.warm_cache import WarmCaches
from app.errands import Errands
from app.gateway import Gateway
from app.ports import (
    Accounts,
    BackgroundCharges,
    Clock,
    DirectoryStore,
    HoldBoard,
    Observer,
    ResponseOwners,
)
from app.settings import ModelCatalog, Settings
from app.settings import Routing as RoutingSettings
from app.stages.admission import Admission
from app.stages.authentication import Authentication
from app.stages.catalogue import Catalogue
from app.stages.own_account import OwnAccount
from app.stages.ownership import Ownership
from app.stages.policies import Policies
from app.stages.relay import Relay
from app.stages.routing import Routing, Waiting
from app.stages.settlement import Settlement
from app.stages.telemetry import Telemetry
from app.stages.upstream import Judging, Retries, Upstreams
from app.stages.upstream.hedge_account import HedgeAccount
from app.standing import Standing
from app.waiting import WaitingRoom

if TYPE_CHECKING:  # it takes the SDK along, which is for those who trace
    from app.adapters.tracing.request_tracing import RequestTracing


class Snapshot(msgspec.Struct, frozen=True):
    """One validated configuration and the gateway that runs on it."""

    settings: Settings
    fleet: Fleet
    gateway: Gateway
    errands: Errands


@dataclass(frozen=True, slots=True)
class Resources:
    """What is opened once and shared by every snapshot of a process."""

    clock: Clock
    holds: HoldBoard
    capacity: CapacityBook
    waiting: WaitingRoom
    owners: ResponseOwners
    cached: Cached
    accounts: Accounts
    background: BackgroundCharges
    directory: DirectoryStore
    keys: DirectoryKeys
    estimator: Estimator
    observers: tuple[Observer, ...]
    transport: HttpTransport
    catalog: ModelCatalog
    lifetimes: AsyncExitStack
    """Entra credentials end here, with the process, so that no snapshot waits for another's."""
    credentials: dict[Identity, EntraCredential] = field(default_factory=dict)
    """Entra credentials; keys are cheap and made anew."""
    traced: RequestTracing | None = None
    """None: nothing is traced."""
    redacted: Callable[[str], str] = str
    """Takes known secrets out of a text."""
    signing_keys: SigningKeysByPlace = field(default_factory=dict)
    safety: SafetyPlaces = field(default_factory=dict)
    health: Health = field(default_factory=Health)
    doubts: Doubts = field(default_factory=Doubts)
    warm: WarmCaches = field(default_factory=WarmCaches)
    retry_budget: RetryBudget = field(default_factory=RetryBudget)
    hedges: Hedges = field(default_factory=Hedges)
    reservation_ids: Callable[[], str] = field(default_factory=DrawnIds)


async def snapshot(settings: Settings, resources: Resources) -> Snapshot:
    """The gateway of these settings."""
    fleet = fleet_of(settings, resources.catalog)
    credentials = {
        name: await credential_of(deployment, resources)
        for name, deployment in settings.deployments.items()
    }
    directories = Directories(resources.lifetimes, resources.clock, resources.signing_keys)
    tokens = await caller_tokens(settings, directories, resources.keys.caller_rules)
    callers = DirectoryCallers(tokens, resources.keys) if tokens is not None else None
    prices = price_table(settings, resources.catalog)
    _follow(settings, resources)
    if resources.traced is not None:
        tracing.follow(resources.traced, settings.tracing, fleet)
    standing = Standing(
        resources.holds, resources.capacity, resources.health, resources.warm, random.random
    )
    gateway = Gateway(
        clock=resources.clock,
        cohort=Cohort(),
        telemetry=Telemetry(resources.observers, resources.traced),
        settlement=Settlement(
            resources.accounts,
            resources.estimator,
            prices,
            resources.background,
            limit_s=settings.timeouts.settle_s,
            redacted=resources.redacted,
        ),
        authentication=Authentication(resources.keys, callers),
        catalogue=Catalogue(fleet, created=int(resources.clock.unix())),
        own_account=OwnAccount(resources.accounts, resources.clock, caches_of(settings)),
        ownership=Ownership(resources.owners),
        policies=await _policies(settings, fleet, resources),
        admission=Admission(
            resources.accounts,
            resources.estimator,
            fleet=fleet,
            prices=prices,
            clock=resources.clock,
            new_id=resources.reservation_ids,
        ),
        caching=caching_of(settings, fleet, resources.cached, prices=prices, clock=resources.clock),
        routing=_routing(settings, fleet, standing, resources),
        upstreams=Upstreams(
            fleet,
            AzureOpenAI(resources.transport, credentials),
            Judging(standing, resources.doubts),
            resources.clock,
            retries=_retries(settings, resources, prices),
            rules=_rules(resources),
        ),
        relay=Relay(heartbeat_s=settings.timeouts.ping_s),
        max_json_depth=settings.limits.max_json_depth,
    )
    return Snapshot(settings, fleet, gateway, errands_of(gateway))


async def _policies(settings: Settings, fleet: Fleet, resources: Resources) -> Policies:
    safety = await content_safety(settings, resources, resources.safety)
    return Policies(policy_of(settings.policy), fleet, resources.estimator, safety=safety)


def _routing(settings: Settings, fleet: Fleet, standing: Standing, resources: Resources) -> Routing:
    return Routing(
        fleet,
        standing,
        resources.clock,
        waiting=Waiting(resources.waiting, _patience(settings.routing)),
        draw=random.random,
        rules=_rules(resources),
    )


def _rules(resources: Resources) -> LiveRules:
    directory = resources.directory

    def operations() -> Operations:
        return directory.current.deployments

    # Each directory has its own mapping of them, a small one: whoever keeps it as a version keeps
    # no directory alive that is in force no more.
    return LiveRules(operations, resources.keys.policy, operations)


def _patience(routing: RoutingSettings) -> dict[RequestClass, float]:
    return {each: getattr(routing.wait_s, each.name.lower()) for each in RequestClass}


def _follow(settings: Settings, resources: Resources) -> None:
    """What is known of deployments outlives a reload; by which policy, does not."""
    routing = settings.routing
    health, retries = routing.health, routing.retries
    resources.capacity.follow(
        capacities_of(settings, resources.catalog),
        resources.clock.now(),
        largest_ptu_fraction=routing.largest_ptu_fraction,
    )
    resources.health.policy = resources.doubts.policy = HealthPolicy(
        failures_in_a_row=health.failures_in_a_row,
        ejection_s=health.ejection_s,
        longest_ejection_s=health.longest_ejection_s,
        most_ejected=health.most_ejected,
        ramp_s=health.ramp_s,
    )
    resources.waiting.at_most = routing.wait_s.at_once
    resources.retry_budget.policy = RetryPolicy(percent=retries.percent, reserve=retries.at_once)


def _retries(settings: Settings, resources: Resources, prices: PriceTable) -> Retries:
    account = HedgeAccount(
        resources.accounts,
        prices,
        resources.clock,
        new_id=resources.reservation_ids,
        charged=resources.hedges.charged,
    )
    return Retries(
        resources.retry_budget,
        settings.limits.max_attempts_after_errors,
        resources.hedges.following(settings.routing.hedging, account, resources.clock),
    )
