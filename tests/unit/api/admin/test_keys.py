from __future__ import annotations

import httpx2
import pytest

from app.domain.identity.api_key import ApiKey, digest
from app.domain.identity.directory import TenantEntry
from tests.fakes.admin import (
    OTHER_KEY_ID,
    PEPPER,
    SEARCH_KEY,
    SEARCH_KEY_ID,
    AdminHouse,
)

KEYS = "tenants/search/keys"
ONE = f"keys/{SEARCH_KEY_ID}"


async def test_that_a_key_is_shown_once_and_kept_as_a_digest(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """The answer's key is the one whose digest is kept; no later answer holds either."""
    answer = await owner.post(KEYS, json={"name": "ci", "tags": {"a": "b"}, "models": ["gpt-4o"]})
    assert answer.status_code == 201
    made = answer.json()["data"]
    key = ApiKey.parse(made["key"])
    assert key is not None
    assert (key.id, key.last4) == (made["id"], made["last4"])
    entry = house.store.current.keys[key.id]
    assert entry.digest == digest(PEPPER, key.text).hex()
    assert entry.created_at == house.clock.unix()
    listed = await owner.get(KEYS)
    assert [each["id"] for each in listed.json()["data"]] == sorted([SEARCH_KEY_ID, key.id])
    read = await owner.get(f"keys/{key.id}")
    for text in (listed.text, read.text, (await owner.get("audit")).text):
        assert key.text not in text
        assert entry.digest not in text
        assert "digest" not in text


async def test_that_a_key_needs_no_body(owner: httpx2.AsyncClient) -> None:
    """Everything about a key has a default."""
    answer = await owner.post(KEYS)
    assert answer.status_code == 201
    assert answer.json()["data"]["expires_at"] is None


async def test_that_an_id_in_use_is_passed_over(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """A key that would have another's id is not made."""
    house.numbers = iter([11, 5000, 7, 6000])  # 11: the id of the key of `search`
    made = (await owner.post(KEYS)).json()["data"]
    assert made["id"] != SEARCH_KEY_ID
    assert made["id"] in house.store.current.keys


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"expires_at": 5}, "expires_at"),
        ({"expires_at": "2027-01-01T00:00"}, "expires_at"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"name": "a" * 129}, "name"),
        ({"models": ["gpt-4o-mini"]}, "models"),
        ({"tenant": "other"}, "tenant"),
    ],
)
async def test_that_a_mistake_is_named(
    house: AdminHouse, owner: httpx2.AsyncClient, body: dict[str, object], param: str
) -> None:
    """Also a model that the tenant itself may not use, and a time without a zone."""
    await owner.patch("tenants/search", json={"models": ["gpt-4o"]})
    before = house.store.changes
    answer = await owner.post(KEYS, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert house.store.changes == before


async def test_that_times_are_unix_seconds_or_iso(owner: httpx2.AsyncClient) -> None:
    """Both say the same moment."""
    for given in (1_800_000_000, "2027-01-15T08:00:00Z", "2027-01-15T09:00:00+01:00"):
        answer = await owner.patch(ONE, json={"expires_at": given})
        assert answer.json()["data"]["expires_at"] == 1_800_000_000


async def test_that_a_rotated_key_works_on_for_the_overlap(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Old and new are in force together, in one step, until the overlap ends."""
    await owner.patch(ONE, json={"name": "ci", "tags": {"a": "b"}, "models": ["gpt-4o"]})
    answer = await owner.post(f"{ONE}/rotate", json={"overlap_s": 60})
    made = answer.json()["data"]
    assert answer.status_code == 201
    assert made["key"] != SEARCH_KEY
    assert (made["name"], made["tags"], made["models"]) == ("ci", {"a": "b"}, ["gpt-4o"])
    old, new = house.store.current.keys[SEARCH_KEY_ID], house.store.current.keys[made["id"]]
    now = house.clock.unix()
    assert (old.is_valid(now + 59), old.is_valid(now + 60)) == (True, False)
    assert new.is_valid(now + 10_000)
    assert house.store.changes == 2


async def test_that_a_rotation_never_makes_a_key_live_longer(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """A key that was to expire earlier still does."""
    soon = house.clock.unix() + 10
    await owner.patch(ONE, json={"expires_at": soon})
    await owner.post(f"{ONE}/rotate", json={"overlap_s": 86_400})
    assert house.store.current.keys[SEARCH_KEY_ID].expires_at == soon


async def test_that_a_rotation_without_overlap_ends_the_old_key_now(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """What one does after a leak."""
    await owner.post(f"{ONE}/rotate", json={"overlap_s": 0})
    assert not house.store.current.keys[SEARCH_KEY_ID].is_valid(house.clock.unix())


async def test_that_versions_are_kept(house: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """Each way of changing a key looks at If-Match."""
    await owner.patch(ONE, json={"name": "a"})
    stale = {"if-match": '"1"'}
    assert (await owner.patch(ONE, json={}, headers=stale)).status_code == 412
    assert (await owner.post(f"{ONE}/rotate", headers=stale)).status_code == 412
    assert (await owner.delete(ONE, headers=stale)).status_code == 412
    assert len(house.store.current.keys) == 2
    assert (await owner.delete(ONE, headers={"if-match": '"2"'})).status_code == 200
    assert (await owner.get(ONE)).status_code == 404


async def test_that_a_tenant_admin_keeps_to_its_own_keys(
    house: AdminHouse, tenant_admin: httpx2.AsyncClient
) -> None:
    """Another tenant's key cannot be told from one that is not there."""
    assert (await tenant_admin.post(KEYS, json={})).status_code == 201
    for method, path in (
        ("GET", f"keys/{OTHER_KEY_ID}"),
        ("PATCH", f"keys/{OTHER_KEY_ID}"),
        ("POST", f"keys/{OTHER_KEY_ID}/rotate"),
        ("DELETE", f"keys/{OTHER_KEY_ID}"),
        ("GET", "tenants/other/keys"),
        ("POST", "tenants/other/keys"),
    ):
        answer = await tenant_admin.request(method, path, json={} if method == "PATCH" else None)
        assert answer.status_code == 404
    assert house.store.current.keys[OTHER_KEY_ID].version == 1


async def test_that_keys_of_an_unknown_tenant_are_not_made(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """A key has a tenant."""
    assert TenantEntry("nobody").name not in house.store.current.tenants
    assert (await owner.post("tenants/nobody/keys", json={})).status_code == 404
    assert house.store.changes == 0
