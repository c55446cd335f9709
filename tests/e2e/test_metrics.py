"""What `/metrics` says against what was sent, the ledger and the simulator's own count."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import aiohttp
import openai
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.stack import DEADLINE_S, Stack, ptu_and_paygo, stack

MESSAGE: Any = {"role": "user", "content": "What is new?"}


async def scraped(http: aiohttp.ClientSession, admin_url: str) -> Counter[str]:
    """The value of each counter, over all its labels."""
    totals: Counter[str] = Counter()
    async with http.get(f"{admin_url}/metrics") as answer:
        assert answer.status == 200
        page = await answer.text()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            totals[sample.name] += sample.value  # type: ignore[assignment]  # dollars
    return totals


async def test_requests_and_tokens_are_those_that_were_sent(redis_url: str) -> None:
    """A stream, an answer in one piece and a refusal; nobody asked for a key to look."""
    async with stack(redis_url, ptu_and_paygo) as team:
        await _mixed(team)
        served = await team.served()
        totals = await _when(team, requests=3)
        assert totals["llm_requests_total"] == 3
        assert totals["llm_errors_total"] == 1
        tokens = sum(row["input_tokens"] + row["output_tokens"] for row in served)
        assert totals["llm_tokens_total"] == tokens > 0


async def _mixed(team: Stack) -> None:
    create = team.openai().chat.completions.create
    await create(model="gpt-4o", messages=[MESSAGE], max_tokens=16)
    async for _ in await create(model="gpt-4o", messages=[MESSAGE], max_tokens=16, stream=True):
        pass
    try:
        await create(model="no-such-model", messages=[MESSAGE])
    except openai.NotFoundError:
        pass


async def _when(team: Stack, *, requests: int) -> Counter[str]:
    """The totals, once so many requests are counted: they are after their answers."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            totals = await scraped(team.http, team.process.admin_url)
            if totals["llm_requests_total"] >= requests:
                return totals
            await asyncio.sleep(0.01)


async def test_state_is_read_when_somebody_looks(redis_url: str) -> None:
    """Every family is there; those of state have values of this very process."""
    async with stack(redis_url, ptu_and_paygo) as team:
        await _mixed(team)
        await _when(team, requests=3)
        ptu = team.name("ptu")
        lines = (
            f'llm_ptu_utilization_ratio{{deployment="{ptu}"}} ',
            f'llm_deployment_hold_seconds{{deployment="{ptu}"}} 0.0',
            f'llm_deployment_health_state{{deployment="{ptu}",state="healthy"}} 1.0',
            f'llm_deployment_capacity_tokens_per_minute{{deployment="{ptu}"}} ',
            f'llm_ptu_cost_dollars_per_hour{{deployment="{ptu}"}} 100.0',
            'spillgate_dependency_up{dependency="accounts"} 1.0',
            'spillgate_dependency_up{dependency="cache"} 1.0',
            'spillgate_upstream_connections{state="active"} ',
            "llm_requests_in_flight 0.0",
            "llm_queue_length 0.0",
            "spillgate_config_generation 1.0",
            "spillgate_config_last_reload_successful 1.0",
            "spillgate_workers 1.0",
            "spillgate_draining 0.0",
            "spillgate_build_info{",
            "spillgate_archive_copied_timestamp_seconds ",
        )
        missing: list[str] = ["not looked yet"]
        async with asyncio.timeout(DEADLINE_S):
            while missing:
                async with team.http.get(f"{team.process.admin_url}/metrics") as answer:
                    page = await answer.text()
                missing = [line for line in lines if f"\n{line}" not in page]
                await asyncio.sleep(0.05)
