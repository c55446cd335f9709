"""Plans by the admin API."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from app.domain.identity.directory import Role
from app.planner.sizing.job import PlanAsk, PlanState
from app.planner.sizing.plan import plan
from app.planner.sizing.told import as_json
from tests.fakes.admin import ADMIN_KEYS, AdminHouse
from tests.fakes.changed import replace
from tests.unit.planner.sizing.test_plan import question, steady


async def test_that_a_plan_is_begun_and_read(house: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """Nothing at first; then its progress; then what the command would print as JSON."""
    assert (await owner.get("plan")).json()["data"]["state"] == "none"
    begun = await owner.post("plan", json={"model": "gpt-4o", "growth": 2, "ptus": [40]})
    assert (begun.status_code, begun.json()["data"]["state"]) == (202, "running")
    assert begun.json()["data"]["asked"] == {"model": "gpt-4o", "growth": 2.0, "ptus": [40]}
    assert house.planner.current is not None
    house.planner.current = replace(house.planner.current, replayed=12)
    assert (await owner.get("plan")).json()["data"]["replayed"] == 12
    told = as_json(plan(question(0.5), steady(42_000, days=1)))
    job = replace(house.planner.current, state=PlanState.DONE, ended_at=9.0, told=told)
    house.planner.current = job
    found = (await owner.get("plan")).json()["data"]
    assert (found["state"], found["ended_at"]) == ("done", 9.0)
    assert found["result"] == json.loads(json.dumps(told))


async def test_that_one_is_made_at_a_time(house: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """A second one is refused, until the first has been cancelled."""
    body = {"model": "gpt-4o"}
    assert (await owner.delete("plan")).json()["data"]["state"] == "none"
    await owner.post("plan", json=body)
    refused = await owner.post("plan", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "already_running")
    assert refused.headers["x-should-retry"] == "false"
    assert (await owner.delete("plan")).json()["data"]["state"] == "cancelled"
    assert (await owner.post("plan", json=body)).status_code == 202


@pytest.mark.parametrize(
    ("began", "ends", "status"),
    [
        (Role.OWNER, Role.VIEWER, 403),
        (Role.OPERATOR, Role.VIEWER, 403),
        (Role.VIEWER, Role.VIEWER, 200),
        (Role.VIEWER, Role.OPERATOR, 200),
        (Role.OPERATOR, Role.OWNER, 200),
        (Role.OWNER, Role.OPERATOR, 200),
    ],
)
async def test_that_a_plan_is_ended_by_who_began_it_and_by_operators(
    house: AdminHouse, began: Role, ends: Role, status: int
) -> None:
    """A viewer reads: the work of others is not its own to end."""
    async with house.client(ADMIN_KEYS[began]) as client:
        begun = (await client.post("plan", json={"model": "gpt-4o"})).json()["data"]
    async with house.client(ADMIN_KEYS[ends]) as client:
        answer = await client.delete("plan")
        assert answer.status_code == status
        state = (await client.get("plan")).json()["data"]["state"]
    assert state == ("cancelled" if status == 200 else "running")
    assert begun["begun_by"] == house.planner.current.by  # type: ignore[union-attr]  # begun above
    assert begun["begun_by"]


async def test_that_a_plan_without_an_owner_is_no_viewers(house: AdminHouse) -> None:
    """Nobody's plan is for operators."""
    house.planner.start(PlanAsk("gpt-4o"))
    async with house.client(ADMIN_KEYS[Role.VIEWER]) as client:
        assert (await client.delete("plan")).status_code == 403


async def test_that_times_are_read(house: AdminHouse, owner: httpx2.AsyncClient) -> None:
    """ISO 8601 as well as Unix seconds; every field arrives."""
    body = {"model": "gpt-4o", "since": "1970-01-02T00:00Z", "until": 200_000, "without": ["a"]}
    assert (await owner.post("plan", json=body)).status_code == 202
    assert house.planner.current is not None
    assert house.planner.current.ask == PlanAsk(
        "gpt-4o", since=86_400.0, until=200_000.0, without=("a",)
    )


async def test_that_a_viewer_may_plan_and_a_tenant_admin_may_not(house: AdminHouse) -> None:
    """A plan tells of all tenants' traffic together."""
    for role, status in ((Role.VIEWER, 200), (Role.TENANT_ADMIN, 403)):
        async with house.client(ADMIN_KEYS[role]) as client:
            assert (await client.get("plan")).status_code == status


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": "--json"}, "model"),
        ({"model": "gpt-4o", "growth": 0}, "growth"),
        ({"model": "gpt-4o", "cached": 1}, "cached"),
        ({"model": "gpt-4o", "kind": "lunar"}, "kind"),
        ({"model": "gpt-4o", "ptus": [0]}, "ptus.0"),
        ({"model": "gpt-4o", "archive": "/etc"}, "archive"),
    ],
)
async def test_that_a_mistake_is_named(owner: httpx2.AsyncClient, body: Any, param: str) -> None:
    """By the field that it is in; nothing else reaches the command."""
    answer = await owner.post("plan", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
