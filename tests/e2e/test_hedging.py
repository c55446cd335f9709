"""A stream that does not begin: another deployment answers, and one of both is paid for in vain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from app.domain.quota.limit import NANO
from app.domain.routing.attempt import Verdict
from tests.e2e.stack import DEADLINE_S, Stack, eventually, stack
from tests.e2e.test_failover import Told, ask, in_a_row
from tests.e2e.test_metrics import scraped
from tests.e2e.test_three_ledgers import rows_of

#: Longer than any request of these tests may take.
LATE_MS = 2 * DEADLINE_S * 1000


def hedged(**fields: Any) -> Callable[[str], Mapping[str, Any]]:
    """Two equals in one tier, of which the first is asked nearly always; half may be hedged."""

    def config(suffix: str) -> dict[str, Any]:
        given = in_a_row(suffix, count=2)
        first, second = given["deployments"]
        given["models"] = {"gpt-4o": {"tiers": [{first: 1_000_000, second: 1}]}}
        policy = {"enabled": True, "after_s": 0.2, "classes": ["standard"], "percent": 50}
        timeouts = {"first_byte_s": DEADLINE_S}
        return given | {"routing": {"hedging": policy | fields}, "timeouts": timeouts}

    return config


async def stream(team: Stack) -> Told:
    """One stream, read to its end."""
    return await ask(team, stream=True, stream_options={"include_usage": True})


async def spent(team: Stack) -> float:
    """What the tenant is told that it spent today."""
    url = f"{team.base_url}/spillgate/me"
    async with team.http.get(url, headers={"api-key": team.key}) as answer:
        return float((await answer.json())["used"]["day"]["usd"])


async def gone(team: Stack) -> int:
    """How many answers the simulator did not get rid of."""
    return [row["outcome"] for row in await team.served()].count("client_gone")


async def settles_at(team: Stack, dollars: float) -> None:
    """What is settled is known a moment later."""
    async with asyncio.timeout(DEADLINE_S):
        while abs(await spent(team) - dollars) > 0.5 / NANO:
            await asyncio.sleep(0.01)


async def test_a_late_stream_is_answered_by_another_and_given_up(redis_url: str) -> None:
    """Its connection ends, the client notices nothing, and its prompt is on the bill."""
    async with stack(redis_url, hedged()) as team:
        quick = [await stream(team) for _ in range(2)]  # they pay for one hedge
        assert {told.status for told in quick} == {200}
        await team.fault("a", delay_ms=LATE_MS)
        told = await stream(team)
        assert (told.status, told.route) == (200, ("b", "none", "2"))
        assert told.text.endswith("data: [DONE]\n\n")
        receipt = await told.receipt(team)
        assert [(each.deployment, each.verdict) for each in receipt.attempts] == [
            (team.name("a"), Verdict.HEDGED),
            (team.name("b"), Verdict.ACCEPT),
        ]
        assert receipt.usage is not None
        for_nothing = receipt.usage.input * 2.5 / 1e6  # gpt-4o's dollars for a million tokens
        known = sum(each.nano_usd for each in team.receipts.kept) / NANO
        await settles_at(team, known + for_nothing)
        async with asyncio.timeout(DEADLINE_S):
            while await gone(team) != 1:
                await asyncio.sleep(0.01)


async def test_metrics_and_ledger_agree_on_what_a_hedge_costs(redis_url: str) -> None:
    """It is in a row and in the metrics of errands, beside what callers' requests cost."""
    async with stack(redis_url, hedged()) as team:
        for _ in range(2):
            assert (await stream(team)).status == 200
        await team.fault("a", delay_ms=LATE_MS)
        assert (await stream(team)).route == ("b", "none", "2")
        rows = await rows_of(team, redis_url)
        (lost,) = [row for row in rows if row.errand]
        assert (lost.errand, lost.deployment) == ("hedge", team.name("a"))
        totals = await scraped(team.http, team.process.admin_url)
        assert totals["spillgate_errands_total"] == 1
        assert totals["spillgate_errand_tokens_total"] == lost.input > 0
        assert totals["spillgate_errand_cost_dollars_total"] == pytest.approx(lost.nano_usd / NANO)
        everything = totals["llm_tokens_total"] + totals["spillgate_errand_tokens_total"]
        assert everything == sum(row.input + row.output for row in rows)
        dollars = totals["llm_cost_dollars_total"] + totals["spillgate_errand_cost_dollars_total"]
        assert dollars == pytest.approx(sum(row.nano_usd for row in rows) / NANO)


async def test_a_client_that_leaves_ends_both(redis_url: str) -> None:
    """Neither goes on working for somebody who is gone, and nothing is charged."""
    async with stack(redis_url, hedged()) as team:
        for _ in range(2):
            assert (await stream(team)).status == 200
        before = sum(each.nano_usd for each in team.receipts.kept) / NANO
        for name in ("a", "b"):
            await team.fault(name, delay_ms=LATE_MS)
        transport = team.process.resources.transport
        work = asyncio.create_task(stream(team))
        await eventually(lambda: transport.connections().active == len(("a", "b")))
        work.cancel()
        await asyncio.wait({work})
        await eventually(lambda: transport.connections().active == 0)
        async with asyncio.timeout(DEADLINE_S):
            while await gone(team) < len(("a", "b")):
                await asyncio.sleep(0.01)
        await settles_at(team, before)


async def test_off_by_default_nobody_is_asked_twice(redis_url: str) -> None:
    """The late one is waited for."""
    async with stack(redis_url, hedged(enabled=False)) as team:
        await team.fault("a", delay_ms=1000)
        told = await stream(team)
        assert (told.status, told.route) == (200, ("a", "none", "1"))
