"""Plans for requests, and what is said when there is none."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest
from msgspec import structs

from app.domain.call.request import InferenceRequest
from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.shares import RequestClass
from app.domain.capacity.spill import SpillReason
from app.domain.identity.directory import DeploymentEntry
from app.domain.identity.route_policy import RoutePolicy, Spill
from app.domain.identity.tenant import Principal, Tenant
from app.domain.quota.calendar import days_around, hour_of, months_around
from app.domain.quota.limit import scopes_of, spill_limits
from app.domain.quota.reservation import Amounts, Ask, Reservation
from app.domain.routing.deployment import Fleet, Target
from app.domain.routing.health import Health
from app.domain.routing.live_rules import LiveRules
from app.domain.routing.route import NEVER, Absence, Candidate, RoutePlan
from app.domain.routing.warm_cache import WarmCaches
from app.errors import (
    BudgetExhausted,
    InvalidApiKey,
    NoCapacity,
    NowhereAllowed,
    RequestError,
    UnknownModel,
    UnknownPreviousResponse,
    UnknownResponse,
)
from app.observation import Observation
from app.stages.routing import Routing, Waiting
from app.standing import Standing
from app.waiting import WaitingRoom
from app.wire.routes import match
from tests.fakes.call import FakeCall
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock
from tests.fakes.holds import FakeHoldBoard
from tests.fakes.house import deployment, fleet, no_waiting

ACME = Principal(Tenant("acme"), "k")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def holds() -> FakeHoldBoard:
    return FakeHoldBoard()


@pytest.fixture
def routing(holds: FakeHoldBoard, clock: FakeClock) -> Routing:
    return routing_of(fleet("ptu", "paygo", "last"), holds, clock)


def routing_of(
    served: Fleet, holds: FakeHoldBoard, clock: FakeClock, *said: DeploymentEntry
) -> Routing:
    standing = Standing(holds, CapacityBook("a"), Health(), WarmCaches(), lambda: 0.5)
    return Routing(
        served,
        standing,
        clock,
        waiting=no_waiting(clock),
        draw=lambda: 0.5,
        rules=LiveRules(lambda: {entry.name: entry for entry in said}),
    )


async def plan(
    routing: Routing, principal: Principal, asked: InferenceRequest, owner: str | None
) -> RoutePlan:
    """The plan of a request, from its tiers."""
    observation = Observation(FakeCall(), FakeClock())
    choices = routing.choices(principal, asked, owner)
    return await routing.plan(principal, asked, choices, observation)


def request(model: str = "gpt-4o") -> InferenceRequest:
    return InferenceRequest(match("POST", "/v1/responses", ""), model, b"{}")


def reading() -> InferenceRequest:
    return InferenceRequest(match("GET", "/v1/responses/resp_1", ""), "", b"")


async def test_the_config_gives_the_order(routing: Routing) -> None:
    """Tier by tier, when nothing is held."""
    made = await plan(routing, ACME, request(), None)
    assert [candidate.deployment for candidate in made.candidates] == ["ptu", "paygo", "last"]


async def test_a_hold_lasts_as_long_as_it_lasts(
    routing: Routing, holds: FakeHoldBoard, clock: FakeClock
) -> None:
    """A held deployment is left out until its time, and not a moment longer."""
    holds.hold("ptu", clock.now() + 5)
    (absence,) = (await plan(routing, ACME, request(), None)).absences
    assert (absence.deployment, absence.reason) == ("ptu", SpillReason.HELD)
    clock.advance(5)
    assert (await plan(routing, ACME, request(), None)).candidates[0] == Candidate("ptu", 0)


async def test_all_held_is_no_capacity_until_the_first_is_free(
    routing: Routing, holds: FakeHoldBoard, clock: FakeClock
) -> None:
    """The client is told when it is worth coming back."""
    for name, wait in (("ptu", 9.0), ("paygo", 4.0), ("last", 30.0)):
        holds.hold(name, clock.now() + wait)
    observation = Observation(FakeCall(), clock)
    with pytest.raises(NoCapacity) as caught:
        await routing.plan(ACME, request(), routing.choices(ACME, request(), None), observation)
    assert caught.value.retry_after_s == 4.0
    assert observation.plan is not None
    assert [each.deployment for each in observation.plan.absences] == ["ptu", "paygo", "last"]


def spent(clock: FakeClock, *, over: bool = True, hourly: bool = False) -> Observation:
    """A request that was reserved for, and whose tenant's spill budget is used up."""
    now, (per_day, per_hour) = clock.unix(), (None, 5) if hourly else (5, None)
    days, months, limits = days_around(now), months_around(now), spill_limits(per_day, per_hour)
    ask = Ask("r", "acme", scopes_of("k", "m"), Amounts(1, 1, 1), (), days, months).within(limits)
    observation = Observation(FakeCall(), clock)
    hour, spent_ones = hour_of(days[1], now), (0,) if over else ()
    observation.reservation = Reservation(ask, "g", days[1], months[1], over=spent_ones, hour=hour)
    return observation


async def test_without_money_to_spill_nobody_outside_the_first_tier_is_asked(
    routing: Routing, clock: FakeClock
) -> None:
    """Who has some is planned for as ever."""
    choices = routing.choices(ACME, request(), None)
    made = await routing.plan(ACME, request(), choices, spent(clock, over=False))
    assert [each.deployment for each in made.candidates] == ["ptu", "paygo", "last"]
    made = await routing.plan(ACME, request(), choices, spent(clock))
    assert [each.deployment for each in made.candidates] == ["ptu"]
    assert {(each.deployment, each.reason) for each in made.absences} == {
        ("paygo", SpillReason.POLICY),
        ("last", SpillReason.POLICY),
    }


async def test_without_money_to_spill_the_first_tier_says_when(
    routing: Routing, holds: FakeHoldBoard, clock: FakeClock
) -> None:
    """The earliest time is its own; the message says why nobody else was asked."""
    holds.hold("ptu", clock.now() + 9)
    choices = routing.choices(ACME, request(), None)
    with pytest.raises(NoCapacity) as caught:
        await routing.plan(ACME, request(), choices, spent(clock))
    assert caught.value.retry_after_s == 9
    assert "spill budget" in caught.value.message


@pytest.mark.parametrize("hourly", [False, True], ids=["day", "hour"])
async def test_where_only_money_would_help_the_day_or_hour_has_to_end(
    holds: FakeHoldBoard, clock: FakeClock, *, hourly: bool
) -> None:
    """The first tier will not serve at all: OpenAI's code for a budget, and when it is new."""
    drained = DeploymentEntry("ptu", draining=True)
    routing = routing_of(fleet("ptu", "paygo"), holds, clock, drained)
    observation = spent(clock, hourly=hourly)
    granted = observation.reservation
    assert granted is not None
    assert granted.hour is not None
    window = granted.hour if hourly else granted.day
    choices = routing.choices(ACME, request(), None)
    with pytest.raises(BudgetExhausted) as caught:
        await routing.plan(ACME, request(), choices, observation)
    assert caught.value.retry_after_s == window.ends / 1000 - clock.unix()
    assert caught.value.code == "insufficient_quota"


@pytest.mark.parametrize("model", ["gpt-5", "gpt-4o "])
async def test_an_unknown_model_is_refused(routing: Routing, model: str) -> None:
    """Names are compared exactly."""
    with pytest.raises(UnknownModel, match=f"`{model}`"):
        await plan(routing, ACME, request(model), None)


async def test_a_model_of_others_is_as_unknown(routing: Routing) -> None:
    """The refusal does not tell which of both it is, even beside an owner that is known."""
    nothing = Principal(Tenant("rival", frozenset({"gpt-5"})), "k")
    with pytest.raises(UnknownModel) as theirs:
        await plan(routing, nothing, request(), "paygo")
    with pytest.raises(UnknownModel) as nobodys:
        await plan(routing, nothing, request("gpt-5"), None)
    assert theirs.value.message == nobodys.value.message.replace("gpt-5", "gpt-4o")


@pytest.mark.parametrize("asked", [request(), reading()], ids=["continued", "read"])
async def test_an_owner_is_the_only_candidate(routing: Routing, asked: InferenceRequest) -> None:
    """What only one deployment can serve is not sent to another."""
    assert (await plan(routing, ACME, asked, "paygo")).candidates == (Candidate("paygo", 0),)


async def test_a_held_owner_is_waited_for(
    routing: Routing, holds: FakeHoldBoard, clock: FakeClock
) -> None:
    """No other deployment can help, however free."""
    holds.hold("paygo", clock.now() + 3)
    with pytest.raises(NoCapacity) as caught:
        await plan(routing, ACME, request(), "paygo")
    assert caught.value.retry_after_s == 3.0


async def test_an_owner_that_was_retired_took_its_responses_along(routing: Routing) -> None:
    """The config does not know it any more."""
    with pytest.raises(UnknownResponse):
        await plan(routing, ACME, reading(), "retired")


def test_an_owner_that_does_not_serve_the_model_is_not_asked_for_it(clock: FakeClock) -> None:
    """Continuing a response is no way to a model of another name, be it allowed or not."""
    both = fleet("ptu")
    served = Fleet(
        {**both.deployments, "mini": deployment("mini")},
        {**both.models, "gpt-4o-mini": ((Target("mini"),),)},
    )
    routing = routing_of(served, FakeHoldBoard(), clock)
    with pytest.raises(UnknownPreviousResponse):
        routing.choices(ACME, request("gpt-4o-mini"), "ptu")


async def test_a_draining_deployment_gets_no_new_requests(
    holds: FakeHoldBoard, clock: FakeClock
) -> None:
    """What is stored on it is served there all the same: nobody else has it."""
    drained = DeploymentEntry("ptu", draining=True)
    routing = routing_of(fleet("ptu", "paygo"), holds, clock, drained)
    made = await plan(routing, ACME, request(), None)
    assert [each.deployment for each in made.candidates] == ["paygo"]
    assert [(each.deployment, each.reason) for each in made.absences] == [
        ("ptu", SpillReason.POLICY)
    ]
    for asked in (reading(), structs.replace(request(), previous_response_id="resp_1")):
        stored = await plan(routing, ACME, asked, "ptu")
        assert [each.deployment for each in stored.candidates] == ["ptu"]


async def test_when_all_are_drained_nobody_can_say_until_when(
    holds: FakeHoldBoard, clock: FakeClock
) -> None:
    """It is no capacity, without a time to come back."""
    routing = routing_of(fleet("ptu"), holds, clock, DeploymentEntry("ptu", draining=True))
    with pytest.raises(NoCapacity) as caught:
        await plan(routing, ACME, request(), None)
    assert caught.value.retry_after_s is None


class PatienceSeen(WaitingRoom):
    """Notes for how long requests would wait."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.seen: list[float] = []

    async def planned(
        self,
        plan: Callable[[], RoutePlan],
        *,
        importance: int,
        patience_s: float,
        made: RoutePlan | None = None,
    ) -> RoutePlan:
        self.seen.append(patience_s)
        return plan()


@pytest.mark.parametrize(
    ("header", "waits_s"), [(None, 5.0), ("600", 5.0), ("6", 2.0), ("3", 0.5), ("1", 0.0)]
)
async def test_nobody_waits_for_longer_than_its_client(
    holds: FakeHoldBoard, clock: FakeClock, header: str | None, waits_s: float
) -> None:
    """Two seconds went by before; half of what is left is for the answer."""
    holds.hold("ptu", clock.now() + 60)  # who finds room is not asked how long it would wait
    room = PatienceSeen(clock)
    standing = Standing(holds, CapacityBook("a"), Health(), WarmCaches(), lambda: 0.5)
    waiting = Waiting(room, dict.fromkeys(RequestClass, 5.0))
    routing = Routing(fleet("ptu"), standing, clock, waiting=waiting, draw=lambda: 0.5)
    headers = {} if header is None else {"x-stainless-read-timeout": header}
    observation = Observation(FakeCall(headers=headers), clock)
    clock.advance(2.0)
    choices = routing.choices(ACME, request(), None)
    with pytest.raises(NoCapacity):
        await routing.plan(ACME, request(), choices, observation)
    assert room.seen == [waits_s]


async def test_an_operators_weight_decides_within_a_tier(
    holds: FakeHoldBoard, clock: FakeClock
) -> None:
    """It stands in place of the configured one."""
    names = ("a", "b")
    both = Fleet(
        {name: deployment(name) for name in names}, {"gpt-4o": (tuple(map(Target, names)),)}
    )

    async def first(weight: float) -> str:
        heavy = DeploymentEntry("b", weights={"gpt-4o": weight})
        made = await plan(routing_of(both, holds, clock, heavy), ACME, request(), None)
        return made.candidates[0].deployment

    assert (await first(100.0), await first(0.01)) == ("b", "a")


def bound_later(policy: RoutePolicy | None, holds: FakeHoldBoard, clock: FakeClock) -> Routing:
    """Two zones; who may go to both when it comes is bound so by the time that it is planned."""
    zoned = Fleet(
        {zone: replace(deployment(zone), data_zone=zone) for zone in ("eu", "us")},
        {"gpt-4o": ((Target("eu"),), (Target("us"),))},
    )
    standing = Standing(holds, CapacityBook("a"), Health(), WarmCaches(), lambda: 0.5)
    policies = [RoutePolicy(), policy]
    rules = LiveRules(policy=lambda _: policies.pop(0) if len(policies) > 1 else policies[0])
    waiting = no_waiting(clock)
    return Routing(zoned, standing, clock, waiting=waiting, draw=lambda: 0.5, rules=rules)


@pytest.mark.parametrize(
    "policy", [RoutePolicy(data_zones=frozenset({"eu"})), RoutePolicy(spill=Spill.DENY)]
)
async def test_a_plan_follows_the_policy_of_its_own_moment(
    holds: FakeHoldBoard, clock: FakeClock, policy: RoutePolicy
) -> None:
    """Not that of the moment before admission."""
    made = await plan(bound_later(policy, holds, clock), ACME, request(), None)
    assert [each.deployment for each in made.candidates] == ["eu"]
    assert made.absences == (Absence("us", 1, SpillReason.POLICY, NEVER),)


async def test_policies_are_asked_for_once_in_a_version_of_the_rules(
    holds: FakeHoldBoard, clock: FakeClock
) -> None:
    """A new version is asked by requests that are under way, too, and for those that come."""
    said = {"version": object(), "policy": RoutePolicy()}
    asked: list[object] = []

    def policy(_: Tenant) -> RoutePolicy | None:
        asked.append(said["version"])
        return cast("RoutePolicy", said["policy"])

    standing = Standing(holds, CapacityBook("a"), Health(), WarmCaches(), lambda: 0.5)
    routing = Routing(
        fleet("ptu", "paygo"),
        standing,
        clock,
        waiting=no_waiting(clock),
        draw=lambda: 0.5,
        rules=LiveRules(policy=policy, version=lambda: said["version"]),
    )
    for _ in range(2):
        assert len((await plan(routing, ACME, request(), None)).candidates) == 2
    assert asked == [said["version"]]
    choices, observation = routing.choices(ACME, request(), None), Observation(FakeCall(), clock)
    said |= {"version": object(), "policy": RoutePolicy(spill=Spill.DENY)}
    made = await routing.plan(ACME, request(), choices, observation)
    assert [each.deployment for each in made.candidates] == ["ptu"]
    assert made.rules is said["version"]
    later = await plan(routing, ACME, request(), None)
    assert ([each.deployment for each in later.candidates], later.rules) == (
        ["ptu"],
        said["version"],
    )


NOWHERE = RoutePolicy(data_zones=frozenset({"apac"}))


@pytest.mark.parametrize(
    ("policy", "refusal"),
    [(NOWHERE, NowhereAllowed("data zones apac")), (None, InvalidApiKey("disabled or deleted"))],
)
async def test_a_policy_that_leaves_nobody_by_now_is_told(
    holds: FakeHoldBoard, clock: FakeClock, policy: RoutePolicy | None, refusal: RequestError
) -> None:
    """As the tenant's next request is told."""
    with pytest.raises(type(refusal), match=refusal.message):
        await plan(bound_later(policy, holds, clock), ACME, request(), None)


async def test_without_money_a_new_policy_is_no_want_of_a_zone(
    holds: FakeHoldBoard, clock: FakeClock
) -> None:
    """Its zone has a deployment; it is the budget that keeps the request from it."""
    routing = bound_later(RoutePolicy(data_zones=frozenset({"us"})), holds, clock)
    choices = routing.choices(ACME, request(), None)
    with pytest.raises(BudgetExhausted):
        await routing.plan(ACME, request(), choices, spent(clock))
