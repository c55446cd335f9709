"""What administrators have said by now."""

from __future__ import annotations

from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import Tenant
from app.domain.routing.live_rules import UNCHANGED


def test_where_nobody_says_anything_a_request_is_as_it_came() -> None:
    """No deployment is operated, and a tenant has the policy that it had."""
    policy = RoutePolicy(data_zones=frozenset({"eu"}))
    assert UNCHANGED.operations() == {}
    assert UNCHANGED.policy(Tenant("acme", routing=policy)) is policy
