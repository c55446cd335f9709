"""The simulated Azure's ledger, the tenant's account and its own ledger say the same."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import openai
import pytest
from redis.asyncio import Redis

from app.domain.ledger.ledger_row import LedgerRow, decode, marked
from tests.e2e.stack import DEADLINE_S, Stack, eventually, ptu_and_paygo, stack

MESSAGE = {"role": "user", "content": "How many did you count?"}


async def rows_of(team: Stack, redis_url: str) -> list[LedgerRow]:
    """The tenant's ledger, once everything is settled, and what was leased is given back."""
    accounts: Any = team.process.resources.accounts
    await eventually(lambda: not list(accounts.leases.held()))
    assert await accounts.settled(30)
    (tenant,) = team.process.current.settings.tenants
    async with Redis.from_url(redis_url) as redis:
        entries: Any = await redis.xrange(f"spillgate:{{{tenant}}}:ledger")
    return [marked(decode(fields[b"row"]), fields[b"mark"].decode(), 0.0) for _, fields in entries]


async def ask(team: Stack, number: int) -> None:
    """A chat or a response, whole or streamed, in turn."""
    client, stream = team.openai(), bool(number % 2)
    if number % 3:
        chat: Any = client.chat.completions
        answer = await chat.create(model="gpt-4o", max_tokens=20, messages=[MESSAGE], stream=stream)
    else:
        responses: Any = client.responses
        answer = await responses.create(
            model="gpt-4o", max_output_tokens=20, input="Count!", stream=stream
        )
    if stream:
        async for _ in answer:
            pass


async def account_of(team: Stack, tokens: int) -> dict[str, float]:
    """What the tenant is told that it used today, once it is so many tokens.

    A lease that was on its way when the last request ended is in it until it is given back.
    """
    url, headers = f"{team.base_url}/spillgate/me", {"api-key": team.key}
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with team.http.get(url, headers=headers) as answer:
                today: dict[str, float] = (await answer.json())["used"]["day"]
            if today["tokens"] == tokens:
                return today
            await asyncio.sleep(0.02)


async def test_without_faults_all_three_are_equal(redis_url: str) -> None:
    """60 requests, some of them spilled: tokens and requests to the last one, money as priced."""
    async with stack(redis_url, lambda suffix: ptu_and_paygo(suffix, ptus=1)) as team:
        await asyncio.gather(*(ask(team, number) for number in range(60)))
        rows = await rows_of(team, redis_url)
        served = [row for row in await team.served() if row["outcome"] == "complete"]
        told = sum(row["input_tokens"] + row["output_tokens"] for row in served)
        assert len(rows) == len(served) == 60
        assert sum(row.input + row.output for row in rows) == told
        assert {row.flags for row in rows} == {()}
        account = await account_of(team, told)
        assert account["requests"] == 60
        assert account["usd"] == pytest.approx(sum(row.nano_usd for row in rows) / 1e9)
        assert all(row.nano_usd > 0 for row in rows)


async def test_a_response_in_the_background_is_charged_what_it_used(redis_url: str) -> None:
    """As reserved at first; what that was off by as soon as its caller is told, and only once."""
    async with stack(redis_url, ptu_and_paygo) as team:
        sdk = team.openai().responses
        raw = await sdk.with_raw_response.create(
            model="gpt-4o", max_output_tokens=4_000, input="Count!", background=True
        )
        await team.receipt(raw.headers["x-request-id"])
        made = raw.parse()
        (reserved,) = await rows_of(team, redis_url)
        assert (reserved.flags, reserved.output) == (("estimated", "background"), 4_000)
        async with asyncio.timeout(DEADLINE_S):
            while made.status != "completed":
                made = await sdk.retrieve(made.id)
        for _ in range(3):
            await sdk.retrieve(made.id)
        assert made.usage is not None
        account = await account_of(team, made.usage.total_tokens)
        assert account["requests"] == 1
        rows = await rows_of(team, redis_url)
        (correction,) = [row for row in rows if row.corrects]
        assert correction.corrects == reserved.id
        assert reserved.input + correction.input == made.usage.input_tokens
        assert reserved.output + correction.output == made.usage.output_tokens
        assert account["usd"] == pytest.approx((reserved.nano_usd + correction.nano_usd) / 1e9)


async def test_a_stream_that_goes_on_alone_is_charged_what_it_used(redis_url: str) -> None:
    """Its end has the usage, and comes when somebody takes it up again."""
    async with stack(redis_url, ptu_and_paygo, tpot_ms=20) as team:
        sdk = team.openai().responses
        stream = await sdk.create(model="gpt-4o", input="Count!", background=True, stream=True)
        begun: Any = await anext(aiter(stream))
        await stream.close()
        await eventually(lambda: bool(team.receipts.kept))
        rest = await sdk.retrieve(begun.response.id, stream=True, starting_after=0)
        ended: Any = [event async for event in rest][-1]
        assert ended.type == "response.completed"
        account = await account_of(team, ended.response.usage.total_tokens)
        assert account["requests"] == 1


async def test_with_faults_every_difference_is_a_flagged_row(redis_url: str) -> None:
    """Usage that is missing, streams that are cut: what is not flagged is still equal."""
    async with stack(redis_url, ptu_and_paygo) as team:
        for number in range(12):
            if number % 3 == 0:
                await team.fault("ptu", usage="missing")
            if number % 4 == 1:
                await team.fault("ptu", cut_after_chunks=3)
            with suppress(openai.APIError):  # a cut stream, as the SDK tells it
                await ask(team, number)
        rows = await rows_of(team, redis_url)
        exact = {row.request_id: row for row in rows if "estimated" not in row.flags}
        assert 0 < len(exact) < len(rows)
        await account_of(team, sum(row.input + row.output for row in rows))
        by_size = [(row["input_tokens"], row["output_tokens"]) for row in await team.served()]
        for row in exact.values():
            assert row.input == 0 or (row.input, row.output) in by_size
