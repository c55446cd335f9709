from __future__ import annotations

from typing import Any

import httpx2
import pytest

from app.domain.identity.directory import EntryKind
from tests.fakes.admin import AdminHouse

CONFIGURED = {"level": "info", "requests": "all"}


async def test_a_level_is_changed_for_a_while(house: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """In force at once, told with its end, over by itself, and in the audit log."""
    answer = await owner.put("logs", json={"level": "debug", "for_s": 60})
    until = house.clock.unix() + 60
    assert answer.json() == {
        "data": {"level": "debug", "requests": "all", "until": until, "configured": CONFIGURED},
        "in_force": {"version": 2, "workers": 2, "live": 2},
    }
    assert (await owner.get("logs")).json()["data"]["level"] == "debug"

    house.clock.advance(60)
    assert (await owner.get("logs")).json()["data"] == {
        **CONFIGURED,
        "until": None,
        "configured": CONFIGURED,
    }
    (record,) = house.store.records
    assert (record.kind, record.id, record.action) == (EntryKind.LOGS, "logs", "created")


async def test_a_change_ends_within_a_quarter_of_an_hour(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Unless it says how long; what it does not name is as configured, also after another one."""
    await owner.put("logs", json={"level": "debug"})
    answer = await owner.put("logs", json={"requests": "none"})
    said = answer.json()["data"]
    assert (said["level"], said["requests"]) == ("info", "none")
    assert said["until"] == house.clock.unix() + 900


async def test_a_change_is_taken_back(house: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """At once; that is recorded, too."""
    await owner.put("logs", json={"level": "debug"})
    answer = await owner.delete("logs")
    assert answer.json()["data"]["until"] is None
    assert (await owner.get("logs")).json()["data"]["level"] == "info"
    assert [record.action for record in house.store.records] == ["created", "changed"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"level": "chatty"}, "level"),
        ({"requests": True}, "requests"),
        ({"for_s": 0}, "for_s"),
        ({"for_s": 90_000}, "for_s"),
        ({"levels": "debug"}, "levels"),
    ],
)
async def test_a_change_that_means_nothing_is_refused(
    owner: httpx2.AsyncClient, body: dict[str, Any], param: str
) -> None:
    """By the field that is wrong."""
    answer = await owner.put("logs", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == param
