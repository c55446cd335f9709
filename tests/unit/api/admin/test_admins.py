from __future__ import annotations

import httpx2
import pytest

from tests.fakes.admin import VIEWER_ID, AdminHouse


async def test_that_a_new_administrator_gets_in_with_the_key_that_was_shown(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Once shown, it opens what its role may, until it is deleted."""
    answer = await owner.post("admins", json={"role": "tenant-admin", "tenant": "other"})
    assert answer.status_code == 201
    made = answer.json()["data"]
    async with house.client(made["key"]) as client:
        me = (await client.get("me")).json()["data"]
        assert (me["role"], me["tenant"]) == ("tenant-admin", "other")
        assert "admins:read" not in me["permissions"]
        assert (await client.get("tenants/search")).status_code == 404
        assert (await owner.delete(f"admins/{made['id']}")).status_code == 200
        assert (await client.get("me")).status_code == 401
    for path in ("admins", "audit"):
        text = (await owner.get(path)).text
        assert made["key"] not in text
        assert "digest" not in text


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "role"),
        ({"role": "king"}, 400, "role"),
        ({"role": "tenant-admin"}, 400, "tenant"),
        ({"role": "viewer", "tenant": "search"}, 400, "tenant"),
        ({"role": "tenant-admin", "tenant": "nobody"}, 404, None),
        ({"role": "viewer", "digest": "00"}, 400, "digest"),
    ],
)
async def test_that_a_mistake_is_named(
    house: AdminHouse, owner: httpx2.AsyncClient, body: object, status: int, param: str | None
) -> None:
    """A tenant-admin without a tenant would see all of them."""
    answer = await owner.post("admins", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert house.store.changes == 0


async def test_that_a_change_leaves_a_whole_administrator(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Role and tenant fit each other after a change, too."""
    one = f"admins/{VIEWER_ID}"
    assert (await owner.patch(one, json={"role": "tenant-admin"})).status_code == 400
    both = {"role": "tenant-admin", "tenant": "search"}
    assert (await owner.patch(one, json=both)).json()["data"].items() >= both.items()
    assert (await owner.patch(one, json={"role": "viewer"})).status_code == 400
    assert (await owner.get(one)).headers["etag"] == '"2"'
    stale = await owner.patch(one, json={"name": "a"}, headers={"if-match": '"1"'})
    assert stale.status_code == 412
