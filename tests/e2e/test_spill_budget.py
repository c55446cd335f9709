"""A tenant with a spill budget: what leaves the first tier costs no more, however much asks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from app.domain.capacity.shadow_bucket import MOST_MARGIN
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Receipt
from app.domain.quota.limit import NANO
from tests.e2e.stack import DEADLINE_S, Stack, eventually, ptu_and_paygo, stack

ADMIN = {"authorization": "Bearer an-admin-key-of-tests"}
FOREVER = -1
CROWD = 40
#: Room for some of the crowd, and not for all of it.
USD = 0.002
HELD_MS = 60_000


class Told(NamedTuple):
    """What the client was told."""

    status: int
    headers: Mapping[str, str]
    text: str


def budget_of(
    usd: float, *, refuses: tuple[str, ...] = (), window: str = "usd_per_day"
) -> Callable[[str], Mapping[str, Any]]:
    """A tenant that may spill for so much a day or hour; the PTU refuses these parameters."""

    def config(suffix: str) -> dict[str, Any]:
        given = ptu_and_paygo(suffix) | {"tenant": {"spill": {window: usd}}}
        given["deployments"][f"ptu-{suffix}"]["refuses"] = list(refuses)
        return given

    return config


async def ask(team: Stack, **fields: Any) -> Told:
    """One chat completion."""
    message = {"role": "user", "content": "Hello"}
    body = {"model": "gpt-4o", "max_tokens": 8, "messages": [message]} | fields
    url = f"{team.base_url}/chat/completions"
    async with team.http.post(url, json=body, headers={"api-key": team.key}) as answer:
        lowered = {name.lower(): value for name, value in answer.headers.items()}
        return Told(answer.status, lowered, await answer.text())


async def receipts(team: Stack, count: int) -> list[Receipt]:
    """Of so many requests, which come after their answers."""
    await eventually(lambda: len(team.receipts.kept) >= count)
    return team.receipts.kept


async def spill_limit(team: Stack) -> dict[str, Any]:
    """What the tenant is told of its budget."""
    url = f"{team.base_url}/spillgate/me"
    async with team.http.get(url, headers={"api-key": team.key}) as answer:
        assert answer.status == 200
        (limit,) = [each for each in (await answer.json())["limits"] if each["scope"] == "spill"]
        return dict(limit)


async def spill_limit_with(team: Stack, *, used: float) -> dict[str, Any]:
    """The same, as soon as so much is used; what is settled is known a moment later."""
    async with asyncio.timeout(DEADLINE_S):
        while (limit := await spill_limit(team))["used"] != used:
            await asyncio.sleep(0.01)
    return limit


async def fill_the_ptu(team: Stack) -> None:
    """It refuses everybody for a minute, and tells so."""
    await team.fault("ptu", status=429, headers={"retry-after-ms": str(HELD_MS)}, times=FOREVER)


async def test_a_crowd_spills_for_no_more_than_the_budget(redis_url: str) -> None:
    """Streams and not, all at once; the rest is told when the PTU has room and why not before."""
    async with stack(redis_url, budget_of(USD)) as team:
        await fill_the_ptu(team)
        told = await asyncio.gather(*(ask(team, stream=n % 2 == 0) for n in range(CROWD)))
        served = [each for each in told if each.status == 200]
        refused = [each for each in told if each.status == 429]
        assert served
        assert refused
        assert len(served) + len(refused) == CROWD
        for each in refused:
            error = json.loads(each.text)["error"]
            assert error["code"] == "rate_limit_exceeded"
            assert "spill budget" in error["message"]
            assert 0 < int(each.headers["retry-after-ms"]) <= HELD_MS + 2000 * MOST_MARGIN
        for each in served:
            assert each.headers["x-spillgate-spill"] != "none"
            assert not {name for name in each.headers if name.startswith("x-ratelimit-")}
            assert "x-spillgate-over-limit" not in each.headers
        kept = await receipts(team, CROWD)
        spent = sum(each.nano_usd for each in kept)
        assert 0 < spent <= USD * NANO
        over = [each for each in kept if "spill:usd_per_day" in each.flags]
        assert len(over) == len(refused)


async def test_by_the_hour_it_is_new_with_the_hour(redis_url: str) -> None:
    """What is told when only money would help: the hour's end, not the day's."""
    config = budget_of(0.0, refuses=("temperature",), window="usd_per_hour")
    async with stack(redis_url, config) as team:
        told = await ask(team, temperature=0.5)
        assert (told.status, told.headers["x-should-retry"]) == (429, "false")
        assert json.loads(told.text)["error"]["code"] == "insufficient_quota"
        assert 0 < int(told.headers["retry-after-ms"]) <= 3_600_000
        (receipt,) = await receipts(team, 1)
        assert "spill:usd_per_hour" in receipt.flags
        assert (await spill_limit(team))["name"] == "usd_per_hour"
        url = f"{team.process.admin_url}/admin/v1/tenants/team-{team.suffix}"
        more = {"spill": {"usd_per_hour": USD, "usd_per_day": 2 * USD}}
        async with team.http.patch(url, json=more, headers=ADMIN) as answer:
            assert answer.status == 200, await answer.text()
            assert (await answer.json())["data"]["spill"] == more["spill"]
        assert (await ask(team, temperature=0.5)).status == 200


async def test_it_is_spent_to_the_last_request_that_fits(redis_url: str) -> None:
    """One after the other: what was not used of a reservation is money again."""
    async with stack(redis_url, budget_of(USD)) as team:
        await fill_the_ptu(team)
        for count in range(1, 200):
            told = await ask(team)
            *_, last = await receipts(team, count)
            if told.status == 429:
                break
            assert last.spill is not SpillReason.NONE
        else:
            pytest.fail("the budget was never used up")
        spent = sum(each.nano_usd for each in team.receipts.kept)
        assert last.reservation is not None
        needed = last.reservation.ask.amounts.nano_usd
        assert spent <= USD * NANO < spent + needed
        limit = await spill_limit_with(team, used=spent / NANO)
        assert (limit["limit"], limit["mode"], limit["unit"]) == (USD, "spill", "usd")
        url = f"{team.process.admin_url}/admin/v1/tenants/team-{team.suffix}"
        more = {"spill": {"usd_per_day": 2 * USD}}
        async with team.http.patch(url, json=more, headers=ADMIN) as answer:
            assert answer.status == 200, await answer.text()
        assert (await ask(team)).status == 200


async def test_the_first_tier_costs_none_of_it(redis_url: str) -> None:
    """A PTU with room serves a tenant that may spill for nothing at all."""
    async with stack(redis_url, budget_of(USD)) as team:
        told = await asyncio.gather(*(ask(team) for _ in range(CROWD)))
        assert {each.status for each in told} == {200}
        assert {each.headers["x-spillgate-spill"] for each in told} == {"none"}
        assert (await spill_limit_with(team, used=0))["left"] == USD


async def test_where_only_money_would_help_it_is_a_budget_that_is_used_up(redis_url: str) -> None:
    """The first tier does not take this request: OpenAI's code, and the day's end."""
    async with stack(redis_url, budget_of(0.0, refuses=("temperature",))) as team:
        told = await ask(team, temperature=0.5)
        assert (told.status, told.headers["x-should-retry"]) == (429, "false")
        assert json.loads(told.text)["error"]["code"] == "insufficient_quota"
        assert (await ask(team)).status == 200
        assert {row["deployment"] for row in await team.served()} == {team.name("ptu")}
