"""A budget that is nearly used up is told once: to the log and to the webhook."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tests.e2e.stack import eventually, ptu_and_paygo, stack
from tests.fakes.listening import listening


@asynccontextmanager
async def webhook(*statuses: int) -> AsyncIterator[tuple[str, list[dict[str, Any]]]]:
    """A server that answers with these statuses, then with 200; what it was told."""
    told: list[dict[str, Any]] = []

    async def take(request: web.Request) -> web.Response:
        told.append(json.loads(await request.read()))
        return web.Response(status=statuses[len(told) - 1] if len(told) <= len(statuses) else 200)

    app = web.Application()
    app.router.add_post("/hook", take)
    async with listening(app) as url:
        yield f"{url}/hook", told


async def test_a_webhook_is_told_once_that_a_budget_is_nearly_used_up(redis_url: str) -> None:
    """At 80 %, not before, not again; a failed delivery is tried again."""
    async with webhook(500) as (url, told):

        def config(suffix: str) -> dict[str, Any]:
            return {
                **ptu_and_paygo(suffix),
                "budgets": {"webhook": url},
                "tenant": {"limits": {"requests_per_day": 10}},
            }

        async with stack(redis_url, config) as team:
            chat = team.openai().chat.completions
            for number in range(1, 10):
                await chat.create(
                    model="gpt-4o", max_tokens=5, messages=[{"role": "user", "content": "Hi"}]
                )
                assert number >= 8 or not told
            await eventually(lambda: len(told) == 2)
            assert told[0] == told[1]
            assert told[0]["text"].endswith(
                "has used 80% of requests_per_day (tenant) for "
                f"{told[0]['window']}: 8.00 of 10.00 requests."
            )
            assert (told[0]["used"], told[0]["threshold"]) == (8, 0.8)
            assert team.key not in json.dumps(told)
