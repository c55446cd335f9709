"""A tenant's route policy through the admin API: what is sent is what is kept and shown."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from app.domain.capacity.shares import RequestClass
from app.domain.identity.directory import Role
from app.domain.identity.route_policy import ANYWHERE, RoutePolicy, Spill
from tests.fakes.admin import ADMIN_KEYS, AdminHouse

POLICY: dict[str, Any] = {
    "class": "critical",
    "ptu_share": 0.4,
    "ptu_weight": 3.0,
    "spill": {"usd_per_hour": 5.0, "usd_per_day": 50.0},
    "data_zones": ["eu", "us"],
    "regions": ["eastus"],
}
KEPT = RoutePolicy(
    request_class=RequestClass.CRITICAL,
    ptu_share=0.4,
    weight=3.0,
    spill_usd_per_day=50.0,
    spill_usd_per_hour=5.0,
    data_zones=frozenset({"us", "eu"}),
    regions=frozenset({"eastus"}),
)
USUAL: dict[str, Any] = {
    "class": "standard",
    "ptu_share": 0.0,
    "ptu_weight": 1.0,
    "spill": "allow",
    "data_zones": None,
    "regions": None,
}


async def test_that_a_policy_is_made_with_its_tenant(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Kept as requests are routed by, shown as it was sent; unsent, everything is allowed."""
    made = await owner.post("tenants", json={"name": "sales", **POLICY})
    assert made.status_code == 201
    assert made.json()["data"].items() >= POLICY.items()
    assert house.store.current.tenants["sales"].routing == KEPT
    plain = await owner.post("tenants", json={"name": "plain"})
    assert plain.json()["data"].items() >= USUAL.items()
    assert house.store.current.tenants["plain"].routing == ANYWHERE


@pytest.mark.parametrize("field", POLICY)
async def test_that_one_field_is_changed_and_the_others_stay(
    house: AdminHouse, owner: httpx2.AsyncClient, field: str
) -> None:
    """PATCH by PATCH the same policy, and each is a line of the audit log."""
    await owner.post("tenants", json={"name": "sales", **POLICY})
    answer = await owner.patch("tenants/sales", json={field: USUAL[field]})
    assert answer.json()["data"].items() >= (POLICY | {field: USUAL[field]}).items()
    await owner.patch("tenants/sales", json={field: POLICY[field]})
    await owner.patch("tenants/sales", json={"disabled": True, "tags": {"a": "b"}})
    assert house.store.current.tenants["sales"].routing == KEPT
    assert [record.action for record in house.store.records] == ["created", *["changed"] * 3]
    assert len({record.after for record in house.store.records[:2]}) == 2


async def test_that_denying_to_spill_ends_its_budget(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """So that allowing it again is not bound by what was said before."""
    await owner.patch("tenants/search", json={"spill": {"usd_per_day": 5}})
    await owner.patch("tenants/search", json={"spill": "deny"})
    routing = house.store.current.tenants["search"].routing
    assert (routing.spill, routing.spill_usd_per_day) == (Spill.DENY, None)
    answer = await owner.patch("tenants/search", json={"spill": "allow"})
    assert answer.json()["data"]["spill"] == "allow"


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("usd_per_hour", RoutePolicy(spill_usd_per_hour=7.0)),
        ("usd_per_day", RoutePolicy(spill_usd_per_day=7.0)),
    ],
)
async def test_that_a_budget_takes_the_place_of_those_there_were(
    house: AdminHouse, owner: httpx2.AsyncClient, name: str, policy: RoutePolicy
) -> None:
    """All of them: what is not named any more is no budget."""
    both = {"usd_per_hour": 5.0, "usd_per_day": 50.0}
    await owner.patch("tenants/search", json={"spill": both})
    answer = await owner.patch("tenants/search", json={"spill": {name: 7}})
    assert answer.json()["data"]["spill"] == {name: 7.0}
    assert house.store.current.tenants["search"].routing == policy


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"class": "urgent"}, "class"),
        ({"class": 1}, "class"),
        ({"request_class": "batch"}, "request_class"),
        ({"ptu_share": 1.1}, "ptu_share"),
        ({"ptu_share": -0.1}, "ptu_share"),
        ({"ptu_share": None}, "ptu_share"),
        ({"ptu_weight": 0}, "ptu_weight"),
        ({"spill": "sometimes"}, "spill"),
        ({"spill": None}, "spill"),
        ({"spill": []}, "spill"),
        ({"spill": {"usd_per_day": -1}}, "spill"),
        ({"spill": {"usd_per_hour": -1, "usd_per_day": 1}}, "spill"),
        ({"spill": {"usd_per_hour": 1e15}}, "spill"),
        ({"spill": {}}, "spill"),
        ({"spill": {"usd_per_day": 1e15}}, "spill"),
        ({"spill": {"usd_per_week": 1}}, "spill"),
        ({"data_zones": []}, "data_zones"),
        ({"data_zones": "us"}, "data_zones"),
        ({"data_zones": ["us", "us"]}, "data_zones"),
        ({"data_zones": [""]}, "data_zones.0"),
        ({"data_zones": ["us", "uk"]}, "data_zones"),
        ({"regions": ["EastUS"]}, "regions"),
    ],
)
async def test_that_a_mistake_is_named(
    house: AdminHouse, owner: httpx2.AsyncClient, body: dict[str, object], param: str
) -> None:
    """A 400 with the field's name; nothing is changed, nothing made."""
    for method, path, sent in (
        ("PATCH", "tenants/search", body),
        ("POST", "tenants", {"name": "new", **body}),
    ):
        answer = await owner.request(method, path, json=sent)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert house.store.changes == 0


async def test_that_a_place_without_deployments_is_refused_with_those_there_are(
    owner: httpx2.AsyncClient,
) -> None:
    """A misspelt zone would shut a tenant out of everything."""
    answer = await owner.patch("tenants/search", json={"data_zones": ["US"]})
    assert answer.json()["error"]["message"] == (
        "data_zones: no deployment is in the data zone 'US'; there are: eu, us."
    )


@pytest.mark.parametrize("role", [Role.TENANT_ADMIN, Role.VIEWER])
@pytest.mark.parametrize("field", POLICY)
async def test_that_those_who_do_not_run_the_gateway_change_none_of_it(
    house: AdminHouse, role: Role, field: str
) -> None:
    """A tenant would give itself the whole PTU; it sees what it has."""
    async with house.client(ADMIN_KEYS[role]) as client:
        for body in ({field: POLICY[field]}, {field: USUAL[field], "tags": {}}):
            assert (await client.patch("tenants/search", json=body)).status_code == 403
        assert (await client.get("tenants/search")).json()["data"].items() >= USUAL.items()
    assert house.store.changes == 0
