"""Two tenants on one gateway: what one may use, sees or makes is nothing to the other."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
from openai import AsyncOpenAI

from app.bootstrap.running import running
from app.cli.key import new_key
from app.domain.identity.directory import Actor, Change, EntryKind, Role
from app.domain.ledger.completion import Outcome
from tests.e2e.stack import Stack, ptu_and_paygo, stack
from tests.fakes.changed import replace

KEYS = {"search": new_key("test"), "sales": new_key("test")}
MESSAGE: Any = {"role": "user", "content": "Hi"}
OPERATOR = Actor("operator", Role.OPERATOR)


def two_tenants(suffix: str) -> dict[str, Any]:
    """Search may use all models, sales one that search may use too."""
    config = ptu_and_paygo(suffix)
    tiers = config["models"]["gpt-4o"]
    return config | {
        "models": {"gpt-4o": tiers, "small": tiers, "secret-project": tiers},
        "tenants": {
            "search": {"keys": [KEYS["search"]]},
            "sales": {"keys": [KEYS["sales"]], "models": ["small"]},
        },
    }


def tenant(team: Stack, name: str) -> AsyncOpenAI:
    """The tenant's own client."""
    return team.openai(api_key=KEYS[name])


async def refused(operation: Any) -> openai.APIStatusError:
    """How it was refused."""
    try:
        await operation
    except openai.APIStatusError as error:
        return error
    message = "it was not refused"
    raise AssertionError(message)


async def test_the_models_list_is_the_tenants_own(redis_url: str) -> None:
    """Each sees what it may use, by list and by name."""
    async with stack(redis_url, two_tenants) as team:
        seen = {
            name: {model.id async for model in tenant(team, name).models.list()} for name in KEYS
        }
        assert seen == {"search": {"gpt-4o", "small", "secret-project"}, "sales": {"small"}}
        assert (await tenant(team, "search").models.retrieve("secret-project")).object == "model"
        assert (await tenant(team, "sales").models.retrieve("small")).id == "small"


async def test_a_forbidden_model_looks_like_an_unknown_one(redis_url: str) -> None:
    """The same status, code and words on every surface: what others use cannot be found out."""
    async with stack(redis_url, two_tenants) as team:
        sales = tenant(team, "sales")
        told = []
        for model in ("secret-project", "no-such-model"):
            fields: dict[str, Any] = {"model": model}
            azure = team.openai(
                api_key=KEYS["sales"],
                base_url=f"{team.process.data_url}/openai/deployments/{model}",
            )
            operations = (
                sales.models.retrieve(model),
                sales.chat.completions.create(**fields, messages=[MESSAGE]),
                sales.chat.completions.create(**fields, messages=[MESSAGE], stream=True),
                sales.responses.create(**fields, input="Hi"),
                sales.embeddings.create(**fields, input="Hi"),
                azure.chat.completions.create(model="small", messages=[MESSAGE]),
            )
            errors = [await refused(operation) for operation in operations]
            assert {(error.status_code, error.code) for error in errors} == {
                (404, "model_not_found")
            }
            told.append([str(error).replace(model, "MODEL") for error in errors])
        assert told[0] == told[1]
        assert await team.served() == []


async def test_the_urls_model_decides_not_the_bodys(redis_url: str) -> None:
    """What is allowed is what is served: a body cannot say otherwise behind the URL's back."""
    async with stack(redis_url, two_tenants) as team:
        base = f"{team.process.data_url}/openai/deployments"
        sales = team.openai(api_key=KEYS["sales"], base_url=f"{base}/secret-project")
        error = await refused(sales.chat.completions.create(model="small", messages=[MESSAGE]))
        assert error.status_code == 404
        sales = team.openai(api_key=KEYS["sales"], base_url=f"{base}/small")
        raw = await sales.chat.completions.with_raw_response.create(
            model="secret-project", messages=[MESSAGE], max_tokens=4
        )
        receipt = await team.receipt(raw.headers["x-request-id"])
        assert (receipt.tenant, receipt.model) == ("sales", "small")


async def test_each_receipt_names_its_tenant(redis_url: str) -> None:
    """Forty requests of both at once; every one is on the right account."""

    async def ask(team: Stack, number: int) -> None:
        name = ("search", "sales")[number % 2]
        await tenant(team, name).chat.completions.create(
            model="small",
            messages=[MESSAGE],
            max_tokens=4,
            extra_headers={"x-request-id": f"{name}-{number}"},
        )

    async with stack(redis_url, two_tenants, ttft_ms=10) as team:
        async with asyncio.TaskGroup() as clients:
            for number in range(40):
                clients.create_task(ask(team, number))
        for number in range(40):
            name = ("search", "sales")[number % 2]
            receipt = await team.receipt(f"{name}-{number}")
            assert (receipt.tenant, receipt.outcome) == (name, Outcome.FINISHED)
            assert receipt.key_id == KEYS[name].split("_")[2]


async def test_a_key_that_left_the_config_stays_until_it_is_disabled(redis_url: str) -> None:
    """The configuration only begins tenants and keys; the other tenant notices nothing."""
    async with stack(redis_url, two_tenants) as team:
        settings = team.process.current.settings
        left = {"search": settings.tenants["search"]}
        await team.process.reload(settings.model_copy(update={"tenants": left}))
        assert (await tenant(team, "sales").models.list()).data
        directory = team.process.resources.directory
        entry = replace(directory.current.tenants["sales"], disabled=True)
        await directory.change([Change(EntryKind.TENANT, "sales", entry)], OPERATOR)
        error = await refused(tenant(team, "sales").models.list())
        assert (error.status_code, error.code) == (401, "invalid_api_key")
        assert (await tenant(team, "search").models.list()).data


async def test_two_tenants_keys_on_one_request_are_nobodys(redis_url: str) -> None:
    """Neither header wins over the other: both orders are a 401, and no upstream is asked."""
    async with stack(redis_url, two_tenants) as team:
        for mine, other in (("search", "sales"), ("sales", "search")):
            both = team.openai(api_key=KEYS[mine], default_headers={"api-key": KEYS[other]})
            error = await refused(
                both.chat.completions.create(model="small", messages=[MESSAGE], max_tokens=4)
            )
            assert (error.status_code, error.code) == (401, "invalid_api_key")
            assert "different credentials" in error.message
        same = team.openai(api_key=KEYS["sales"], default_headers={"api-key": KEYS["sales"]})
        assert {model.id async for model in same.models.list()} == {"small"}
        assert await team.served() == []


def naming(item: str, response: str) -> dict[str, tuple[dict[str, Any], int, str]]:
    """Requests for a response that name what another has, and the status and field of the refusal.

    Files, conversations and the like stand for what somebody put into the Azure resource directly:
    none of it can be made through the gateway.
    """
    part = {"type": "input_file", "file_id": "file-of-search"}
    return {
        "a response": ({"previous_response_id": response}, 400, "previous_response_id"),
        "a response to compare": (
            {"prompt_cache_options": {"comparison_response_id": response}},
            404,
            "input",
        ),
        "an item": ({"input": [{"type": "item_reference", "id": item}]}, 404, "input"),
        "an item by its id alone": ({"input": [{"id": item}]}, 404, "input"),
        "thoughts": ({"input": [{"type": "reasoning", "id": item, "summary": []}]}, 404, "input"),
        "a picture": ({"input": [{"type": "image_generation_call", "id": item}]}, 404, "input"),
        "an item among others": (
            {"input": [{"role": "user", "content": "Hi"}] * 9 + [{"id": item}]},
            404,
            "input",
        ),
        "a container": (
            {"tools": [{"type": "code_interpreter", "container": "cntr_of_search"}]},
            404,
            "input",
        ),
        "a conversation": ({"conversation": "conv_of_search"}, 400, "conversation"),
        "a conversation's object": ({"conversation": {"id": "conv_1"}}, 400, "conversation"),
        "a prompt": ({"prompt": {"id": "pmpt_of_search"}}, 400, "prompt"),
        "a file": (
            {"input": [{"role": "user", "content": [part]}]},
            400,
            "input[0].content[0].file_id",
        ),
        "a vector store": (
            {"tools": [{"type": "file_search", "vector_store_ids": ["vs_of_search"]}]},
            400,
            "tools[0].vector_store_ids",
        ),
        "a container's files": (
            {"tools": [{"type": "code_interpreter", "container": {"file_ids": ["file-1"]}}]},
            400,
            "tools[0].container.file_ids",
        ),
    }


async def test_a_tenant_names_nothing_of_anothers(redis_url: str, subtests: Any) -> None:
    """Whatever field it stands in: refused in OpenAI's shape, and no upstream hears of it."""
    async with stack(redis_url, two_tenants) as team:
        usual: dict[str, Any] = {"model": "small", "input": "Hi", "max_output_tokens": 8}
        made = await tenant(team, "search").responses.create(**usual)
        await team.reset()
        for name, (fields, status, param) in naming(made.output[0].id, made.id).items():
            for stream in (False, True):
                with subtests.test(name, stream=stream):
                    asked = tenant(team, "sales").responses.create(
                        **(usual | fields), stream=stream
                    )
                    error = await refused(asked)
                    assert (error.status_code, error.param) == (status, param)
                    assert error.type == "invalid_request_error"
        files = [{"type": "file", "file": {"file_id": "file-of-search"}}]
        for more in (
            {"messages": [{"role": "user", "content": files}]},
            {"messages": [{"role": "assistant", "audio": {"id": "audio_of_search"}}]},
            {"messages": [MESSAGE], "extra_body": {"data_sources": [{"type": "azure_search"}]}},
        ):
            chat: Any = {"model": "small", **more}
            error = await refused(tenant(team, "sales").chat.completions.create(**chat))
            assert (error.status_code, error.code) == (400, "unsupported_parameter")
        assert await team.served() == []


async def test_a_tenant_takes_up_its_own_items(redis_url: str) -> None:
    """What it was told, whole or as a stream, it may name, on any replica and at once."""
    async with stack(redis_url, two_tenants) as team:
        usual: dict[str, Any] = {"model": "small", "input": "Hi", "max_output_tokens": 8}
        sales = tenant(team, "sales").responses
        again = await sales.create(**usual)
        named: Any = [{"type": "item_reference", "id": again.output[0].id}]
        async with running(team.process.current.settings) as second:
            elsewhere = team.openai(api_key=KEYS["sales"], base_url=f"{second.data_url}/v1")
            async for event in await sales.create(**usual, stream=True):
                if event.type == "response.completed":
                    named.append({"type": "item_reference", "id": event.response.output[0].id})
                    again = await elsewhere.responses.create(**(usual | {"input": named}))
        assert len(named) == 2
        rivals = tenant(team, "search").responses.create(**(usual | {"input": named}))
        assert (await refused(rivals)).status_code == 404
        whole: Any = [item.model_dump() for item in again.output]
        assert (await sales.create(**(usual | {"input": whole}))).output_text


async def test_what_was_not_stored_can_be_sent_back_whole(redis_url: str) -> None:
    """An agent's loop without a store: the items have ids, but say all there is themselves."""
    async with stack(redis_url, two_tenants) as team:
        usual: dict[str, Any] = {"model": "small", "max_output_tokens": 8, "store": False}
        sales = tenant(team, "sales").responses
        made = await sales.create(**usual, input="Hi")
        said: Any = [item.model_dump() for item in made.output]
        assert (await sales.create(**usual, input=said)).output_text
        named: Any = [{"type": "item_reference", "id": made.output[0].id}]
        assert (await refused(sales.create(**usual, input=named))).status_code == 404
