"""Whatever is held, full, failing, forbidden or drained: what may be said of every plan.

Plans are made by the routing stage from real buckets, counters, health and policies, and compared
with what each of these says by itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.domain.call.request import InferenceRequest
from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.paygo_window import PaygoCapacity
from app.domain.capacity.provisioned import PtuCapacity
from app.domain.capacity.room import Room
from app.domain.capacity.shares import Claim, RequestClass
from app.domain.capacity.spill import SpillReason
from app.domain.identity.directory import DeploymentEntry
from app.domain.identity.route_policy import RoutePolicy, Spill
from app.domain.identity.tenant import Principal, Tenant
from app.domain.routing.deployment import Api, Deployment, Fleet, Kind, Target, Tiers
from app.domain.routing.health import Health
from app.domain.routing.live_rules import LiveRules
from app.domain.routing.route import RoutePlan
from app.domain.routing.warm_cache import WarmCaches
from app.errors import NoCapacity, NowhereAllowed
from app.observation import Observation
from app.stages.routing import Routing
from app.standing import Standing
from app.wire.routes import match
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.holds import FakeHoldBoard
from tests.fakes.house import no_waiting

OURS, OTHERS = "gpt-4o", "gpt-4o-mini"
ZONES, REGIONS = ("eu", "us"), ("sweden", "virginia")
TOKENS = 1000
PTUS = PtuCapacity(100.0, 4.0)  # six thousand tokens deep


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What befell one deployment before the request came."""

    used: int  # tokens taken by others
    held_s: float
    failures: int
    ejected_s: float  # since the last failure
    draining: bool


deployments = st.builds(
    dict[str, Any],
    kind=st.sampled_from(Kind),
    region=st.sampled_from([*REGIONS, ""]),
    data_zone=st.sampled_from([*ZONES, ""]),
)
circumstances = st.builds(
    Circumstances,
    used=st.sampled_from([0, 3000, 7000, 20_000]),
    held_s=st.sampled_from([0.0, 0.0, 0.2, 30.0]),
    failures=st.sampled_from([0, 0, 1, 5]),
    ejected_s=st.sampled_from([0.0, 29.0, 40.0, 100.0]),
    draining=st.sampled_from([False, False, False, True]),
)
policies = st.builds(
    RoutePolicy,
    request_class=st.sampled_from(RequestClass),
    ptu_share=st.sampled_from([0.0, 0.3, 1.0]),
    spill=st.sampled_from(Spill),
    data_zones=st.none() | st.frozensets(st.sampled_from(ZONES), min_size=1),
    regions=st.none() | st.frozensets(st.sampled_from(REGIONS), min_size=1),
)


@dataclass(frozen=True, slots=True)
class World:
    """A fleet with all that befell it, and a tenant's request."""

    fleet: Fleet
    befell: dict[str, Circumstances]
    policy: RoutePolicy
    demand: Demand | None
    cache_key: bytes
    seed: int


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Two models; each deployment serves one of them, in one place. PTUs come first, if ordered."""
    fleet: dict[str, Deployment] = {}
    models: dict[str, Tiers] = {}
    for model in (OURS, OTHERS):
        tiers = draw(
            st.lists(st.lists(deployments, min_size=1, max_size=4), min_size=1, max_size=4)
        )
        if draw(st.booleans()):
            tiers = _ptus_first(tiers)
        places = []
        for number, tier in enumerate(tiers):
            names = [f"{model}-{number}-{place}" for place in range(len(tier))]
            for name, fields in zip(names, tier, strict=True):
                fleet[name] = Deployment(
                    name,
                    fields.pop("kind"),
                    f"https://{name}.example",
                    Api.V1,
                    name,
                    model,
                    **fields,
                )
            places.append(tuple(Target(name, draw(st.floats(0.01, 100))) for name in names))
        models[model] = tuple(places)
    return World(
        Fleet(fleet, models),
        {name: draw(circumstances) for name in fleet},
        draw(policies),
        draw(st.none() | st.just(Demand(TOKENS, 0))),
        draw(st.sampled_from([b"", b"a conversation"])),
        draw(st.integers(0, 1 << 32)),
    )


def _ptus_first(tiers: list[list[dict[str, Any]]]) -> list[list[dict[str, Any]]]:
    """The same deployments, as one configures them: PTUs in a tier before all others."""
    every = [fields for tier in tiers for fields in tier]
    kinds = ([fields for fields in every if fields["kind"] is kind] for kind in Kind)
    return [tier for tier in kinds if tier]


class Played:
    """The world as it is when the request comes, and the plan that is made for it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = FakeClock()
        self.holds = FakeHoldBoard(self.clock)
        self.health = Health()
        self.book = CapacityBook("one")
        self.now = self.clock.now()
        self._befall()
        tenant = Tenant("acme", routing=world.policy)
        self.principal = Principal(tenant, "k")
        standing = Standing(self.holds, self.book, self.health, WarmCaches(), lambda: 0.5)
        self.routing = Routing(
            world.fleet,
            standing,
            self.clock,
            waiting=no_waiting(self.clock),
            draw=Random(world.seed).random,
            rules=LiveRules(self._operations),
        )

    def _operations(self) -> dict[str, DeploymentEntry]:
        befell = self.world.befell.items()
        return {name: DeploymentEntry(name, draining=True) for name, it in befell if it.draining}

    def _befall(self) -> None:
        fleet = self.world.fleet.deployments
        self.book.follow(
            {
                name: PTUS if each.kind is Kind.PTU else PaygoCapacity(tpm=6000)
                for name, each in fleet.items()
            },
            self.now,
        )
        for name, it in self.world.befell.items():
            if it.used:
                other = Load(Claim("other", 0.3), Demand(it.used, 0))
                self.book.rooms([name], other, self.now)
                self.book.take(name, other, self.now)
            if it.held_s:
                self.holds.hold(name, self.now + it.held_s)
            for _ in range(it.failures):
                failed = self.now - it.ejected_s
                self.health.failed(name, failed, started=failed, jitter=0.0)

    def plan(self) -> RoutePlan | None:
        """None where the tenant's policy leaves nobody; without candidates where none has room."""
        request = InferenceRequest(
            match("POST", "/v1/chat/completions", ""), OURS, b"{}", cache_key=self.world.cache_key
        )
        observation = Observation(FakeCall(), self.clock)
        observation.demand = self.world.demand
        try:
            choices = self.routing.choices(self.principal, request, None)
            return asyncio.run(self.routing.plan(self.principal, request, choices, observation))
        except NowhereAllowed:
            return None
        except NoCapacity:
            return observation.plan

    def room(self, name: str) -> Room:
        """What the deployment itself says."""
        if self.world.demand is None:
            return Room(self.now)
        load = Load(self.world.policy.claim("acme"), self.world.demand)
        return self.book.rooms([name], load, self.now)[name]

    def free_at(self, name: str) -> float:
        """When it may be asked, if only for want of others: what is vague keeps nobody away."""
        room, held = self.room(name), self.now + self.world.befell[name].held_s
        return max(room.until, held) if room.firm else held

    @property
    def ours(self) -> dict[str, int]:
        """The model's deployments, with their tiers."""
        tiers = self.world.fleet.models[OURS]
        return {each.deployment: number for number, tier in enumerate(tiers) for each in tier}

    def permits(self, name: str) -> bool:
        """Whether the tenant's policy lets it go there."""
        policy, place = self.world.policy, self.world.fleet.deployments[name]
        zones, regions = policy.data_zones, policy.regions
        return (
            (zones is None or place.data_zone in zones)
            and (regions is None or place.region in regions)
            and (policy.spill is Spill.ALLOW or self.ours[name] == 0)
        )

    def is_open(self, name: str) -> bool:
        """Whether new requests may go there at all."""
        return self.permits(name) and not self.world.befell[name].draining

    def is_held(self, name: str) -> bool:
        """By its own word."""
        return self.world.befell[name].held_s > 0

    def is_ready(self, name: str) -> bool:
        """Whether nothing speaks against asking it now."""
        has_room = self.room(name).at <= self.now
        well = self.health.may_ask(name, self.now)
        return self.is_open(name) and not self.is_held(name) and has_room and well

    def could_serve(self, name: str) -> bool:
        """Whether it might serve, though it is expected not to."""
        room = self.room(name)
        return (
            self.is_open(name) and not self.is_held(name) and (room.at <= self.now or not room.firm)
        )


@given(worlds())
def test_a_plan_names_the_models_deployments_that_policy_permits(world: World) -> None:
    """No other model's, no drained one, none out of its zones, none that is a spill denied."""
    played = Played(world)
    made = played.plan()
    assert made is not None or not any(map(played.permits, played.ours))
    for each in made.candidates if made else ():
        assert played.ours[each.deployment] == each.tier
        assert world.fleet.deployments[each.deployment].model == OURS
        assert played.is_open(each.deployment)
        assert not played.is_held(each.deployment)


@given(worlds())
def test_a_plan_asks_earlier_tiers_first(world: World) -> None:
    """So with PTUs in front, pay-as-you-go is never asked before a PTU that has room."""
    played = Played(world)
    made = played.plan()
    if made is None:
        return
    order = [each.deployment for each in made.candidates]
    for name, tier in played.ours.items():
        if not played.is_ready(name):
            continue
        ahead = order[: order.index(name)]
        assert all(played.ours[other] <= tier for other in ahead)
        tiers = world.fleet.models[OURS]
        kinds = [{world.fleet.deployments[t.deployment].kind for t in each} for each in tiers]
        if kinds in ([{Kind.PTU}, {Kind.PAYGO}], [{Kind.PTU}]):
            is_ptu = world.fleet.deployments[name].kind is Kind.PTU
            assert not is_ptu or all(
                world.fleet.deployments[other].kind is Kind.PTU for other in ahead
            )


@given(worlds())
def test_a_plan_is_not_empty_while_anything_could_serve(world: World) -> None:
    """A failing deployment and a used-up counter are tried before a refusal is made up."""
    played = Played(world)
    made = played.plan()
    if made is not None:
        candidates = {each.deployment for each in made.candidates}
        ready = {name for name in played.ours if played.is_ready(name)}
        assert ready <= candidates
        assert candidates or not any(map(played.could_serve, played.ours))


@given(worlds())
def test_every_target_is_accounted_for_once(world: World) -> None:
    """Asked, or absent for a reason; where nobody was expected to serve, some are both."""
    played = Played(world)
    made = played.plan()
    if made is None:
        return
    asked = [(each.deployment, each.tier) for each in made.candidates]
    absent = [(each.deployment, each.tier) for each in made.absences]
    if made.last_resort:
        assert set(asked) <= set(absent)
        asked = []
    assert sorted(asked + absent) == sorted(played.ours.items())
    for each in made.absences:
        assert each.reason is not SpillReason.NONE
        assert each.until > played.now
        barred = not played.is_open(each.deployment)
        assert (each.reason is SpillReason.POLICY) == barred


@given(worlds())
def test_an_empty_plan_says_when_the_first_has_room(world: World) -> None:
    """The earliest of what each deployment that is left says by itself."""
    played = Played(world)
    made = played.plan()
    if made is None or made.candidates:
        return
    free = [played.free_at(name) for name in played.ours if played.is_open(name)]
    assert made.until == min(free, default=float("inf"))
