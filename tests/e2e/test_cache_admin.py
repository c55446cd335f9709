"""Two tenants' kept answers, looked after by those who may, while both are served."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.adapters.redis.connection import redis_client
from app.adapters.redis.embedded import embedded_redis
from tests.e2e.stack import DEADLINE_S, Stack, eventually, ptu_and_paygo, stack

OWNER = "an-admin-key-of-tests"
QUESTION = "What is a monad?"


def exact(suffix: str) -> dict[str, Any]:
    return ptu_and_paygo(suffix) | {"cache": {"exact": {"enabled": True}}}


@dataclass(frozen=True, slots=True)
class Admin:
    """Calls of the admin API with one key."""

    team: Stack
    key: str = OWNER

    async def call(
        self, method: str, path: str, body: object = None, *, expected: int = 200
    ) -> Any:
        """What it answers, which must have the status that is expected."""
        url = f"{self.team.process.admin_url}/admin/v1/{path}"
        headers = {"authorization": f"Bearer {self.key}"}
        async with self.team.http.request(method, url, json=body, headers=headers) as answer:
            text = await answer.text()
            assert answer.status == expected, text
            return (await answer.json()).get("data")

    async def evict(self, tenant: str, **by: object) -> int:
        """How many answers were evicted."""
        found = await self.call("POST", f"cache/{tenant}/evictions", by)
        count: int = found["evicted"]
        return count

    async def evictors(self, tenant: str) -> list[str]:
        """The roles of those who evicted something, by the audit log, which tests share."""
        roles: list[str] = []
        after = 0
        while log := await self.call("GET", f"audit?limit=1000&after={after}"):
            after = log[-1]["number"]
            roles += [
                each["role"] for each in log if (each["kind"], each["id"]) == ("cache", tenant)
            ]
        return roles

    async def explained(self, request_id: str) -> None:
        """Until the request can be explained, which comes a moment after its answer."""
        path = f"{self.team.process.admin_url}/admin/v1/explain/{request_id}"
        headers = {"authorization": f"Bearer {self.key}"}
        async with asyncio.timeout(DEADLINE_S):
            while True:
                async with self.team.http.get(path, headers=headers) as answer:
                    if answer.status == 200:
                        return
                await asyncio.sleep(0.01)


async def ask(team: Stack, key: str) -> tuple[str, str]:
    """What the answer says of the cache, and the request's id; answers that are due are kept."""
    raw = await team.openai(api_key=key).chat.completions.with_raw_response.create(
        model="gpt-4o", messages=[{"role": "user", "content": QUESTION}], max_tokens=40
    )
    await team.process.resources.cached.answers.settled()
    return raw.headers["x-spillgate-cache"], raw.headers["x-request-id"]


async def another_tenant(owner: Admin, name: str) -> str:
    """A key of a new tenant."""
    await owner.call("POST", "tenants", {"name": name}, expected=201)
    made = await owner.call("POST", f"tenants/{name}/keys", {}, expected=201)
    key: str = made["key"]
    return key


async def tenant_admin(owner: Admin, tenant: str) -> Admin:
    """An administrator of one tenant."""
    body = {"role": "tenant-admin", "tenant": tenant}
    made = await owner.call("POST", "admins", body, expected=201)
    return Admin(owner.team, made["key"])


async def test_a_hit_is_evicted_by_its_request_and_the_others_answer_stays(redis_url: str) -> None:
    """By the tenant's own administrator: the next request is a miss, the other tenant's a hit."""
    async with stack(redis_url, exact) as team:
        owner, mine, theirs = Admin(team), f"team-{team.suffix}", f"other-{team.suffix}"
        their_key = await another_tenant(owner, theirs)
        for key in (team.key, their_key):
            assert (await ask(team, key))[0] == "miss"
        result, hit = await ask(team, team.key)
        assert result == "exact"
        await owner.explained(hit)

        own = await tenant_admin(owner, mine)
        (listed,) = await own.call("GET", f"cache/{mine}/answers")
        assert (listed["prompt"], listed["request_id"] != hit) == (QUESTION, True)
        assert await own.evict(mine, request_id=hit) == 1
        assert await own.call("GET", f"cache/{mine}/answers") == []
        assert (await ask(team, their_key))[0] == "exact"
        assert (await ask(team, team.key))[0] == "miss"
        assert (await ask(team, team.key))[0] == "exact"

        assert await owner.evictors(mine) == ["tenant-admin"]


async def test_an_administrator_of_one_tenant_finds_nothing_of_anothers(redis_url: str) -> None:
    """Neither by the tenant's name nor by a request's id, and evicts nothing of it."""
    async with stack(redis_url, exact) as team:
        owner, theirs = Admin(team), f"other-{team.suffix}"
        their_key = await another_tenant(owner, theirs)
        await ask(team, their_key)
        result, hit = await ask(team, their_key)
        assert result == "exact"
        await owner.explained(hit)

        own = await tenant_admin(owner, f"team-{team.suffix}")
        for path in ("answers", "totals", "errors"):
            await own.call("GET", f"cache/{theirs}/{path}", expected=404)
        for path in ("evictions", "wrong-hits"):
            body = {"request_id": hit}
            await own.call("POST", f"cache/{theirs}/{path}", body, expected=404)
        assert await own.evict(f"team-{team.suffix}", request_id=hit) == 0
        assert [each["tenant"] for each in await own.call("GET", "cache")] == [
            f"team-{team.suffix}"
        ]
        assert (await ask(team, their_key))[0] == "exact"


async def test_a_tenant_of_the_same_name_begins_with_nothing(redis_url: str) -> None:
    """What was answered before it was deleted is not its successor's."""
    async with stack(redis_url, exact) as team:
        owner, name = Admin(team), f"other-{team.suffix}"
        key = await another_tenant(owner, name)
        await ask(team, key)
        assert (await ask(team, key))[0] == "exact"
        await owner.call("DELETE", f"tenants/{name}")
        assert (await ask(team, await another_tenant(owner, name)))[0] == "miss"


async def test_a_tenant_is_told_its_caches(redis_url: str) -> None:
    """As configuration, model and tenant come to; of models that it may use."""

    def config(suffix: str) -> dict[str, Any]:
        own = {"cache": {"exact": {"ttl": 60}}}
        return exact(suffix) | {"tenant": own}

    async with stack(redis_url, config) as team:
        headers = {"authorization": f"Bearer {team.key}"}
        async with team.http.get(f"{team.base_url}/spillgate/me", headers=headers) as answer:
            caches = (await answer.json())["caches"]
        assert caches["gpt-4o"]["exact"] == {"enabled": True, "ttl": 60.0}
        change = {"cache": {"exact": {"enabled": False}}}
        await Admin(team).call("PATCH", f"tenants/team-{team.suffix}", change)
        async with team.http.get(f"{team.base_url}/spillgate/me", headers=headers) as answer:
            assert (await answer.json())["caches"] == {}


async def test_an_answer_that_was_wrong_is_gone(redis_url: str) -> None:
    """An exact hit is nobody's misunderstanding: it is evicted, and not counted."""
    async with stack(redis_url, exact) as team:
        owner, mine = Admin(team), f"team-{team.suffix}"
        await ask(team, team.key)
        _, hit = await ask(team, team.key)
        await owner.explained(hit)
        told = await owner.call("POST", f"cache/{mine}/wrong-hits", {"request_id": hit})
        assert told == {"tenant": mine, "evicted": 1, "counted": False, "recorded": True}
        assert (await ask(team, team.key))[0] == "miss"


async def test_what_is_under_way_at_an_eviction_is_given_to_nobody_who_asks_later(
    redis_url: str,
) -> None:
    """Nor to a tenant that was made again under the same name."""
    async with stack(redis_url, exact, ttft_ms=1500) as team:
        owner, name = Admin(team), f"acme-{team.suffix}"
        first = asyncio.create_task(ask(team, team.key))
        await eventually(lambda: team.receipts.kept or flights(team))
        await owner.evict(f"team-{team.suffix}", all=True)
        assert (await ask(team, team.key))[0] == "miss"
        await first

        old_key = await another_tenant(owner, name)
        old = asyncio.create_task(ask(team, old_key))
        await eventually(lambda: old.done() or flights(team))
        await owner.call("DELETE", f"tenants/{name}")
        new_key = await another_tenant(owner, name)
        assert (await ask(team, new_key))[0] == "miss"
        await old


def flights(team: Stack) -> int:
    """How many requests are waited for, if somebody asks the same."""
    return len(team.process.current.gateway.caching.flights)


async def test_a_full_redis_lets_go_of_what_it_holds(tmp_path: Path) -> None:
    """Though it takes no line of the audit log, which the answer says."""
    async with embedded_redis(tmp_path / "redis") as server, stack(server.url, exact) as team:
        owner, mine = Admin(team), f"team-{team.suffix}"
        assert [(await ask(team, team.key))[0] for _ in range(2)] == ["miss", "exact"]
        async with redis_client(server.url, operation_timeout_s=30) as client:
            await client.config_set("maxmemory", 1)
            evicted = await owner.call("POST", f"cache/{mine}/evictions", {"all": True})
            assert (evicted["evicted"], evicted["recorded"]) == (1, False)
            assert await owner.call("GET", f"cache/{mine}/answers") == []
            await client.config_set("maxmemory", 0)
