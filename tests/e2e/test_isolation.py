"""Two tenants on one gateway: what one may use, sees or makes is nothing to the other."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import openai
from openai import AsyncOpenAI

from app.cli.key import new_key
from app.domain.completion import Outcome
from app.domain.directory import Actor, Change, EntryKind, Role
from tests.e2e.stack import Stack, ptu_and_paygo, stack

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
