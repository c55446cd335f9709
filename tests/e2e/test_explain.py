"""A request explained afterwards, by any gateway on the same Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from app.adapters.explanations import key_of
from tests.e2e.stack import DEADLINE_S, Stack, ptu_and_paygo, stack

ADMIN = {"authorization": "Bearer an-admin-key-of-tests"}
#: What the documents say of one explanation's memory in Redis, and some more.
MOST_BYTES = 2048


async def ask(team: Stack, request_id: str) -> int:
    """One chat completion under an id of the caller's own; its status."""
    body = {"model": "gpt-4o", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
    headers = {"authorization": f"Bearer {team.key}", "x-request-id": request_id}
    url = f"{team.base_url}/chat/completions"
    async with team.http.post(url, json=body, headers=headers) as answer:
        await answer.read()
        return answer.status


async def explained(team: Stack, request_id: str) -> Any:
    """The explanation, which comes a moment after the answer."""
    url = f"{team.process.admin_url}/admin/v1/explain/{request_id}"
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with team.http.get(url, headers=ADMIN) as answer:
                if answer.status == 200:
                    return (await answer.json())["data"]
            await asyncio.sleep(0.01)


def tight(**sections: Any) -> Callable[[str], dict[str, Any]]:
    """A PTU and PAYGO, a tenant with a limit, and more sections."""
    tenant = {"tenant": {"limits": {"rpm": 100, "usd_per_day": 5}}}
    return lambda suffix: ptu_and_paygo(suffix) | tenant | sections


async def test_a_spill_is_explained_with_all_that_led_to_it(redis_url: str) -> None:
    """Candidates, attempts, what was told, reserved and charged; in words, too; for a while."""
    async with stack(redis_url, tight(explain={"keep_s": 60})) as team:
        request_id = f"spilled-{team.suffix}"
        await team.fault("ptu", status=429, headers={"retry-after-ms": "700"}, times=1)
        assert await ask(team, request_id) == 200
        found = await explained(team, request_id)
        assert (found["spill"], found["outcome"]) == ("throttled", "finished")
        assert found["candidates"][0]["deployment"] == team.name("ptu")
        refused, served = found["attempts"]
        assert (refused["verdict"], refused["retry_after_s"]) == ("throttled", 0.7)
        assert served["deployment"] == found["deployment"]
        limits = {limit["name"]: limit for limit in found["reserved"]["limits"]}
        assert limits["rpm"]["left"] == 99
        receipt = await team.receipt(request_id)
        assert receipt.usage is not None
        assert found["settled"]["input"] == receipt.usage.input > 0
        assert found["settled"]["nano_usd"] == receipt.nano_usd > 0

        assert await ask(team, f"held-{team.suffix}") == 200
        held = await explained(team, f"held-{team.suffix}")
        (skip,) = held["skipped"]
        assert skip["deployment"] == team.name("ptu")
        assert skip["reason"] in {"held", "predicted"}, (
            "the bucket has learnt from the refusal, too"
        )
        assert skip["wait_s"] > 0
        assert held["attempts"][0]["actual_utilization"] is None, "PAYGO tells none"

        async with Redis.from_url(redis_url) as redis:
            key = key_of(f"team-{team.suffix}", request_id)
            assert 0 < await redis.ttl(key) <= 60
            used = await redis.memory_usage(key) or 0
        print(f"one explanation takes {used} bytes")  # noqa: T201  # the figure in the documents
        assert 0 < used < MOST_BYTES


async def test_a_served_request_tells_predicted_and_actual_utilization(redis_url: str) -> None:
    """Of the PTU: what the gateway thought, and what Azure's answer said."""
    async with stack(redis_url, tight()) as team:
        for number in range(2):
            assert await ask(team, f"served-{number}-{team.suffix}") == 200
        found = await explained(team, f"served-1-{team.suffix}")
        assert found["spill"] == "none"
        assert 0 <= found["candidates"][0]["predicted_utilization"] < 1
        assert 0 <= found["attempts"][0]["actual_utilization"] < 1


async def test_a_reload_turns_explanations_off(redis_url: str) -> None:
    """Requests are served as before, and nothing is kept of them."""
    async with stack(redis_url, tight()) as team:
        settings = team.process.current.settings
        off = settings.explain.model_copy(update={"keep_s": 0})
        await team.process.reload(settings.model_copy(update={"explain": off}))
        assert await ask(team, f"off-{team.suffix}") == 200
        await team.receipt(f"off-{team.suffix}")
        async with Redis.from_url(redis_url) as redis:
            assert not await redis.exists(key_of(f"team-{team.suffix}", f"off-{team.suffix}"))
