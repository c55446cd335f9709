"""Applications without a gateway key: a token of a test directory, through the real gateway."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import openai
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from openai import AsyncAzureOpenAI

from app.adapters.identity.caller_tokens import EntraCallerTokens
from app.adapters.identity.directory_keys import DirectoryCallers
from app.domain.ledger.completion import Outcome
from tests.e2e.stack import Stack, ptu_and_paygo, stack
from tests.fakes.issuer import (
    APPLICATION,
    AUDIENCE,
    DIRECTORY,
    GROUP,
    OBJECT,
    STRANGER,
    V1_ISSUER,
    V2_ISSUER,
    Publisher,
    claims,
    forged,
    jwk,
    published,
    rsa_key,
    signed,
)

OTHER_GROUP = "bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee"
MESSAGE: Any = {"role": "user", "content": "Hi"}


def token(key: str = "key-1", kid: str | None = "", **changes: Any) -> str:
    """A token made out now."""
    return signed(claims(time.time(), **changes), key, kid)


@asynccontextmanager
async def office(redis_url: str, publisher: Publisher) -> AsyncIterator[Stack]:
    """Two tenants without keys: search by application and group, sales by another group."""

    def config(suffix: str) -> dict[str, Any]:
        return ptu_and_paygo(suffix) | {
            "entra": {
                "directory": DIRECTORY,
                "audiences": [AUDIENCE],
                "jwks_url": publisher.url,
            },
            "tenants": {
                "search": {"entra": {"applications": [APPLICATION], "groups": [GROUP]}},
                "sales": {"entra": {"groups": [OTHER_GROUP]}},
            },
        }

    async with stack(redis_url, config) as team:
        yield team


async def answer(team: Stack, bearer: str, header: str = "authorization") -> tuple[int, Any, str]:
    """Status, body and text of a request for the models with this token."""
    value = f"Bearer {bearer}" if header == "authorization" else bearer
    async with team.http.get(f"{team.base_url}/models", headers={header: value}) as reply:
        return reply.status, await reply.json(), await reply.text() + str(dict(reply.headers))


async def refusal(team: Stack, bearer: str) -> dict[str, Any]:
    """The error object of a request that must be refused with 401, without a word of the token."""
    status, body, text = await answer(team, bearer)
    assert status == 401
    assert all(len(part) < 8 or part not in text for part in bearer.split("."))
    assert set(body) == {"error"}
    error: dict[str, Any] = body["error"]
    return error


def verifications(team: Stack) -> int:
    """How many signatures the gateway has checked."""
    tokens = team.process.current.gateway.authentication._tokens  # noqa: SLF001 - no other way to see
    assert isinstance(tokens, DirectoryCallers)
    assert isinstance(tokens.callers, EntraCallerTokens)
    return tokens.callers.verifications


async def test_an_sdk_needs_no_key(redis_url: str) -> None:
    """AzureOpenAI with a token provider: an answer, a stream, and a receipt that says who."""

    async def provider() -> str:
        return token()

    async with published() as publisher, office(redis_url, publisher) as team:
        async with AsyncAzureOpenAI(
            azure_endpoint=team.process.data_url,
            api_version="2024-10-21",
            azure_ad_token_provider=provider,
            max_retries=0,
            timeout=120,
        ) as client:
            raw = await client.chat.completions.with_raw_response.create(
                model="gpt-4o", messages=[MESSAGE], max_tokens=4
            )
            streamed = await client.chat.completions.create(
                model="gpt-4o", messages=[MESSAGE], max_tokens=4, stream=True
            )
            assert [chunk async for chunk in streamed]
        receipt = await team.receipt(raw.headers["x-request-id"])
        assert (receipt.tenant, receipt.outcome) == ("search", Outcome.FINISHED)
        assert receipt.key_id == f"entra:{APPLICATION}"


async def test_both_versions_and_both_headers_are_taken(redis_url: str) -> None:
    """What an OpenAI client sends as its api_key, whichever endpoint the token is of."""
    v2: dict[str, Any] = {"iss": V2_ISSUER, "appid": None, "azp": APPLICATION}
    async with published() as publisher, office(redis_url, publisher) as team:
        assert (await answer(team, token(**v2)))[0] == 200
        assert (await answer(team, token(), header="api-key"))[0] == 200
        models = await team.openai(api_key=token()).models.list()
        assert [model.id for model in models.data] == ["gpt-4o"]


async def test_groups_lead_to_their_tenants(redis_url: str) -> None:
    """People of two teams through one application; who is in both belongs to neither."""
    async with published() as publisher, office(redis_url, publisher) as team:
        for groups, tenant in (([GROUP], "search"), ([STRANGER, OTHER_GROUP], "sales")):
            client = team.openai(api_key=token(appid=STRANGER, groups=groups))
            raw = await client.chat.completions.with_raw_response.create(
                model="gpt-4o", messages=[MESSAGE], max_tokens=4
            )
            receipt = await team.receipt(raw.headers["x-request-id"])
            assert (receipt.tenant, receipt.key_id) == (tenant, f"entra:{OBJECT}")
        both = token(appid=STRANGER, groups=[GROUP, OTHER_GROUP])
        assert (await refusal(team, both))["code"] == "invalid_api_key"


def hs256_with_the_public_key() -> str:
    """An HMAC whose secret is what everybody can download."""
    secret = (
        rsa_key("key-1")
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    header = {"alg": "HS256", "kid": "key-1"}
    said = claims(time.time())
    unsigned = forged(header, said).removesuffix(".")
    return forged(header, said, hmac.new(secret, unsigned.encode(), hashlib.sha256).digest())


WRONG: dict[str, Callable[[], str]] = {
    "audience": lambda: token(aud="https://graph.microsoft.com"),
    "issuer": lambda: token(iss=V1_ISSUER.replace(DIRECTORY, STRANGER)),
    "directory": lambda: token(tid=STRANGER),
    "key": lambda: token(key="mallory", kid="key-1"),
    "unknown key": lambda: token(key="mallory"),
    "no kid": lambda: token(kid=None),
    "none": lambda: forged({"alg": "none", "kid": "key-1"}, claims(time.time())),
    "HS256": hs256_with_the_public_key,
    "expired": lambda: token(exp=int(time.time()) - 90),
    "not yet valid": lambda: token(nbf=int(time.time()) + 90),
    "unknown application": lambda: token(appid=STRANGER),
    "no application": lambda: token(appid=None),
    "no end": lambda: token(exp=None),
    "rubbish": lambda: "eyJrubbish.eyJrubbish.rubbish",
}


async def test_every_other_token_is_refused_alike(redis_url: str) -> None:
    """401 in OpenAI's shape; what was wrong is for the operator's log, not for whoever tries."""
    async with published() as publisher, office(redis_url, publisher) as team:
        errors = {}
        for name, make in WRONG.items():
            errors[name] = await refusal(team, make())
        assert (await answer(team, token()))[0] == 200, "the same token but for that is good"
        assert len({str(error) for error in errors.values()}) == 1, errors
        error = errors["audience"]
        assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_api_key")
        with pytest.raises(openai.AuthenticationError, match="Entra ID token is not accepted"):
            await team.openai(api_key=token(appid=STRANGER)).models.list()
        assert await team.served() == []


async def test_a_thousand_requests_with_one_token_verify_once(redis_url: str) -> None:
    """And ask the directory once, which was before they came."""
    shown = token()
    async with published() as publisher, office(redis_url, publisher) as team:
        statuses = []
        for _ in range(20):
            answers = await asyncio.gather(*(answer(team, shown) for _ in range(50)))
            statuses += [status for status, _, _ in answers]
        assert statuses == [200] * 1000
        assert (verifications(team), publisher.asked) == (1, 1)


async def test_a_rotated_key_is_fetched_once(redis_url: str) -> None:
    """A crowd with tokens of the new key: one fetch; those of the old one go on."""
    async with published() as publisher, office(redis_url, publisher) as team:
        assert (await answer(team, token()))[0] == 200
        publisher.keys.append(jwk("key-2"))
        crowd = (answer(team, token(key="key-2", number=number)) for number in range(20))
        assert {status for status, _, _ in await asyncio.gather(*crowd)} == {200}
        assert (await answer(team, token()))[0] == 200
        assert publisher.asked == 2


async def test_a_directory_that_is_down_stops_nobody_it_knows(redis_url: str) -> None:
    """After the first fetch new tokens of known keys pass; an unknown key is a 503, not a no."""
    async with published() as publisher, office(redis_url, publisher) as team:
        assert (await answer(team, token()))[0] == 200
        publisher.instead = lambda: web.Response(status=500)
        for number in range(10):
            assert (await answer(team, token(number=number)))[0] == 200
        status, body, _ = await answer(team, token(key="key-2"))
        assert (status, body["error"]["code"]) == (503, "store_unavailable")
        assert (await answer(team, token(number=11)))[0] == 200
        assert publisher.asked == 2


async def test_a_frozen_directory_is_a_503_within_its_limit(redis_url: str) -> None:
    """From the start on: the first requests wait for the one fetch, later ones are told at once."""
    async with published() as publisher:
        publisher.answers.clear()
        async with office(redis_url, publisher) as team:
            before = time.monotonic()
            crowd = await asyncio.gather(*(answer(team, token()) for _ in range(10)))
            assert {(status, body["error"]["code"]) for status, body, _ in crowd} == {
                (503, "store_unavailable")
            }
            assert time.monotonic() - before < 20
            assert publisher.asked == 1
            publisher.answers.set()
            async with asyncio.timeout(20):
                while (await answer(team, token()))[0] != 200:
                    await asyncio.sleep(0.05)


async def test_a_change_of_the_mapping_is_in_force_when_it_is_answered(redis_url: str) -> None:
    """On every replica, for tokens that were verified before, and for those that were refused."""
    shown, stranger = token(), token(appid=STRANGER)
    async with (
        published() as publisher,
        office(redis_url, publisher) as one,
        office(redis_url, publisher) as other,
    ):
        for team in (one, other):
            assert (await answer(team, shown))[0] == 200
            await refusal(team, stranger)
        url = f"{one.process.admin_url}/admin/v1/tenants"
        headers = {"authorization": "Bearer an-admin-key-of-tests"}

        async def mapped(tenant: str, *applications: str) -> tuple[int, Any]:
            body = {"entra": {"applications": applications}}
            async with one.http.patch(f"{url}/{tenant}", json=body, headers=headers) as reply:
                return reply.status, await reply.json()

        status, conflict = await mapped("sales", APPLICATION)
        assert (status, conflict["error"]["code"]) == (409, "already_mapped")
        status, changed = await mapped("search", STRANGER)
        assert (status, changed["in_force"]["workers"]) == (200, 2)
        for team in (one, other):
            await refusal(team, shown)
            assert (await answer(team, stranger))[0] == 200
        assert (await mapped("sales", APPLICATION))[0] == 200
        for team in (one, other):
            assert (await answer(team, shown))[0] == 200
            assert verifications(team) == 2

        # The directory owns what the configuration began.
        settings = one.process.current.settings
        await one.process.reload(settings.model_copy())
        assert (await answer(one, stranger))[0] == 200
        assert publisher.asked == 2, "the keys outlive the reload"
