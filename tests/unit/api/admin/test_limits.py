from __future__ import annotations

import httpx2
import pytest

from app.domain.quota.limit import LimitName, LimitRule, Mode
from tests.fakes.admin import AdminHouse

PATH = "tenants/search/limits"


async def test_that_limits_are_replaced_as_a_whole(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Tenant, key and model, each mode, and an override: kept as they were sent."""
    limits = [
        {"name": "rps", "amount": 0.5},
        {"name": "rpm", "amount": 60, "mode": "soft", "key_id": "Ab3", "model": "gpt-4o"},
        {
            "name": "usd_per_day",
            "amount": 9.5,
            "mode": "shadow",
            "model": "gpt-4o",
            "override": 20,
            "override_until": 1_800_000_000,
        },
    ]
    answer = await owner.put(PATH, json={"limits": limits}, headers={"if-match": '"1"'})
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"2"'
    assert house.store.current.tenants["search"].limits == (
        LimitRule(LimitName.RPS, 0.5),
        LimitRule(LimitName.RPM, 60, Mode.SOFT, "Ab3", "gpt-4o"),
        LimitRule(LimitName.USD_PER_DAY, 9.5, Mode.SHADOW, None, "gpt-4o", 20, 1_800_000_000),
    )
    read = (await owner.get(PATH)).json()["data"]
    assert (read["tenant"], read["version"]) == ("search", 2)
    # What is read can be sent again.
    again = await owner.put(PATH, json={"limits": read["limits"]})
    assert again.json()["data"]["limits"] == read["limits"]
    assert (await owner.delete(PATH)).json()["data"]["limits"] == []
    assert not house.store.current.tenants["search"].limits


@pytest.mark.parametrize(
    ("rules", "param"),
    [
        ([{"name": "rpm", "amount": 0.5}], "limits.0"),
        ([{"name": "rpm", "amount": 1e300}], "limits.0.amount"),
        ([{"name": "usd_per_day", "amount": 1e7}], "limits.0"),
        ([{"name": "rpm", "amount": True}], "limits.0.amount"),
        ([{"name": "rpm"}], "limits.0.amount"),
        ([{"name": "usd_per_hour", "amount": 1}], "limits.0.name"),
        ([{"name": "rpm", "amount": 1, "override": 2}], "limits.0"),
        ([{"name": "rpm", "amount": 1, "override_until": 5}], "limits.0"),
        ([{"name": "rpm", "amount": 1, "model": "gpt-9"}], "limits.0.model"),
        ([{"name": "rpm", "amount": 1}, {"name": "rpm", "amount": 2, "mode": "soft"}], "limits"),
        ([{"name": "rpm", "amount": 1, "mode": "loud"}], "limits.0.mode"),
    ],
)
async def test_that_a_mistake_is_named(
    house: AdminHouse, owner: httpx2.AsyncClient, rules: list[object], param: str
) -> None:
    """Nothing of the list is kept."""
    answer = await owner.put(PATH, json={"limits": rules})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert house.store.changes == 0


async def test_that_not_a_number_is_no_amount(owner: httpx2.AsyncClient) -> None:
    """Python's JSON knows NaN and Infinity; a limit does not."""
    for amount in (b"NaN", b"Infinity", b"-Infinity"):
        body = b'{"limits": [{"name": "rps", "amount": ' + amount + b"}]}"
        headers = {"content-type": "application/json"}
        assert (await owner.put(PATH, content=body, headers=headers)).status_code == 400


async def test_that_limits_have_the_tenants_version(owner: httpx2.AsyncClient) -> None:
    """A tenant that was changed meanwhile is a conflict."""
    await owner.patch("tenants/search", json={"tags": {"a": "b"}})
    answer = await owner.put(PATH, json={"limits": []}, headers={"if-match": '"1"'})
    assert answer.status_code == 412
