from __future__ import annotations

import httpx2
import pytest

from app.domain.cache.policy import UNSAID, CacheRule, ExactRule, SemanticRule
from app.domain.identity.directory import EntraIds, Role, TenantEntry
from tests.fakes.admin import ADMIN_KEYS, SEARCH_KEY_ID, AdminHouse

APP = "0b07f429-9f4b-4714-9392-cc5e8e80c8b0"
GROUP = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"


async def test_that_a_tenant_is_made_as_it_was_asked_for(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """What is answered, what is kept and what is read are the same; the answer says where."""
    body = {
        "name": "sales",
        "models": ["gpt-4o"],
        "time_zone": "Europe/Berlin",
        "redis_loss": "fail_closed",
        "tags": {"cost_centre": "42"},
        "entra": {"applications": [APP], "objects": [], "groups": [GROUP]},
        "limits": [{"name": "rpm", "amount": 60}],
    }
    answer = await owner.post("tenants", json=body)
    assert answer.status_code == 201
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["cache-control"] == "no-store"
    made = answer.json()
    assert made["in_force"] == {"version": 2, "workers": 2, "live": 2}
    assert made["data"].items() >= (body | {"limits": made["data"]["limits"], "version": 1}).items()
    assert made["data"]["limits"][0]["mode"] == "hard"
    assert (await owner.get("tenants/sales")).json()["data"] == made["data"]
    assert house.store.records[-1].actor == "owner"


async def test_that_entra_ids_are_mapped(house: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """Ids are the same in either case; what is sent takes the place of all there were."""
    await owner.patch("tenants/search", json={"entra": {"applications": [APP.upper()]}})
    assert house.store.current.tenants["search"].entra == EntraIds(applications=(APP,))
    answer = await owner.patch("tenants/search", json={"entra": {"groups": [GROUP]}})
    assert answer.json()["data"]["entra"] == {"applications": [], "objects": [], "groups": [GROUP]}
    await owner.patch("tenants/search", json={"disabled": True})
    assert house.store.current.tenants["search"].entra == EntraIds(groups=(GROUP,))
    assert [record.action for record in house.store.records] == ["changed"] * 3
    await owner.patch("tenants/search", json={"entra": {}})
    assert house.store.current.tenants["search"].entra == EntraIds()


async def test_which_caches_answer_a_tenant(house: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """What is sent takes the place of all that was said; what is unsaid is not shown."""
    cache = {"exact": {"enabled": True, "ttl": 60.0}, "semantic": {"threshold": 0.05}}
    answer = await owner.patch("tenants/search", json={"cache": cache})
    assert answer.json()["data"]["cache"] == cache
    kept = house.store.current.tenants["search"].cache
    assert kept == CacheRule(ExactRule(enabled=True, ttl_s=60.0), SemanticRule(threshold=0.05))
    await owner.patch("tenants/search", json={"disabled": True})
    assert house.store.current.tenants["search"].cache == kept
    await owner.patch("tenants/search", json={"cache": {}})
    assert house.store.current.tenants["search"].cache == UNSAID


async def test_that_an_entra_id_of_two_tenants_is_a_conflict(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Whoever has it is named, and nothing is changed; freed, it can be given away."""
    await owner.patch("tenants/other", json={"entra": {"objects": [APP]}})
    body = {"entra": {"applications": [APP]}}
    made = {"name": "new", **body}
    answers = [
        await owner.patch("tenants/search", json=body),
        await owner.post("tenants", json=made),
    ]
    for answer in answers:
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (409, "already_mapped")
        assert error["param"] == "entra.applications"
        assert f"{APP} is mapped to the tenant 'other' (objects)" in error["message"]
    assert house.store.current.tenants["search"].entra == EntraIds()
    assert "new" not in house.store.current.tenants
    await owner.patch("tenants/other", json={"entra": {}})
    assert (await owner.patch("tenants/search", json=body)).status_code == 200


async def test_that_a_name_is_made_once(owner: httpx2.AsyncClient) -> None:
    """Making a tenant that is there changes nothing."""
    answer = await owner.post("tenants", json={"name": "search", "tags": {"a": "b"}})
    assert answer.status_code == 412
    assert (await owner.get("tenants/search")).json()["data"]["tags"] == {}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "a", "colour": "red"}, "colour"),
        ({"name": "-a"}, "name"),
        ({"name": "a" * 64}, "name"),
        ({}, "name"),
        ({"name": "a", "models": ["no such"]}, "models.0"),
        ({"name": "a", "models": ["gpt-9"]}, "models"),
        ({"name": "a", "models": ["gpt-4o", "gpt-4o"]}, "models"),
        ({"name": "a", "time_zone": "Mars/Olympus"}, "time_zone"),
        ({"name": "a", "redis_loss": "panic"}, "redis_loss"),
        ({"name": "a", "disabled": "perhaps"}, "disabled"),
        ({"name": "a", "tags": {"a\n": "b"}}, "tags.a\n.[key]"),
        ({"name": "a", "tags": {"Project": "b"}}, "tags.Project.[key]"),
        ({"name": "a", "tags": {"a": "b" * 65}}, "tags.a"),
        ({"name": "a", "tags": {"a": ""}}, "tags.a"),
        ({"name": "a", "tags": {"a": "\u202e"}}, "tags.a"),
        ({"name": "a", "tags": {str(i): "x" for i in range(9)}}, "tags"),
        ({"name": "a", "entra": {"applications": ["spillgate"]}}, "entra.applications.0"),
        ({"name": "a", "entra": {"objects": [APP], "groups": [APP]}}, "entra"),
        ({"name": "a", "entra": {"users": []}}, "entra.users"),
        ({"name": "a", "entra": None}, "entra"),
        ({"name": "a", "limits": [{"name": "rpx", "amount": 1}]}, "limits.0.name"),
        ({"name": "a", "limits": [{"name": "rpm", "amount": -1}]}, "limits.0.amount"),
        ({"name": "a", "limits": [{"name": "rpm", "amount": 1, "x": 1}]}, "limits.0.x"),
    ],
)
async def test_that_a_mistake_is_named(
    house: AdminHouse, owner: httpx2.AsyncClient, body: dict[str, object], param: str
) -> None:
    """A 400 with the field's name, and nothing is changed."""
    answer = await owner.post("tenants", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
    assert house.store.changes == 0


async def test_that_a_list_is_read_in_parts(house: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """Following `next` gives each tenant once, in order, also while others come and go."""
    for name in ("b", "a", "d", "c"):
        await owner.post("tenants", json={"name": name})
    names, cursor = [], None
    while True:
        asked = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        part = (await owner.get("tenants", params=asked)).json()
        names += [tenant["name"] for tenant in part["data"]]
        if names == ["a", "b"]:
            await owner.delete("tenants/b")
        cursor = part["next"]
        if cursor is None:
            break
    assert names == ["a", "b", "c", "d", "other", "search"]


async def test_that_unknown_parameters_are_mistakes(owner: httpx2.AsyncClient) -> None:
    """A misspelt parameter is not passed over."""
    answer = await owner.get("tenants", params={"curser": "a"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "curser")


async def test_that_a_change_leaves_what_is_not_named(owner: httpx2.AsyncClient) -> None:
    """PATCH sets what is sent, null included, and nothing else."""
    await owner.patch("tenants/search", json={"models": ["gpt-4o"], "tags": {"a": "b"}})
    answer = await owner.patch("tenants/search", json={"disabled": True})
    tenant = answer.json()["data"]
    assert (tenant["models"], tenant["tags"], tenant["disabled"]) == (["gpt-4o"], {"a": "b"}, True)
    assert (tenant["version"], answer.headers["etag"]) == (3, '"3"')
    tenant = (await owner.patch("tenants/search", json={"models": None})).json()["data"]
    assert (tenant["models"], tenant["disabled"]) == (None, True)


async def test_that_if_match_is_kept(owner: httpx2.AsyncClient) -> None:
    """A version that was read and is not there any more changes nothing."""
    await owner.patch("tenants/search", json={"tags": {"n": "1"}})
    for method in ("PATCH", "DELETE"):
        body = {"disabled": True} if method == "PATCH" else None
        answer = await owner.request(
            method, "tenants/search", json=body, headers={"if-match": '"1"'}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (412, "version_conflict")
    answer = await owner.patch(
        "tenants/search", json={"disabled": True}, headers={"if-match": '"2"'}
    )
    assert answer.status_code == 200
    wrong = await owner.patch("tenants/search", json={}, headers={"if-match": "2"})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "if-match")


async def test_that_without_if_match_a_rival_change_is_not_undone(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """What another administrator changed between reading and writing stays changed."""
    house.store.rivals = [TenantEntry("search", tags={"by": "rival"}, version=2)]
    answer = await owner.patch("tenants/search", json={"disabled": True})
    assert answer.status_code == 200
    entry = house.store.current.tenants["search"]
    assert (entry.disabled, entry.tags, entry.version) == (True, {"by": "rival"}, 3)


async def test_that_endless_rivals_end_in_a_conflict(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Trying again is bounded."""
    house.store.rivals = [TenantEntry("search", version=version) for version in range(2, 30)]
    answer = await owner.patch("tenants/search", json={"disabled": True})
    assert answer.status_code == 412
    assert house.store.changes < 10


async def test_that_a_deleted_tenant_takes_its_keys_and_administrators_with_it(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """In one step; another tenant's stay, and a tenant of the same name begins with none."""
    answer = await owner.delete("tenants/search")
    assert answer.json()["data"] == {"id": "search", "deleted": True}
    assert [key.tenant for key in house.store.current.keys.values()] == ["other"]
    assert all(admin.tenant is None for admin in house.store.current.admins.values())
    assert house.store.changes == 1
    assert (await owner.get("tenants/search")).status_code == 404


async def test_that_keys_that_outlived_their_tenant_do_not_come_back_with_its_name(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """A key made while its tenant was deleted is not the next tenant's of that name."""
    house.store.current.tenants.pop("search")  # type: ignore[attr-defined]  # a dict in this double
    await owner.post("tenants", json={"name": "search"})
    assert SEARCH_KEY_ID not in house.store.current.keys


async def test_that_stored_responses_go_with_their_tenant(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """When it is deleted, and again before another one gets its name; not where one has it."""
    await owner.post("tenants", json={"name": "search"})
    assert house.forgotten == []
    await owner.delete("tenants/search")
    assert house.forgotten == ["search"]
    await owner.post("tenants", json={"name": "search"})
    assert house.forgotten == ["search", "search"]


async def test_that_a_store_that_is_away_is_a_503(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Nothing is promised; reading goes on from memory."""
    house.store.away = True
    answer = await owner.patch("tenants/search", json={"disabled": True})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
    assert (await owner.get("tenants/search")).json()["data"]["disabled"] is False


async def test_that_a_change_says_where_it_is_not_in_force_yet(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """One of three workers has not confirmed it."""
    house.store.workers, house.store.live = 2, 3
    answer = (await owner.patch("tenants/search", json={"disabled": True})).json()
    assert (answer["in_force"]["workers"], answer["in_force"]["live"]) == (2, 3)


async def test_what_a_tenant_admin_may_do_with_tenants(
    house: AdminHouse, tenant_admin: httpx2.AsyncClient
) -> None:
    """It sees its own alone, and changes its tags and nothing else."""
    listed = (await tenant_admin.get("tenants")).json()["data"]
    assert [tenant["name"] for tenant in listed] == ["search"]
    theirs = await tenant_admin.get("tenants/other")
    nobodys = await tenant_admin.get("tenants/nobody")
    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert theirs.text.replace("other", "nobody") == nobodys.text
    changed = await tenant_admin.patch("tenants/search", json={"tags": {"team": "a"}})
    assert changed.status_code == 200
    bodies: list[dict[str, object]] = [
        {"disabled": False},
        {"tags": {}, "models": None},
        {"entra": {"applications": [APP]}},
    ]
    for body in bodies:
        assert (await tenant_admin.patch("tenants/search", json=body)).status_code == 403
    assert house.store.records[-1].actor.startswith(
        next(a.id for a in house.store.current.admins.values() if a.role is Role.TENANT_ADMIN)
    )


async def test_that_a_tenant_admin_whose_key_is_disabled_is_out_at_once(house: AdminHouse) -> None:
    """The directory is looked at for each request."""
    key = ADMIN_KEYS[Role.TENANT_ADMIN]
    entry = next(a for a in house.store.current.admins.values() if a.role is Role.TENANT_ADMIN)
    async with house.client(key) as client, house.client() as owner:
        assert (await client.get("tenants/search")).status_code == 200
        await owner.patch(f"admins/{entry.id}", json={"disabled": True})
        assert (await client.get("tenants/search")).status_code == 401
