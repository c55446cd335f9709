"""Azure lowers what a pay-as-you-go deployment lets in; the operator sees it."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from structlog.testing import capture_logs

from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

ADMIN = {"authorization": "Bearer an-admin-key-of-tests"}
CONFIGURED, LOWERED = 450_000, 200_000


def paygo_alone(suffix: str) -> dict[str, Any]:
    """One pay-as-you-go deployment serves."""
    config = ptu_and_paygo(suffix, tpm=CONFIGURED)
    return config | {"models": {"gpt-4o": {"tiers": [[f"paygo-a-{suffix}"]]}}}


async def lowered_tpm(team: Stack) -> dict[str, int | None]:
    """By deployment, as the admin API has it."""
    url = f"{team.process.admin_url}/admin/v1/deployments"
    async with team.http.get(url, headers=ADMIN) as answer:
        listed = (await answer.json())["data"]
    return {each["name"].rpartition("-")[0]: each["lowered_tpm"] for each in listed}


async def test_a_lowered_limit_is_shown_and_logged_once(redis_url: str) -> None:
    """However many answers tell it."""
    structlog.reset_defaults()  # the other end-to-end tests log nothing
    with capture_logs() as lines:
        async with stack(redis_url, paygo_alone) as team:
            headers = {"x-ratelimit-limit-tokens": str(LOWERED), "retry-after-ms": "1"}
            await team.fault("paygo-a", status=429, headers=headers, times=5)
            for _ in range(5):
                await ask(team)
                await asyncio.sleep(0.01)  # the hold of a millisecond is over
            shown = await lowered_tpm(team)
            assert shown["paygo-a"] == LOWERED
            assert shown["ptu"] is shown["paygo-b"] is None
            await eventually(lambda: _told(lines))
    (line,) = _told(lines)
    assert (line["tpm"], line["configured_tpm"]) == (LOWERED, CONFIGURED)


async def ask(team: Stack) -> None:
    """One chat completion, whatever comes of it."""
    body = {"model": "gpt-4o", "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}
    url = f"{team.base_url}/chat/completions"
    async with team.http.post(url, json=body, headers={"api-key": team.key}) as answer:
        await answer.read()


def _told(lines: list[Any]) -> list[Any]:
    return [line for line in lines if line["event"] == "deployment limit lowered"]
