"""Requests that the gateway makes itself, as values."""

from __future__ import annotations

from app.domain.call.errand import OWN_KEY, of_any_model, patient
from app.domain.capacity.shares import RequestClass
from app.domain.identity.route_policy import RoutePolicy
from app.domain.identity.tenant import Principal, Tenant


def test_what_nobody_waits_for_takes_nobodys_place() -> None:
    """It is of the last class, whatever its tenant's is; all else stays."""
    routing = RoutePolicy(request_class=RequestClass.CRITICAL, weight=2.0)
    made = patient(Principal(Tenant("acme", routing=routing), "k1"))
    assert made.tenant.routing == RoutePolicy(request_class=RequestClass.BATCH, weight=2.0)
    assert (made.tenant.name, made.key_id) == ("acme", "k1")


def test_what_the_configuration_chose_may_be_any_model() -> None:
    """A tenant's list is of what it may name itself."""
    tenant = Tenant("acme", frozenset({"gpt-4o"}))
    assert not tenant.may_use("judge")
    assert of_any_model(tenant).may_use("judge")


def test_the_gateways_own_key_is_nobodys() -> None:
    """Ids of keys have ten characters."""
    assert len(OWN_KEY) != 10
