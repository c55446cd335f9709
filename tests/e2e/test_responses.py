"""Stored responses: each lives on the deployment that made it, and belongs to one tenant."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import openai
import pytest
from openai.types.responses import Response

from app.bootstrap.running import running
from app.cli.key import new_key
from app.domain.ledger.completion import Outcome
from tests.e2e.stack import Stack, ptu_and_paygo, stack

KEYS = {"team": new_key("test"), "rivals": new_key("test")}


def one_behind(suffix: str) -> dict[str, Any]:
    """A PTU and one PAYGO deployment behind it."""
    config = ptu_and_paygo(suffix)
    config["deployments"].pop(f"paygo-b-{suffix}")
    config["models"]["gpt-4o"]["tiers"] = [[f"ptu-{suffix}"], [f"paygo-a-{suffix}"]]
    return config


async def create(team: Stack, **fields: Any) -> tuple[Response, str]:
    """A response, and the deployment that made it."""
    usual: dict[str, Any] = {"model": "gpt-4o", "input": "Hello", "max_output_tokens": 8}
    raw = await team.openai().responses.with_raw_response.create(**(usual | fields))
    return raw.parse(), raw.headers["x-spillgate-deployment"]


async def spilled(team: Stack, **fields: Any) -> Response:
    """A response that PAYGO made, because the PTU failed just then."""
    await team.fault("ptu", status=503)
    response, deployment = await create(team, **fields)
    assert deployment == team.name("paygo-a")
    return response


async def test_a_response_can_be_asked_for_again(redis_url: str) -> None:
    """Created, retrieved, its items listed, deleted, and gone: all on the one that made it."""
    async with stack(redis_url, one_behind) as team:
        made = await spilled(team)
        sdk = team.openai().responses
        assert (await sdk.retrieve(made.id)).output_text == made.output_text
        items = await sdk.input_items.list(made.id)
        assert [item.type for item in items.data] == ["message"]
        await sdk.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            await sdk.retrieve(made.id)
        rows = await team.served()
        assert {row["deployment"] for row in rows[1:]} == {team.name("paygo-a")}
        assert len(rows) == 5, "nobody is asked for what is gone"


async def test_a_streamed_response_can_be_asked_for_again(redis_url: str) -> None:
    """Its id is known from its first event on."""
    async with stack(redis_url, one_behind) as team:
        await team.fault("ptu", status=503)
        stream = await team.openai().responses.create(
            model="gpt-4o", input="Hello", max_output_tokens=8, stream=True
        )
        events = [event async for event in stream]
        assert events[0].type == "response.created"
        made = await team.openai().responses.retrieve(events[0].response.id)
        deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
        assert made.output_text == "".join(deltas)


async def test_a_stream_in_the_background_is_taken_up_again(redis_url: str) -> None:
    """It stays where it runs, whoever leaves; looks at it are charged to nobody."""
    async with stack(redis_url, one_behind, ttft_ms=100, tpot_ms=20) as team:
        await team.fault("ptu", status=503)
        sdk = team.openai().responses
        stream = await sdk.create(model="gpt-4o", input="Hello", background=True, stream=True)
        begun = await anext(aiter(stream))
        await stream.close()
        assert begun.type == "response.created"
        rest = await sdk.retrieve(begun.response.id, stream=True, starting_after=0)
        events = [event async for event in rest]
        assert [event.sequence_number for event in events] == list(range(1, len(events) + 1))
        assert events[-1].type == "response.completed"
        told = await sdk.with_raw_response.retrieve(begun.response.id)
        assert (await team.receipt(told.headers["x-request-id"])).usage is None
        assert {row["deployment"] for row in (await team.served())[1:]} == {team.name("paygo-a")}


async def test_one_in_the_background_can_be_cancelled(redis_url: str) -> None:
    """And one in the foreground cannot: the upstream's own words are passed on."""
    async with stack(redis_url, one_behind, ttft_ms=10_000) as team:
        made = await spilled(team, background=True)
        assert made.status == "queued"
        sdk = team.openai().responses
        cancelled = await sdk.cancel(made.id)
        assert (cancelled.id, cancelled.status) == (made.id, "cancelled")
        events = [event.type async for event in await sdk.retrieve(made.id, stream=True)]
        assert (events[0], "error" in events) == ("response.created", False)
    async with stack(redis_url, one_behind) as team:
        made = await spilled(team)
        with pytest.raises(openai.BadRequestError, match="Cannot cancel a synchronous response"):
            await team.openai().responses.cancel(made.id)


async def test_a_conversation_stays_where_it_began(redis_url: str) -> None:
    """Although the PTU is free again, and first."""
    async with stack(redis_url, one_behind) as team:
        made = await spilled(team)
        _, elsewhere = await create(team)
        assert elsewhere == team.name("ptu")
        for _ in range(3):
            made, deployment = await create(team, previous_response_id=made.id)
            assert deployment == team.name("paygo-a")


async def test_an_owner_that_is_held_is_waited_for(redis_url: str) -> None:
    """429 and when to come back; no other deployment is asked, though one is free."""
    async with stack(redis_url, one_behind) as team:
        made = await spilled(team)
        await team.reset()
        await team.fault("paygo-a", status=429, headers={"retry-after-ms": "3000"})
        for attempts in (1, 0):
            with pytest.raises(openai.RateLimitError) as caught:
                await create(team, previous_response_id=made.id)
            assert 0 < int(caught.value.response.headers["retry-after-ms"]) <= 3000
            receipt = await team.receipt(caught.value.response.headers["x-request-id"])
            assert (receipt.outcome, len(receipt.attempts)) == (Outcome.REFUSED, attempts)
        assert [row["deployment"] for row in await team.served()] == [team.name("paygo-a")]
        # An SDK that retries as told gets its answer.
        patient = team.openai(max_retries=3).responses
        answer = await patient.create(
            model="gpt-4o", input="And?", previous_response_id=made.id, max_output_tokens=8
        )
        assert answer.previous_response_id == made.id


@pytest.mark.parametrize("fault", [{"status": 503}, {"cut_after_bytes": 20}], ids=["503", "cut"])
async def test_an_owner_that_fails_is_not_replaced(redis_url: str, fault: dict[str, Any]) -> None:
    """Another deployment would not know the conversation."""
    async with stack(redis_url, one_behind) as team:
        made = await spilled(team)
        await team.reset()
        await team.fault("paygo-a", **fault)
        with pytest.raises(openai.InternalServerError):
            await create(team, previous_response_id=made.id)
        assert [row["deployment"] for row in await team.served()] == [team.name("paygo-a")]


async def test_a_held_owner_is_not_asked_for_what_it_stores(redis_url: str) -> None:
    """A hold is a hold; reading waits like anything else, and nobody else is asked."""
    async with stack(redis_url, one_behind) as team:
        made = await spilled(team)
        await team.reset()
        team.process.resources.holds.hold(team.name("paygo-a"), time.monotonic() + 60)
        with pytest.raises(openai.RateLimitError):
            await team.openai().responses.retrieve(made.id)
        assert await team.served() == []


async def test_one_that_is_not_stored_has_no_owner(redis_url: str) -> None:
    """`store: false` leaves nothing to continue, and nobody is asked."""
    async with stack(redis_url, one_behind) as team:
        made, _ = await create(team, store=False)
        await team.reset()
        with pytest.raises(openai.BadRequestError) as caught:
            await create(team, previous_response_id=made.id)
        assert caught.value.code == "previous_response_not_found"
        assert caught.value.param == "previous_response_id"
        with pytest.raises(openai.NotFoundError):
            await team.openai().responses.retrieve(made.id)
        assert await team.served() == []


async def test_another_tenants_response_is_nobodys(redis_url: str) -> None:
    """The same words as for an id that never was, for every operation; no upstream is asked."""
    async with stack(redis_url, _with_rivals) as team:
        ours, rivals = team.openai(api_key=KEYS["team"]), team.openai(api_key=KEYS["rivals"])
        fields: dict[str, Any] = {"model": "gpt-4o", "input": "Hello", "max_output_tokens": 8}
        made = await ours.responses.create(**fields)
        await team.reset()
        told = []
        for response_id in (made.id, "resp_that_never_was"):
            operations = (
                rivals.responses.retrieve(response_id),
                rivals.responses.delete(response_id),
                rivals.responses.cancel(response_id),
                rivals.responses.input_items.list(response_id),
                rivals.responses.create(**fields, previous_response_id=response_id),
            )
            results = [await _refusal(operation) for operation in operations]
            assert [error.status_code for error in results] == [404, 404, 404, 404, 400]
            told.append([str(error).replace(response_id, "ID") for error in results])
        assert told[0] == told[1]
        assert await team.served() == []
        assert (await ours.responses.retrieve(made.id)).id == made.id


async def test_a_tenant_of_the_same_name_finds_nothing_of_the_one_before(redis_url: str) -> None:
    """Neither where the response was made nor on another replica; what it makes itself it finds."""
    async with (
        stack(redis_url, one_behind) as team,
        running(team.process.current.settings) as second,
    ):
        urls = [f"{each.data_url}/v1" for each in (team.process, second)]
        made: list[str] = []
        name = f"acme-{team.suffix}"
        for _ in range(2):
            await _admin(team, "POST", "tenants", name=name)
            key = (await _admin(team, "POST", f"tenants/{name}/keys"))["key"]
            sdks = [team.openai(api_key=key, base_url=url).responses for url in urls]
            for sdk, response_id in itertools.product(sdks, made):
                with pytest.raises(openai.NotFoundError):
                    await sdk.retrieve(response_id)
                item: Any = {"type": "item_reference", "id": response_id.replace("resp", "msg")}
                with pytest.raises(openai.APIStatusError, match="not found"):
                    await sdk.create(model="gpt-4o", input=[item])
            new = await sdks[0].create(model="gpt-4o", input="Hello", max_output_tokens=8)
            for sdk in sdks:
                assert (await sdk.retrieve(new.id)).id == new.id
            made.append(new.id)
            await _admin(team, "DELETE", f"tenants/{name}")


async def _admin(team: Stack, method: str, path: str, **fields: Any) -> dict[str, Any]:
    """What a call of the admin API answers."""
    url = f"{team.process.admin_url}/admin/v1/{path}"
    headers = {"authorization": "Bearer an-admin-key-of-tests"}
    async with team.http.request(method, url, headers=headers, json=fields or None) as answer:
        assert answer.status < 300, await answer.text()
        told: dict[str, Any] = (await answer.json())["data"]
        return told


async def test_ids_outlive_the_process(redis_url: str) -> None:
    """Another replica, or the same one after a restart, finds the owner in Redis."""
    async with stack(redis_url, one_behind) as team:
        made = await spilled(team)
        await team.reset()
        settings = team.process.current.settings
        async with running(settings) as second:
            sdk = team.openai(base_url=f"{second.data_url}/v1")
            assert (await sdk.responses.retrieve(made.id)).output_text == made.output_text
            raw = await sdk.responses.with_raw_response.create(
                model="gpt-4o", input="And?", previous_response_id=made.id, max_output_tokens=8
            )
            assert raw.headers["x-spillgate-deployment"] == team.name("paygo-a")
            # What the new one makes, the old one knows at once.
            again = await team.openai().responses.retrieve(raw.parse().id)
            assert again.previous_response_id == made.id
        owners = {row["deployment"] for row in await team.served()}
        assert owners == {team.name("paygo-a")}


async def test_an_owner_that_left_the_config_is_a_404(redis_url: str) -> None:
    """Its responses cannot be reached any more, and that is said."""
    async with stack(redis_url, one_behind) as team:
        made = await spilled(team)
        settings = team.process.current.settings
        gone = team.name("paygo-a")
        left = {name: each for name, each in settings.deployments.items() if name != gone}
        model = settings.models["gpt-4o"]
        tiers = model.model_copy(update={"tiers": model.tiers[:1]})
        await team.process.reload(
            settings.model_copy(update={"deployments": left, "models": {"gpt-4o": tiers}})
        )
        with pytest.raises(openai.NotFoundError):
            await team.openai().responses.retrieve(made.id)


async def test_many_conversations_at_once_stay_apart(redis_url: str) -> None:
    """Twenty of them, half on each deployment, each continued on its own."""

    async def converse(team: Stack, number: int) -> None:
        made, first = await create(team, input=f"Story {number}")
        for turn in range(3):
            made, deployment = await create(
                team, input=f"Turn {turn}", previous_response_id=made.id
            )
            assert deployment == first

    patient = {"health": {"failures_in_a_row": 1_000}, "retries": {"percent": 100}}
    async with stack(redis_url, lambda suffix: one_behind(suffix) | {"routing": patient}) as team:
        await team.fault("ptu", status=503, times=10)
        async with asyncio.TaskGroup() as conversations:
            for number in range(20):
                conversations.create_task(converse(team, number))
        rows = [row for row in await team.served() if row["outcome"] == "complete"]
        assert {row["deployment"] for row in rows} == {team.name("ptu"), team.name("paygo-a")}


def _with_rivals(suffix: str) -> dict[str, Any]:
    tenants = {name: {"keys": [key]} for name, key in KEYS.items()}
    return one_behind(suffix) | {"tenants": tenants}


async def _refusal(operation: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        await operation
    return caught.value
