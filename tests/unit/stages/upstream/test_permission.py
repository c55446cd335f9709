"""Policies that change while a request is tried."""

from __future__ import annotations

import pytest

from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.spill import SpillReason
from app.domain.identity.route_policy import RoutePolicy, Spill
from app.domain.identity.tenant import Tenant
from app.domain.routing.doubts import Doubts
from app.domain.routing.health import Health
from app.domain.routing.live_rules import LiveRules
from app.domain.routing.route import NEVER, Absence, Candidate, RoutePlan
from app.domain.routing.warm_cache import WarmCaches
from app.errors import InvalidApiKey, NowhereAllowed, RequestError
from app.stages.upstream.judging import Asker, Judging
from app.stages.upstream.permission import Permission
from app.stages.upstream.prospects import Prospects
from app.standing import Standing
from tests.fakes.changed import replace
from tests.fakes.clock import FakeClock
from tests.fakes.holds import FakeHoldBoard
from tests.fakes.house import deployment, fleet

ACME = Tenant("acme")
EU, US = Candidate("eu", 0), Candidate("us", 1)
HELD = Absence("eu-2", 0, SpillReason.HELD, 5.0)


def bound_to(*zones: str) -> RoutePolicy:
    return RoutePolicy(data_zones=frozenset(zones))


def permission(policy: RoutePolicy | None, tenant: Tenant | None = ACME) -> Permission:
    """By a policy that came after the plan; what a deployment's name begins with is its zone."""
    names = ("eu", "eu-2", "us")
    zoned = [replace(deployment(name), data_zone=name[:2]) for name in names]
    return Permission(fleet(*zoned), LiveRules(policy=lambda _: policy), tenant)


@pytest.mark.parametrize(
    ("policy", "permits"),
    [
        (RoutePolicy(), [EU, US]),
        (bound_to("eu"), [EU]),
        (bound_to("us"), [US]),
        (RoutePolicy(spill=Spill.DENY), [EU]),
        (None, []),
    ],
)
def test_whom_the_policy_permits_by_now(
    policy: RoutePolicy | None, permits: list[Candidate]
) -> None:
    """Whether it is the zone, the way there, or all that was forbidden."""
    assert [each for each in (EU, US) if permission(policy).permits(each)] == permits


def test_a_request_of_nobody_may_go_anywhere() -> None:
    """There is no policy that it could have."""
    assert permission(None, tenant=None).permits(US)
    assert permission(None, tenant=None).refusal(RoutePlan((US,))) is None


@pytest.mark.parametrize(
    ("policy", "refusal"),
    [(bound_to("apac"), NowhereAllowed("data zones apac")), (None, InvalidApiKey("disabled"))],
)
def test_where_nothing_is_left_the_refusal_says_so(
    policy: RoutePolicy | None, refusal: RequestError
) -> None:
    """As the tenant's next request is told."""
    made = permission(policy).refusal(RoutePlan((EU, US), (HELD,)))
    assert isinstance(made, type(refusal))
    assert refusal.message in made.message


def test_where_somebody_will_have_room_there_is_no_such_refusal() -> None:
    """Whoever is absent for ever does not count."""
    assert permission(bound_to("eu")).refusal(RoutePlan((US,), (HELD,))) is None
    gone = Absence("eu-2", 0, SpillReason.POLICY, NEVER)
    assert permission(bound_to("eu")).refusal(RoutePlan((US,), (gone,))) is not None


def prospects(policy: RoutePolicy | None) -> Prospects:
    """A search of which the policy has changed."""
    asked = permission(policy)
    standing = Standing(
        FakeHoldBoard(FakeClock()), CapacityBook("a"), Health(), WarmCaches(), lambda: 0.0
    )
    asker, judging = Asker("acme", "chat_completions"), Judging(standing, Doubts())
    return Prospects(
        RoutePlan((EU, US), (HELD,)), asker, judging, asked.fleet, dict, permission=asked
    )


def test_whom_the_policy_permits_no_more_is_not_asked() -> None:
    """Nor is its time a reason to come back."""
    search = prospects(bound_to("eu"))
    assert search.left() == ["eu", "eu-2"]
    assert search.absence(EU, 0.0) is None
    assert search.absence(US, 0.0) == Absence("us", 1, SpillReason.POLICY, NEVER)


def test_a_search_that_is_left_nobody_ends_in_that_refusal() -> None:
    """It is no want of capacity: to come back would be in vain."""
    assert isinstance(prospects(bound_to("apac")).no_capacity(0.0), NowhereAllowed)
    assert isinstance(prospects(None).no_capacity(0.0), InvalidApiKey)
