"""Input policies from a client's SDK to every record: refused, flagged, changed while running."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import openai
import pytest
import pytest_asyncio

from app.domain.ledger.error_type import ErrorType, error_type
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack
from tests.e2e.test_explain import explained
from tests.fakes.content_safety import ATTACK, FakeContentSafety, content_safety

OWNER = {"authorization": "Bearer an-admin-key-of-tests"}
SECRET = "The Moon Rises"
SAFETY_KEY = "a-safety-key-of-tests"


def config(suffix: str, safety_url: str) -> dict[str, Any]:
    azure = {"endpoint": "https://x.openai.azure.com", "deployment": "e", "api": "v1"}
    base = ptu_and_paygo(suffix)
    embed = f"embed-{suffix}"
    base["deployments"][embed] = azure | {
        "kind": "paygo", "model": "text-embedding-3-small", "auth": {"api_key": "k"},
    }  # fmt: skip
    base["models"]["embed"] = {"tiers": [[embed]]}
    patterns = {
        "codename": {"pattern": "(?i)moon rises"},
        "watched": {"pattern": "(?i)sunset", "action": "flag"},
    }
    rules = {"patterns": patterns, "forbidden": ["several_answers"], "max_output_tokens": 100}
    auth = {"api_key": SAFETY_KEY}
    safety = {"endpoint": safety_url, "auth": auth, "timeout_ms": 30_000}
    return base | {"policy": rules, "content_safety": safety}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def team(redis_url: str) -> AsyncIterator[Stack]:
    async with (
        content_safety() as SAFE.fake,
        stack(redis_url, lambda suffix: config(suffix, SAFE.fake.url)) as found,
    ):
        SAFE.fake.key = SAFETY_KEY
        yield found


class Safe:
    """Where the module's Content Safety is."""

    fake = FakeContentSafety()


SAFE = Safe()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def ask(team: Stack, text: str = "Hi", **more: Any) -> Any:
    return await team.openai(max_retries=2).chat.completions.with_raw_response.create(
        model="gpt-4o", messages=[{"role": "user", "content": text}], max_tokens=4, **more
    )


async def admin(team: Stack, method: str, path: str, body: object = None) -> Any:
    url = f"{team.process.admin_url}/admin/v1/{path}"
    async with team.http.request(method, url, json=body, headers=OWNER) as answer:
        assert answer.status < 300, await answer.text()
        return await answer.json()


async def metrics(team: Stack) -> str:
    async with team.http.get(f"{team.process.admin_url}/metrics") as answer:
        return await answer.text()


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("chat/completions", {"messages": [{"role": "user", "content": SECRET}]}),
    "parts": (
        "chat/completions",
        {"messages": [{"role": "user", "content": [{"type": "text", "text": SECRET}]}]},
    ),
    "responses": ("responses", {"input": [{"role": "user", "content": SECRET}]}),
    "completions": ("completions", {"prompt": [SECRET]}),
    "embeddings": ("embeddings", {"model": "embed", "input": ["x", SECRET]}),
    "ids": ("embeddings", {"model": "embed", "input": [1, 2, 3]}),
    "several": ("chat/completions", {"n": 2, "messages": []}),
    "output": ("chat/completions", {"max_tokens": 101, "messages": []}),
}


@pytest.mark.parametrize("name", CALLS)
async def test_what_is_not_allowed_is_a_400_and_costs_nothing(team: Stack, name: str) -> None:
    """OpenAI's shape, once: no retry, no reservation, no deployment; not a word is repeated."""
    path, body = CALLS[name]
    served = len(await team.served())
    headers = {"authorization": f"Bearer {team.key}"}
    url = f"{team.base_url}/{path}"
    async with team.http.post(url, json={"model": "gpt-4o"} | body, headers=headers) as answer:
        told = await answer.json()
        assert answer.status == 400, told
        policy = answer.headers["x-spillgate-policy"]
        request_id = answer.headers["x-request-id"]
    error = told["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "policy_violation")
    assert f"`{policy}`" in error["message"]
    assert "oon" not in str(told)
    receipt = await team.receipt(request_id)
    assert receipt.reservation is None
    assert receipt.model in {"gpt-4o", "embed"}
    assert error_type(receipt) is ErrorType.POLICY_VIOLATION
    assert [each.action for each in receipt.findings] == ["block"]
    assert len(await team.served()) == served


async def test_an_sdk_raises_what_it_does_not_retry(team: Stack) -> None:
    """Its own class for a bad request, with the policy's name and the field."""
    before = len(team.receipts.kept)
    with pytest.raises(openai.BadRequestError, match="codename") as caught:
        await ask(team, SECRET)
    assert (caught.value.code, caught.value.param) == ("policy_violation", "messages[0]")
    await eventually(lambda: len(team.receipts.kept) > before)
    assert len(team.receipts.kept) == before + 1


async def test_what_is_flagged_is_served_and_found_in_every_record(team: Stack) -> None:
    """The explanation, in fields and in words, and the metric; the answer is as ever."""
    raw = await ask(team, "a sunset")
    assert raw.parse().choices
    receipt = await team.receipt(raw.headers["x-request-id"])
    assert [each.text for each in receipt.findings] == ["flag pattern watched"]
    told = await explained(team, raw.headers["x-request-id"])
    (found,) = told["policies"]
    assert (found["name"], found["action"], found["field"]) == ("watched", "flag", "messages[0]")
    assert any("watched" in each and "flagged" in each for each in told["why"])
    text = await metrics(team)
    labels = {'kind="pattern"', 'action="flag"'}
    lines = [each for each in text.splitlines() if each.startswith("llm_policy_findings_total")]
    (line,) = [each for each in lines if all(label in each for label in labels)]
    assert float(line.split()[1]) >= 1


async def test_a_tenants_own_policy_is_changed_while_it_runs(team: Stack) -> None:
    """By the admin API: a pattern switched off, a limit of tokens set, and all of it shown."""
    name = f"team-{team.suffix}"
    rules = {"patterns": {"codename": {"pattern": "x", "action": "off"}}, "max_prompt_tokens": 20}
    told = await admin(team, "PATCH", f"tenants/{name}", {"policy": rules})
    assert told["data"]["policy"]["max_prompt_tokens"] == 20
    try:
        assert (await ask(team, SECRET)).parse().choices
        with pytest.raises(openai.BadRequestError, match="max_prompt_tokens"):
            await ask(team, "word " * 50)
    finally:
        await admin(team, "PATCH", f"tenants/{name}", {"policy": {}})
    with pytest.raises(openai.BadRequestError, match="codename"):
        await ask(team, SECRET)


async def test_a_pattern_that_cannot_be_is_refused_by_the_admin_api(team: Stack) -> None:
    """With its place and RE2's reason, and nothing of the pattern."""
    url = f"{team.process.admin_url}/admin/v1/tenants/team-{team.suffix}"
    rules = {"patterns": {"mine": {"pattern": "canary("}}}
    http: aiohttp.ClientSession = team.http
    async with http.patch(url, json={"policy": rules}, headers=OWNER) as answer:
        told = await answer.text()
        assert answer.status == 400
    assert "policy.patterns.mine.pattern: is no RE2 pattern (missing ))" in told
    assert "canary" not in told


@asynccontextmanager
async def checked(team: Stack, **rule: Any) -> AsyncIterator[None]:
    """The tenant's texts are checked for as long as the scope is open."""
    path = f"tenants/team-{team.suffix}"
    safety = {"failure": "closed", "hate": 4, "prompt_shield": True} | rule
    await admin(team, "PATCH", path, {"policy": {"content_safety": safety}})
    try:
        yield
    finally:
        await admin(team, "PATCH", path, {"policy": {}})


async def test_what_content_safety_finds_is_refused_before_anything_is_reserved(
    team: Stack,
) -> None:
    """Harm by its severity, attacks by name; a stream that is well begins as ever."""
    async with checked(team):
        for text, policy in (
            ("hatred", "content_safety.hate"),
            (ATTACK, "content_safety.prompt_shield"),
        ):
            with pytest.raises(openai.BadRequestError, match=policy):
                await ask(team, text)
        stream = await team.openai().chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "rude"}], stream=True
        )
        assert [chunk async for chunk in stream]
    asked = len(SAFE.fake.seen)
    assert (await ask(team, "hatred")).parse().choices
    assert len(SAFE.fake.seen) == asked, "off again, it is not asked"


async def test_without_a_verdict_the_declared_policy_holds(team: Stack) -> None:
    """Closed: 503 in OpenAI's shape. Open: served, with a header that says so; both are counted."""
    SAFE.fake.status = 429
    try:
        async with checked(team):
            with pytest.raises(openai.InternalServerError) as caught:
                await team.openai().chat.completions.create(
                    model="gpt-4o", messages=[{"role": "user", "content": "x"}]
                )
            assert caught.value.status_code == 503
            assert caught.value.code == "content_safety_unavailable"
        async with checked(team, failure="open"):
            raw = await ask(team, "x")
            assert raw.headers["x-spillgate-degraded"] == "unchecked"
    finally:
        SAFE.fake.status = 200
    text = await metrics(team)
    failures = [
        each for each in text.splitlines()
        if each.startswith("spillgate_dependency_failures_total") and "content_safety" in each
    ]  # fmt: skip
    assert {each.split('policy="')[1].split('"')[0] for each in failures} == {
        "fail_open",
        "fail_closed",
    }
    assert SAFETY_KEY not in text
