"""Deployments in the admin API: their live state, and what operators change."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from app.api.admin.deployments import Live
from app.domain.routing.health import State, Status
from tests.fakes.admin import AdminHouse


async def test_a_deployment_is_shown_with_its_live_state(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Ends of holds and ejections in Unix time, whatever clock the worker has."""
    now, unix = house.clock.now(), house.clock.unix()
    house.live = Live(
        now,
        unix,
        holds={"ptu": now + 2.5, "paygo": now - 1},
        utilizations={"ptu": 1.01},
        lowered_tpm={"paygo": 200_000},
        health={"ptu": State(Status.EJECTED, now + 30)},
        shares={"ptu": {"search": 0.4}},
    )
    shown = (await owner.get("deployments/ptu")).json()["data"]
    assert shown == {
        "name": "ptu",
        "kind": "ptu",
        "model": "gpt-4o",
        "region": "eastus",
        "data_zone": "us",
        "capacity": {"ptus": 50, "tpm": None, "rpm": None},
        "state": "enabled",
        "lowered_tpm": None,
        "utilization": 1.01,
        "held_for_ms": 2500,
        "held_until": unix + 2.5,
        "health": {"status": "ejected", "until": unix + 30, "weight_factor": 0.0},
        "shares": {"search": 0.4},
        "serves": [{"model": "gpt-4o", "tier": 0, "weight": 1.0, "configured_weight": 1.0}],
        "version": 0,
    }
    listed = (await owner.get("deployments")).json()["data"]
    assert [each["name"] for each in listed] == ["ptu", "paygo", "anywhere"]
    assert listed[0] == shown
    assert listed[1]["lowered_tpm"] == 200_000
    assert (listed[1]["held_for_ms"], listed[1]["held_until"]) == (0, None)
    assert listed[1]["health"] == {"status": "healthy", "until": None, "weight_factor": 1.0}
    assert (await owner.get("deployments/gone")).status_code == 404


async def test_a_deployment_is_drained_and_enabled(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """Audited, and the answer says on how many workers it is in force."""
    answer = await owner.patch("deployments/ptu", json={"state": "draining"})
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    body = answer.json()
    assert (body["data"]["state"], body["data"]["version"]) == ("draining", 1)
    assert (body["in_force"]["workers"], body["in_force"]["live"]) == (2, 2)
    assert house.store.current.deployments["ptu"].draining

    body = (await owner.patch("deployments/ptu", json={"state": "enabled"})).json()
    assert (body["data"]["state"], body["data"]["version"]) == ("enabled", 2)
    log = [(record.kind, record.id, record.action) for record in house.store.records]
    assert log == [("deployment", "ptu", "created"), ("deployment", "ptu", "changed")]


async def test_weights_change_model_by_model(owner: httpx2.AsyncClient) -> None:
    """A state that is not sent stays; null goes back to the configured weight."""
    await owner.patch("deployments/paygo", json={"state": "draining"})

    async def weight(given: float | None) -> tuple[float, str]:
        answer = await owner.patch("deployments/paygo", json={"weights": {"gpt-4o": given}})
        shown = answer.json()["data"]
        return shown["serves"][0]["weight"], shown["state"]

    assert await weight(3) == (3.0, "draining")
    assert await weight(None) == (2.0, "draining")


async def test_nobodys_change_is_undone(house: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """`If-Match` names the version, 0 where nothing was ever said."""
    assert (await owner.get("deployments/ptu")).headers["etag"] == '"0"'

    async def drain(version: str) -> int:
        headers = {"if-match": version}
        body = {"state": "draining"}
        return (await owner.patch("deployments/ptu", json=body, headers=headers)).status_code

    assert [await drain('"1"'), await drain('"0"'), await drain('"0"')] == [412, 200, 412]
    assert house.store.changes == 1


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"state": "gone"}, "state"),
        ({"state": None}, "state"),
        ({"weights": {"gpt-4o": 0}}, "weights.gpt-4o"),
        ({"weights": {"gpt-4o": True}}, "weights.gpt-4o"),
        ({"weights": {"gpt-4o-mini": 1}}, "weights"),
        ({"weight": 3}, "weight"),
    ],
)
async def test_a_mistake_is_named(
    house: AdminHouse, owner: httpx2.AsyncClient, body: Any, param: str
) -> None:
    """And changes nothing."""
    answer = await owner.patch("deployments/ptu", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert house.store.changes == 0


async def test_what_is_not_configured_cannot_be_operated(
    house: AdminHouse, owner: httpx2.AsyncClient
) -> None:
    """A name that is mistyped drains nothing."""
    answer = await owner.patch("deployments/pto", json={"state": "draining"})
    assert (answer.status_code, house.store.changes) == (404, 0)
