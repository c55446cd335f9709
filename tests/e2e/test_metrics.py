"""What `/metrics` says against what was sent, the ledger and the simulator's own count."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any, Final

import aiohttp
import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis

from app.adapters.archive.drift import COMMITTED, day_key
from app.domain.quota.limit import NANO
from tests.e2e.stack import DEADLINE_S, Stack, eventually, ptu_and_paygo, stack
from tests.e2e.test_three_ledgers import rows_of

#: Requests that the tenant's day has room for, and how many come after them.
ADMITTED: Final = 30
REFUSED: Final = 4

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


def everything(suffix: str) -> dict[str, Any]:
    """A PTU so small that it spills, a cache, embeddings, and a budget of requests."""
    base = ptu_and_paygo(suffix, ptus=1)
    azure = {"endpoint": "https://x.openai.azure.com", "auth": {"api_key": "k"}}
    embedder = {"kind": "paygo", "model": "text-embedding-3-small", "deployment": "e"}
    base["deployments"][f"embed-{suffix}"] = azure | embedder
    base["models"]["embed"] = {"tiers": [[f"embed-{suffix}"]]}
    limits = {"requests_per_day": ADMITTED}
    return base | {"cache": {"exact": {"enabled": True}}, "tenant": {"limits": limits}}


async def test_metrics_ledger_and_simulator_agree(redis_url: str) -> None:
    """Streams, spills, hits, embeddings, one who leaves, refusals: tokens and dollars of all."""
    async with stack(redis_url, everything) as team:
        await _everything(team)
        await team.process.resources.cached.answers.settled()
        totals = await _when(team, requests=ADMITTED + REFUSED)
        rows = await rows_of(team, redis_url)
        served = [row for row in await team.served() if row["outcome"] == "complete"]

        assert totals["llm_requests_total"] == len(rows) == ADMITTED + REFUSED
        assert totals["llm_tokens_total"] == sum(row.input + row.output for row in rows)
        assert totals["llm_deployment_tokens_total"] == totals["llm_tokens_total"]
        told = sum(row["input_tokens"] + row["output_tokens"] for row in served)
        exact = sum(row.input + row.output for row in rows if "estimated" not in row.flags)
        assert exact == told
        dollars = sum(row.nano_usd for row in rows) / NANO
        for name in ("llm_cost_dollars_total", "llm_deployment_cost_dollars_total"):
            assert totals[name] == pytest.approx(dollars)
        assert await _committed(team, redis_url, rows[0].day) == sum(row.nano_usd for row in rows)
        spilled = [row for row in rows if row.spilled]
        assert totals["llm_spill_total"] == len(spilled) > 0
        assert totals["llm_spill_cost_dollars_total"] == pytest.approx(
            sum(row.nano_usd for row in spilled) / NANO
        )
        saved = sum(row.saved_nano_usd for row in rows) / NANO
        assert totals["llm_cache_saved_dollars_total"] == pytest.approx(saved)
        assert saved > 0
        assert totals["llm_cache_requests_total"] == ADMITTED
        assert totals["llm_cache_kept_total"] == len(served)
        assert totals["llm_quota_refusals_total"] == REFUSED
        assert totals["llm_quota_used_ratio"] == pytest.approx((ADMITTED + 1) / ADMITTED)
        assert totals["llm_errors_total"] == REFUSED + 1  # and who left
        assert totals["llm_attempts_total"] >= len(served)
        assert totals["llm_usage_estimated_total"] == 1
        assert totals["llm_request_latency_seconds_count"] == ADMITTED - 1


async def _committed(team: Stack, redis_url: str, day: str) -> int:
    """What the account has of a day: the very field that drift is told by."""
    (tenant,) = team.process.current.settings.tenants
    async with Redis.from_url(redis_url) as redis:
        found: Any = await redis.hget(day_key(tenant, day), COMMITTED)
    return int(found)


async def _everything(team: Stack) -> None:
    """As many requests as are admitted, each kind of them, and some more."""
    client = team.openai()

    async def chat(number: int, *, stream: bool = False) -> None:
        content = f"Question {number}"
        answer: Any = await client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": content}],
            max_tokens=400,
            stream=stream,
        )
        if stream:
            async for _ in answer:
                pass

    await asyncio.gather(*(chat(number, stream=number % 2 == 1) for number in range(20)))
    for number in range(4):  # asked before
        await chat(number)
    for number in range(5):
        await client.embeddings.create(model="embed", input=f"text {number}")
    await _leave(team)
    for number in range(100, 100 + REFUSED):
        with pytest.raises(openai.RateLimitError):
            await chat(number)


async def _leave(team: Stack) -> None:
    """In the middle of a stream that goes no further."""
    for name in ("ptu", "paygo-a", "paygo-b"):
        await team.fault(name, stall_after_chunks=3)
    body = {"model": "gpt-4o", "stream": True, "messages": [MESSAGE], "max_tokens": 50}
    headers, url = {"api-key": team.key}, f"{team.base_url}/chat/completions"
    async with team.http.post(url, json=body, headers=headers) as answer:
        await answer.content.readany()
        answer.close()
    await eventually(lambda: len(team.receipts.kept) == ADMITTED)


async def _mixed(team: Stack) -> None:
    create = team.openai().chat.completions.create
    await create(model="gpt-4o", messages=[MESSAGE], max_tokens=16)
    async for _ in await create(model="gpt-4o", messages=[MESSAGE], max_tokens=16, stream=True):
        pass
    with suppress(openai.NotFoundError):
        await create(model="no-such-model", messages=[MESSAGE])


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
        ptu, (tenant,) = team.name("ptu"), team.process.current.settings.tenants
        lines = (
            f'llm_ptu_utilization_ratio{{deployment="{ptu}"}} ',
            f'llm_deployment_hold_seconds{{deployment="{ptu}"}} 0.0',
            f'llm_deployment_health_state{{deployment="{ptu}",state="healthy"}} 1.0',
            f'llm_deployment_capacity_tokens_per_minute{{deployment="{ptu}"}} ',
            f'llm_ptu_cost_dollars_per_hour{{deployment="{ptu}"}} 100.0',
            'spillgate_dependency_up{dependency="accounts"} 1.0',
            'spillgate_dependency_failures_total{dependency="accounts",policy="fail_closed"} 0.0',
            f'llm_attempts_total{{deployment="{ptu}",verdict="misconfigured"}} 0.0',
            f'llm_throttles_total{{deployment="{ptu}",reason="provisioned"}} 0.0',
            f'llm_degraded_requests_total{{policy="fail_open",tenant="{tenant}"}} 0.0',
            'spillgate_dependency_up{dependency="cache"} 1.0',
            'spillgate_upstream_connections{state="active"} ',
            "llm_requests_in_flight 0.0",
            'spillgate_telemetry_lost_total{kind="log_record"} 0.0',
            'spillgate_telemetry_lost_total{kind="span"} 0.0',
            'spillgate_background_failures_total{work="event loop lag"} 0.0',
            'spillgate_background_failures_total{work="accounts"} 0.0',
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
