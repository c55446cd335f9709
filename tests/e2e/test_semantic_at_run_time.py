"""The semantic cache switched on while the gateway serves: opened aside, and then in force."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from app.adapters.embedder.local import DEFAULT, missing
from tests.e2e.stack import DEADLINE_S, Stack, eventually, ptu_and_paygo, stack

pytestmark = pytest.mark.skipif(bool(missing(DEFAULT)), reason=missing(DEFAULT) or "it is there")
PHRASES = "How do I reset my password?", "how do i reset my password"
SWITCHED_ON = {"semantic": {"enabled": True, "sample_rate": 0.0}}


def off(suffix: str) -> dict[str, Any]:
    """No cache for anybody; time to embed on a busy machine."""
    return ptu_and_paygo(suffix) | {"cache": {"semantic_lookup_ms": 5000}}


async def ask(team: Stack, text: str) -> str:
    """What the answer says of the cache."""
    raw = await team.openai().chat.completions.with_raw_response.create(
        model="gpt-4o", messages=[{"role": "user", "content": text}], max_tokens=40
    )
    return raw.headers["x-spillgate-cache"]


async def patch(team: Stack, cache: dict[str, Any]) -> None:
    """Change the tenant's caches."""
    url = f"{team.process.admin_url}/admin/v1/tenants/team-{team.suffix}"
    headers = {"authorization": "Bearer an-admin-key-of-tests"}
    async with team.http.patch(url, json={"cache": cache}, headers=headers) as answer:
        assert answer.status == 200, await answer.text()


async def hit_by_meaning(team: Stack) -> None:
    """Ask in two wordings until one is answered by what the other was."""
    async with asyncio.timeout(DEADLINE_S):
        while "semantic" not in [await ask(team, phrase) for phrase in PHRASES]:
            await asyncio.sleep(0.05)


async def test_a_tenant_is_switched_on(redis_url: str) -> None:
    """Nothing is opened before; each step is logged once; requests are served all the while."""
    structlog.reset_defaults()  # the other end-to-end tests log nothing
    with capture_logs() as logs:
        async with stack(redis_url, off) as team:
            cached = team.process.resources.cached
            assert (await ask(team, PHRASES[0]), cached.answers.index) == ("bypass", None)
            await patch(team, SWITCHED_ON)
            await hit_by_meaning(team)
            opened = cached.meaning
            await patch(team, {"semantic": {"enabled": False}})
            await eventually(lambda: cached.meaning is opened)
    events = [each["event"] for each in logs]
    assert [events.count(f"semantic_cache_{step}") for step in ("opening", "ready")] == [1, 1]


async def test_the_config_is_switched_on(redis_url: str) -> None:
    """By a reload; errors can be asked for afterwards."""
    async with stack(redis_url, off) as team:
        settings = team.process.current.settings
        cache = settings.cache.model_validate({**SWITCHED_ON, "semantic_lookup_ms": 5000})
        await team.process.reload(settings.model_copy(update={"cache": cache}))
        await hit_by_meaning(team)
        url = f"{team.process.admin_url}/admin/v1/cache/team-{team.suffix}/errors"
        headers = {"authorization": "Bearer an-admin-key-of-tests"}
        async with team.http.get(url, headers=headers) as answer:
            assert answer.status == 200


async def test_the_end_comes_while_it_is_opened(redis_url: str) -> None:
    """What was begun is closed with the process."""
    async with stack(redis_url, off) as team:
        await patch(team, SWITCHED_ON)
        assert await ask(team, PHRASES[0]) in {"bypass", "miss"}
        cached = team.process.resources.cached
    assert cached.meaning is None
    assert not [task for task in asyncio.all_tasks() if "semantic" in task.get_name()]


async def test_an_embedder_that_is_none(redis_url: str) -> None:
    """It is said once; requests are served, and their reason says it each time."""

    def config(suffix: str) -> dict[str, Any]:
        made = off(suffix)
        azure = {"endpoint": "https://x.openai.azure.com", "auth": {"api_key": "k"}}
        own = {"kind": "paygo", "model": "our-own-embedder", "deployment": "e", "tpm": 1_000_000}
        made["deployments"][f"embed-{suffix}"] = azure | own
        made["models"]["embed"] = {"tiers": [[f"embed-{suffix}"]]}
        made["cache"]["embedder"] = {"model": "embed"}
        return made

    structlog.reset_defaults()
    with capture_logs() as logs:
        async with stack(redis_url, config) as team:
            await patch(team, SWITCHED_ON)
            await eventually(team.process.resources.cached.by_meaning.tried.is_set)
            assert [await ask(team, phrase) for phrase in PHRASES] == ["miss", "miss"]
            await eventually(lambda: len(team.receipts.kept) == len(PHRASES))
            reasons = {each.cache.reason for each in team.receipts.kept}
    assert reasons == {"embedder_unavailable"}
    assert [each["log_level"] for each in logs if each["event"] == "semantic_cache_off"] == [
        "warning"
    ]
