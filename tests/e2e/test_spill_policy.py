"""A tenant that may not spill: a full or failing PTU is an honest refusal; PAYGO is not asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import openai
import pytest

from tests.e2e.stack import Stack, ptu_and_paygo, stack

ADMIN = {"authorization": "Bearer an-admin-key-of-tests"}
FOREVER = -1
#: One PTU of gpt-4o takes 2,500 tokens a minute, and one of output counts as four (Azure's sizing).
LARGE = {"max_tokens": 600}


class Told(NamedTuple):
    """What the client was told."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def error(self) -> dict[str, Any]:
        """The error object of an answer that is one."""
        error: dict[str, Any] = json.loads(self.text)["error"]
        return error


def small(suffix: str) -> dict[str, Any]:
    """A PTU that two large requests fill, for a tenant that may not spill."""
    return ptu_and_paygo(suffix, ptus=1) | {"tenant": {"spill": "deny"}}


async def ask(team: Stack, **fields: Any) -> Told:
    """One chat completion."""
    message = {"role": "user", "content": "Hello"}
    body = {"model": "gpt-4o", "max_tokens": 8, "messages": [message]} | fields
    url = f"{team.base_url}/chat/completions"
    async with team.http.post(url, json=body, headers={"api-key": team.key}) as answer:
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return Told(answer.status, lowered, await answer.text())


async def asked(team: Stack) -> set[str]:
    """The deployments that were asked."""
    return {row["deployment"].rpartition("-")[0] for row in await team.served()}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_full_ptu_is_a_429_with_the_time_to_come_back(
    redis_url: str, *, stream: bool
) -> None:
    """Filled by the tenant's own requests; nobody else is asked however often it tries."""
    async with stack(redis_url, small) as team:
        refused = []
        for _ in range(20):
            told = await ask(team, **LARGE, stream=stream)
            assert told.status in {200, 429}
            if told.status == 429:
                refused.append(told)
        assert refused, "the PTU was never full"
        for told in refused:
            assert told.error["code"] == "rate_limit_exceeded"
            assert 0 < int(told.headers["retry-after-ms"]) <= 60_000
            assert told.headers["x-should-retry"] == "true"
        assert await asked(team) == {"ptu"}


async def test_the_sdk_waits_and_is_served_by_the_ptu(redis_url: str) -> None:
    """The time that a refusal names is the time that helps."""
    async with stack(redis_url, small) as team:
        await team.fault("ptu", status=429, headers={"retry-after-ms": "300"})
        patient = team.openai(max_retries=2)
        messages: list[Any] = [{"role": "user", "content": "Hello"}]
        answer = await patient.chat.completions.with_raw_response.create(
            model="gpt-4o", messages=messages, max_tokens=8
        )
        assert answer.headers["x-spillgate-deployment"] == team.name("ptu")
        await team.fault("ptu", status=429, headers={"retry-after-ms": "60000"})
        with pytest.raises(openai.RateLimitError):
            await team.openai().chat.completions.create(model="gpt-4o", messages=messages)
        assert await asked(team) == {"ptu"}


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500},
        {"status": 503},
        {"cut_after_bytes": 0},
        {"stream_error_first": True},
        {"in_stream_429": True},
    ],
    ids=str,
)
async def test_a_failing_ptu_is_not_left_either(redis_url: str, fault: dict[str, Any]) -> None:
    """Spilling is denied whatever the reason would have been."""
    async with stack(redis_url, small) as team:
        await team.fault("ptu", **fault, times=FOREVER)
        for stream in (True, False) if len(fault) == 1 and "status" in fault else (True,):
            told = await ask(team, stream=stream)
            assert told.status >= 400
            assert told.error["message"]
        assert await asked(team) == {"ptu"}


async def test_allowing_it_is_in_force_at_once(redis_url: str) -> None:
    """The same request, the same held PTU: served by PAYGO after the change, not before."""
    async with stack(redis_url, small) as team:
        await team.fault("ptu", status=429, headers={"retry-after-ms": "60000"})
        assert [(await ask(team)).status for _ in range(3)] == [429] * 3
        assert await asked(team) == {"ptu"}
        for spill, status in (("allow", 200), ("deny", 429)):
            url = f"{team.process.admin_url}/admin/v1/tenants/team-{team.suffix}"
            async with team.http.patch(url, json={"spill": spill}, headers=ADMIN) as answer:
                assert answer.status == 200, await answer.text()
            assert (await ask(team)).status == status
        assert len(await asked(team) - {"ptu"}) == 1
