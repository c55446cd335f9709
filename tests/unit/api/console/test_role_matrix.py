from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI

from app.api.admin.application import create_admin
from app.api.admin.roles import PERMISSIONS
from app.api.admin.throttle import WrongKeys
from app.api.console.application import console_of
from app.api.console.frame import Declared
from app.domain.identity.directory import Role
from tests.fakes.admin import ADMIN_KEYS, OTHER_KEY_ID, SEARCH_KEY_ID
from tests.fakes.console import Browser, ConsoleHouse

#: Who may open or send what, written down a second time.
READERS = {"owner", "operator", "viewer", "tenant-admin"}
ALLOWED = {
    "GET /": READERS,
    "GET /ptu": READERS - {"tenant-admin"},
    "GET /spill": READERS - {"tenant-admin"},
    "GET /plan": READERS - {"tenant-admin"},
    "POST /plan": READERS - {"tenant-admin"},
    "POST /plan/cancel": READERS - {"tenant-admin"},
    "GET /statements": READERS,
    "GET /statements/csv": READERS,
    "GET /tenants": READERS,
    "GET /tenants/{name}": READERS,
    "GET /new-tenant": {"owner", "operator"},
    "POST /new-tenant": {"owner", "operator"},
    "POST /tenants/{name}": {"owner", "operator", "tenant-admin"},
    "POST /tenants/{name}/delete": {"owner", "operator"},
    "POST /tenants/{name}/limits": {"owner", "operator"},
    "POST /tenants/{name}/limits/remove": {"owner", "operator"},
    "POST /tenants/{name}/keys": {"owner", "operator", "tenant-admin"},
    "GET /keys": READERS,
    "GET /keys/{key_id}": READERS,
    "POST /keys/{key_id}": {"owner", "operator", "tenant-admin"},
    "POST /keys/{key_id}/rotate": {"owner", "operator", "tenant-admin"},
    "POST /keys/{key_id}/revoke": {"owner", "operator", "tenant-admin"},
    "GET /deployments": READERS - {"tenant-admin"},
    "GET /deployments/{deployment}": READERS - {"tenant-admin"},
    "POST /deployments/{deployment}": {"owner", "operator"},
    "GET /requests": READERS,
    "GET /requests/{request_id:path}": READERS,
    "GET /cache": READERS,
    "GET /cache/{name}": READERS,
    "POST /cache/{name}/evict": {"owner", "operator", "tenant-admin"},
    "POST /cache/{name}/wrong": {"owner", "operator", "tenant-admin"},
    "GET /audit": READERS - {"tenant-admin"},
    "GET /audit/verify": READERS - {"tenant-admin"},
    "GET /playground": READERS,
    "POST /playground": READERS,
}
#: Forms that are right, so that a refusal is the role's and not the form's.
FORMS: dict[str, dict[str, Any]] = {
    "POST /new-tenant": {"name": "new"},
    "POST /tenants/{name}": {"tags": "team=a"},
    "POST /tenants/{name}/delete": {"name": "search"},
    "POST /tenants/{name}/limits": {"name": "rpm", "amount": "5"},
    "POST /tenants/{name}/limits/remove": {"name": "rpm"},
    "POST /tenants/{name}/keys": {"name": "ci"},
    "POST /keys/{key_id}": {"name": "ci"},
    "POST /keys/{key_id}/rotate": {"overlap_hours": "1"},
    "POST /deployments/{deployment}": {"state": "draining"},
    "POST /cache/{name}/evict": {"model": "gpt-4o"},
    "POST /cache/{name}/wrong": {"request_id": "req-search"},
    "POST /plan": {"model": "gpt-4o"},
    "POST /playground": {"key_from": "pasted", "key": "k", "model": "gpt-4o", "prompt": "Hi"},
}


def declared() -> Iterator[Declared]:
    """Every route of the console, with what it declares."""
    house = ConsoleHouse()
    services = house.services()
    apis: list[APIRouter] = []

    def kept(router: APIRouter, _: WrongKeys) -> FastAPI:
        apis.append(router)
        return FastAPI()

    create_admin(services.admin, kept)
    yield from console_of(services, apis[0], WrongKeys(house.house.clock.now)).declared


ROUTES = list(declared())
IDS = [f"{route.method} {route.path}" for route in ROUTES]
each_route = pytest.mark.parametrize("route", ROUTES, ids=IDS)


def path_of(route: Declared, tenant: str = "search", key_id: str = SEARCH_KEY_ID) -> str:
    """The route's path with names of what is there."""
    path = route.path.replace("{request_id:path}", f"req-{tenant}")
    return path.format(name=tenant, key_id=key_id, deployment="ptu")


async def sent(browser: Browser, route: Declared, path: str, **more: Any) -> int:
    """The status of its answer."""
    if route.method == "GET":
        return (await browser.get(path, **more)).status_code
    fields = FORMS.get(f"{route.method} {route.path}")
    return (await browser.post(path, fields, **more)).status_code


def ends_something(route: Declared) -> int:
    """After what ends a key, and after what ends its tenant, there is less left to try with."""
    return 2 if route.path.endswith("/delete") else int(route.path.endswith("/revoke"))


def name_of(route: Declared) -> str:
    """As it is written down."""
    return f"{route.method} {route.path}"


def test_that_the_routes_are_as_written_down() -> None:
    """No page comes along without being thought of here; what is declared is the API's matrix."""
    found = {
        name_of(route): {role.value for role in Role if route.action in PERMISSIONS[role]}
        for route in ROUTES
    }
    assert found == ALLOWED


@pytest.mark.parametrize("role", list(Role))
async def test_every_route_for_every_role(role: Role) -> None:
    """A role that is allowed gets an answer, each other one a 403: for pages, parts and forms."""
    async with ConsoleHouse().browser(ADMIN_KEYS[role]) as browser:
        for route in sorted(ROUTES, key=ends_something):
            status = await sent(browser, route, path_of(route))
            if role.value in ALLOWED[name_of(route)]:
                assert status in {200, 303}, name_of(route)
            else:
                assert status == 403, name_of(route)
                if route.method == "GET":
                    assert (await browser.part(path_of(route))).status_code == 403


async def test_every_route_for_nobody() -> None:
    """Pages lead to the sign-in, their parts and forms are refused; nothing is done."""
    house = ConsoleHouse()
    async with house.browser(None) as browser:
        for route in ROUTES:
            expected = 303 if route.method == "GET" else 401
            assert await sent(browser, route, path_of(route)) == expected
            if route.method == "GET":
                assert (await browser.part(path_of(route))).status_code == 401
    assert house.house.store.changes == 0


async def test_every_form_without_the_sessions_token() -> None:
    """Nothing is done for another site, whoever is signed in."""
    house = ConsoleHouse()
    async with house.browser() as browser:
        for token, headers in (("", {}), ("x", {}), (browser.token, {"origin": "https://e.vil"})):
            browser.token = token
            for route in ROUTES:
                if route.method == "POST":
                    assert await sent(browser, route, path_of(route), headers=headers) == 403
    assert house.house.store.changes == 0


async def test_every_route_of_another_tenant_for_a_tenant_admin() -> None:
    """What belongs to another tenant is not there, as if it did not exist; nothing is done."""
    house = ConsoleHouse()
    async with house.browser(ADMIN_KEYS[Role.TENANT_ADMIN]) as browser:
        for route in ROUTES:
            path = path_of(route, "other", OTHER_KEY_ID)
            if path != path_of(route):
                expected = 404 if "tenant-admin" in ALLOWED[name_of(route)] else 403
                assert await sent(browser, route, path) == expected, name_of(route)
        fresh = {**FORMS["POST /playground"], "key_from": "fresh", "tenant": "other"}
        assert (await browser.post("/playground", fresh)).status_code == 404
    assert house.house.store.changes == 0


async def test_that_no_page_names_another_tenant_to_a_tenant_admin() -> None:
    """In no table, list or figure."""
    house = ConsoleHouse()
    async with house.browser(ADMIN_KEYS[Role.TENANT_ADMIN]) as browser:
        for route in ROUTES:
            if route.method == "GET" and "tenant-admin" in ALLOWED[name_of(route)]:
                page = (await browser.get(path_of(route))).text
                assert ">other<" not in page, name_of(route)
                assert OTHER_KEY_ID not in page, name_of(route)


@pytest.mark.parametrize("role", list(Role))
async def test_that_pages_show_what_the_role_may_do_and_no_more(role: Role) -> None:
    """Links and forms on every page are those that would be answered."""
    async with ConsoleHouse().browser(ADMIN_KEYS[role]) as browser:
        for route in ROUTES:
            if route.method != "GET" or role.value not in ALLOWED[name_of(route)]:
                continue
            page = (await browser.get(path_of(route))).text
            for other in ROUTES:
                shown = f'action="/console{path_of(other)}"'
                if other.method == "POST" and role.value not in ALLOWED[name_of(other)]:
                    assert shown not in page, (name_of(route), name_of(other))
                linked = f'href="/console{path_of(other)}"'
                if other.method == "GET" and role.value not in ALLOWED[name_of(other)]:
                    assert linked not in page, (name_of(route), name_of(other))


async def test_a_tenant_admin_changes_tags_alone() -> None:
    """Other fields of the same form are refused, as by the API."""
    async with ConsoleHouse().browser(ADMIN_KEYS[Role.TENANT_ADMIN]) as browser:
        answer = await browser.post("/tenants/search", {"tags": "a=b", "class": "critical"})
        assert answer.status_code == 403
        fresh = await browser.post("/tenants/search/limits", {"name": "rpm", "amount": "1"})
        assert fresh.status_code == 403


async def test_a_viewer_makes_no_key_for_the_playground() -> None:
    """It may ask with one that it was given."""
    async with ConsoleHouse().browser(ADMIN_KEYS[Role.VIEWER]) as browser:
        fresh = {**FORMS["POST /playground"], "key_from": "fresh", "tenant": "search"}
        assert (await browser.post("/playground", fresh)).status_code == 403
        assert "A new one of the tenant" not in (await browser.get("/playground")).text
