"""Answers that take long: they are waited for, and who asks for them is in nobody's way.

Seconds stand for minutes: a stream has one until its first content, a whole answer has sixty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app.cli.key import new_key
from tests.e2e.stack import Stack, ptu_and_paygo, stack
from tests.e2e.test_failover import FOREVER, Told

MANY = 20


def shared_by(*keys: str) -> Callable[[str], dict[str, Any]]:
    """A tenant for each key; a second until a stream's first content."""
    return lambda suffix: (
        ptu_and_paygo(suffix)
        | {
            "timeouts": {"first_byte_s": 1, "idle_s": 30, "total_s": 60},
            "tenants": {
                f"tenant-{number}-{suffix}": {"keys": [key]} for number, key in enumerate(keys)
            },
        }
    )


async def ask(team: Stack, key: str, path: str = "chat/completions", **fields: Any) -> Told:
    """One request of a tenant."""
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
    if path == "responses":
        asked = {"input": "Hello", "max_output_tokens": 16}
    url, headers = f"{team.base_url}/{path}", {"api-key": key}
    body = {"model": "gpt-4o"} | asked | fields
    async with team.http.post(url, json=body, headers=headers) as answer:
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return Told(answer.status, lowered, await answer.text())


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
async def test_a_whole_answer_may_take_as_long_as_any(redis_url: str, path: str) -> None:
    """Its headers come with it, long after a stream would have been given up: asked for once."""
    slow = new_key("test")
    async with stack(redis_url, shared_by(slow)) as team:
        await team.fault("ptu", delay_ms=2500)
        told = await ask(team, slow, path)
        assert (told.status, told.route) == (200, ("ptu", "none", "1"))
        assert len(await team.served()) == 1


@pytest.mark.parametrize("path", ["chat/completions", "responses"])
async def test_silence_is_told_and_not_bought_again(redis_url: str, path: str) -> None:
    """No content in time: 504, and no other deployment does the same work."""
    slow, other = new_key("test"), new_key("test")
    async with stack(redis_url, shared_by(slow, other), ttft_ms=2500) as team:
        some = [ask(team, slow, path, stream=True) for _ in range(MANY)]
        told = await asyncio.gather(*some)
        assert {each.status for each in told} == {504}
        assert {each.error["code"] for each in told} == {"upstream_timeout"}
        assert len(await team.served()) == MANY
        # Its sender is served elsewhere from now on; nobody else knows of it.
        assert (await ask(team, other)).route == ("ptu", "none", "1")
        elsewhere = (await ask(team, slow)).route
        assert (elsewhere[0] != "ptu", elsewhere[1:]) == (True, ("unhealthy", "1"))


async def test_who_answers_nobody_is_out(redis_url: str) -> None:
    """Two tenants, and not a byte for either: all are served elsewhere."""
    one, other, third = (new_key("test") for _ in range(3))
    async with stack(redis_url, shared_by(one, other, third)) as team:
        await team.fault("ptu", delay_ms=30_000, times=FOREVER)
        await asyncio.gather(
            *(ask(team, key, stream=True) for key in (one, other) for _ in range(5))
        )
        told = await ask(team, third, stream=True)
        assert (told.status, told.route[1:]) == (200, ("unhealthy", "1"))
