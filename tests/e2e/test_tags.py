"""Tags, from a client's header to a FinOps owner's table."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import pytest

from tests.e2e.stack import DEADLINE_S, Stack, ptu_and_paygo, stack

MESSAGE: Any = {"role": "user", "content": "Hi"}


def config(suffix: str) -> dict[str, Any]:
    return ptu_and_paygo(suffix) | {"tenant": {"tags": {"cost_center": "42", "project": "none"}}}


async def usage(team: Stack, **asked: str) -> dict[Any, int]:
    """Requests by the first dimension that usage is grouped by."""
    url = f"{team.process.admin_url}/admin/v1/usage"
    headers = {"authorization": "Bearer an-admin-key-of-tests"}
    async with team.http.get(url, params=asked, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        groups = (await answer.json())["data"]
    return {group[asked["group_by"]]: group["requests"] for group in groups}


async def test_usage_is_told_by_project(redis_url: str) -> None:
    """Two requests of one project, one that says nothing: its tenant's tags speak for it."""
    async with stack(redis_url, config) as team:

        async def ask(headers: dict[str, str] | None = None) -> None:
            await team.openai().chat.completions.create(
                model="gpt-4o", messages=[MESSAGE], max_tokens=4, extra_headers=headers
            )

        await ask({"x-spillgate-tags": "project=alpha"})
        await ask({"x-spillgate-tags": "project=alpha,feature=autocomplete"})
        await ask()
        async with asyncio.timeout(DEADLINE_S):  # until it is archived
            while sum((await usage(team, group_by="tag:project")).values()) < 3:
                await asyncio.sleep(0.05)
        assert await usage(team, group_by="tag:project") == {"alpha": 2, "none": 1}
        assert await usage(team, group_by="tag:cost_center", tag="feature=autocomplete") == {
            "42": 1
        }


async def test_an_sdk_is_told_which_tag_is_wrong(redis_url: str) -> None:
    """A 400 that it does not retry; no deployment was asked."""
    async with stack(redis_url, config) as team:
        with pytest.raises(
            openai.BadRequestError, match="the tag 'project' is there twice"
        ) as caught:
            await team.openai(max_retries=2).chat.completions.create(
                model="gpt-4o",
                messages=[MESSAGE],
                extra_headers={"x-spillgate-tags": "project=a,project=b"},
            )
        assert (caught.value.param, caught.value.code) == ("x-spillgate-tags", "invalid_value")
        assert await team.served() == []
