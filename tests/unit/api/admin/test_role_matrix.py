from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from fastapi.routing import iter_route_contexts

from app.api.admin.guard import guarded, needs, permission_of
from app.api.admin.roles import PERMISSIONS, Action
from app.api.admin.throttle import WrongKeys
from app.domain.identity.directory import Role
from tests.fakes.admin import (
    ADMIN_KEYS,
    OTHER_KEY_ID,
    OWNER_KEY,
    SEARCH_KEY,
    SEARCH_KEY_ID,
    VIEWER_ID,
    AdminHouse,
    key_text,
)

OUTSIDE = {"/healthz", "/readyz"}

#: Who may do what, written down a second time, so that no change of the table goes unnoticed.
ALLOWED = {
    "me:read": {"owner", "operator", "tenant-admin", "viewer"},
    "tenants:read": {"owner", "operator", "tenant-admin", "viewer"},
    "tenants:tag": {"owner", "operator", "tenant-admin"},
    "tenants:write": {"owner", "operator"},
    "keys:read": {"owner", "operator", "tenant-admin", "viewer"},
    "keys:write": {"owner", "operator", "tenant-admin"},
    "limits:read": {"owner", "operator", "tenant-admin", "viewer"},
    "limits:write": {"owner", "operator"},
    "limits:simulate": {"owner", "operator", "tenant-admin", "viewer"},
    "usage:read": {"owner", "operator", "tenant-admin", "viewer"},
    "ledger:read": {"owner", "operator", "tenant-admin", "viewer"},
    "audit:read": {"owner", "operator", "viewer"},
    "deployments:read": {"owner", "operator", "viewer"},
    "deployments:write": {"owner", "operator"},
    "explain:read": {"owner", "operator", "tenant-admin", "viewer"},
    "cache:read": {"owner", "operator", "tenant-admin", "viewer"},
    "cache:list": {"owner", "operator", "tenant-admin"},
    "cache:evict": {"owner", "operator", "tenant-admin"},
    "plan:make": {"owner", "operator", "viewer"},
    "plan:cancel": {"owner", "operator"},
    "logs:read": {"owner", "operator", "viewer"},
    "logs:write": {"owner", "operator"},
    "openapi:read": {"owner", "operator", "tenant-admin", "viewer"},
    "admins:read": {"owner"},
    "admins:write": {"owner"},
}


class Route(NamedTuple):
    method: str
    path: str
    permission: Action | None
    has_model: bool

    def url(self, tenant: str = "search", key_id: str = SEARCH_KEY_ID) -> str:
        return self.path.format(
            name=tenant,
            key_id=key_id,
            admin_id=VIEWER_ID,
            deployment="ptu",
            request_id=f"req-{tenant}",
        )


def routes() -> Iterator[Route]:
    """Every route of the application, with what it declares."""
    for route in iter_route_contexts(AdminHouse().app().routes):
        if route.path not in OUTSIDE:
            for method in sorted(route.methods or ()):
                permission = permission_of(route)
                yield Route(method, str(route.path), permission, bool(route.response_model))


ROUTES = list(routes())
IDS = [f"{route.method} {route.path}" for route in ROUTES]
each_route = pytest.mark.parametrize("route", ROUTES, ids=IDS)
#: Bodies that are right, so that a refusal is the role's and not the body's.
BODIES: dict[tuple[str, str], Any] = {
    ("POST", "/admin/v1/tenants"): {"name": "new"},
    ("PATCH", "/admin/v1/tenants/{name}"): {"tags": {"team": "a"}},
    ("PUT", "/admin/v1/tenants/{name}/limits"): {"limits": [{"name": "rpm", "amount": 5}]},
    ("POST", "/admin/v1/tenants/{name}/keys"): {"name": "ci"},
    ("PATCH", "/admin/v1/keys/{key_id}"): {"name": "ci"},
    ("POST", "/admin/v1/keys/{key_id}/rotate"): {"overlap_s": 60},
    ("POST", "/admin/v1/admins"): {"role": "viewer"},
    ("PATCH", "/admin/v1/admins/{admin_id}"): {"name": "Ada"},
    ("PATCH", "/admin/v1/deployments/{deployment}"): {"state": "draining"},
    ("POST", "/admin/v1/cache/{name}/evictions"): {"model": "gpt-4o"},
    ("POST", "/admin/v1/cache/{name}/wrong-hits"): {"request_id": "req-search"},
    ("PUT", "/admin/v1/logs"): {"level": "debug"},
    ("POST", "/admin/v1/plan"): {"model": "gpt-4o"},
    ("POST", "/admin/v1/usage/reconciliation"): {
        "series": [{"deployment": "ptu", "measure": "prompt", "starts": 0, "tokens": [1]}]
    },
    ("POST", "/admin/v1/limits/simulate"): {
        "tenant": "search",
        "limits": [{"name": "rpm", "amount": 5}],
    },
}


async def answered(house: AdminHouse, key: str, route: Route, url: str | None = None) -> int:
    """The status of its answer."""
    async with house.client(key) as client:
        body = BODIES.get((route.method, route.path))
        url = f"http://admin{url or route.url()}"
        return (await client.request(route.method, url, json=body)).status_code


def test_that_there_are_routes_and_that_the_table_is_as_written_down() -> None:
    """The matrix tests something, and each role may do what is written here and no more."""
    assert len(ROUTES) > 20
    found = {
        action.value: {role.value for role in Role if action in PERMISSIONS[role]}
        for action in Action
    }
    assert found == ALLOWED


@each_route
def test_that_every_route_declares_a_permission_and_an_answer(route: Route) -> None:
    """A route that was added without saying who may call it, or what it answers, fails here."""
    assert route.permission is not None
    assert route.has_model


@each_route
@pytest.mark.parametrize("role", list(Role))
async def test_every_route_for_every_role(house: AdminHouse, route: Route, role: Role) -> None:
    """A role that is allowed gets an answer, each other one a 403."""
    status = await answered(house, ADMIN_KEYS[role], route)
    assert route.permission is not None
    if role.value in ALLOWED[route.permission.value]:
        assert 200 <= status < 300
    else:
        assert status == 403


@each_route
async def test_every_route_without_a_known_key(house: AdminHouse, route: Route) -> None:
    """Nobody else gets in; a tenant's key is none of an administrator."""
    for key in (None, "", "wrong", OWNER_KEY + "x", OWNER_KEY[:-1], SEARCH_KEY, key_text(99)):
        async with house.client(key) as client:
            answer = await client.request(route.method, f"http://admin{route.url()}")
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "invalid_api_key"


@each_route
async def test_every_route_of_another_tenant_for_a_tenant_admin(
    house: AdminHouse, route: Route
) -> None:
    """What belongs to another tenant is not there, as if it did not exist."""
    url = route.url("other", OTHER_KEY_ID)
    if url == route.url() or "/admins" in url:
        return
    expected = 404 if "tenant-admin" in ALLOWED[str(route.permission)] else 403
    assert await answered(house, ADMIN_KEYS[Role.TENANT_ADMIN], route, url) == expected


async def test_that_a_route_without_a_permission_lets_nobody_in() -> None:
    """Denied by default, for the owner too."""
    house = AdminHouse()
    app = house.app()
    route_class = guarded(house.services().authentication, WrongKeys(house.clock.now))
    app.router.routes.append(route_class("/admin/v1/forgotten", lambda: {"secret": 1}))
    app.router.routes.append(
        route_class("/admin/v1/said", lambda: {"said": 1}, openapi_extra=needs(Action.SEE_SELF))
    )
    async with house.client(app=app) as client:
        assert (await client.get("forgotten")).status_code == 403
        assert (await client.get("said")).status_code == 200


def test_that_the_openapi_document_is_complete() -> None:
    """Every operation is described, with its permission, its answer, and no 422."""
    document = AdminHouse().app().openapi()
    operations = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(operations) == {(route.method, route.path) for route in ROUTES}
    for operation in operations.values():
        assert operation["description"]
        assert operation["x-permission"] in ALLOWED
        assert "422" not in operation["responses"]
        done = next(iter(answer for code, answer in operation["responses"].items() if code < "3"))
        assert done["content"]["application/json"]["schema"]
