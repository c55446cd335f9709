"""How a process signs in to Redis, by azure-identity itself and an endpoint that plays Azure's."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from redis.exceptions import AuthenticationError

from app.adapters.clock import SystemClock
from app.bootstrap.redis_login import redis_login
from app.settings import Settings, build
from tests.fakes.listening import listening

URL = "rediss://contoso.eastus.redis.azure.net:10000"


def token_of(identity: str) -> str:
    """As far as it is read."""
    claims = base64.urlsafe_b64encode(json.dumps({"oid": identity}).encode()).decode()
    return f"header.{claims.rstrip('=')}.signature"


def settings_with(**redis: Any) -> Settings:
    """A configuration with this Redis."""
    deployment = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "auth": {"api_key": "k"},
    }
    return build(
        {
            "redis": redis,
            "deployments": {"paygo": deployment},
            "models": {"gpt-4o": {"tiers": [["paygo"]]}},
        }
    )


@asynccontextmanager
async def identities(status: int = 200) -> AsyncIterator[tuple[str, list[dict[str, str]]]]:
    """The endpoint of managed identities, and what it was asked."""
    asked: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        if status != 200:
            return web.json_response({"error": "identity_not_found"}, status=status)
        told = {"token_type": "Bearer", "expires_on": str(int(time.time()) + 3600)}
        told["resource"] = request.query["resource"]
        token = token_of(request.query.get("client_id", "the machine's own"))
        return web.json_response(told | {"access_token": token})

    application = web.Application()
    application.router.add_get("/token", answer)
    async with listening(application) as url:
        yield f"{url}/token", asked


async def test_the_chosen_identity_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a token for Redis, which is there when the start goes on."""
    async with identities() as (url, asked):
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "of-tests")
        settings = settings_with(url=URL, auth={"entra": {"client_id": "abc"}})
        async with redis_login(settings, SystemClock()) as login:
            assert login is not None
            assert [each["resource"] for each in asked] == ["https://redis.azure.com"]
            assert await login.get_credentials_async() == ("abc", token_of("abc"))
        assert len(asked) == 1


async def test_without_a_token_the_start_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is lost then, and it is said why."""
    async with identities(status=400) as (url, _):
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "of-tests")
        settings = settings_with(url=URL, auth={"entra": {"client_id": "abc"}})
        async with redis_login(settings, SystemClock()) as login:
            assert login is not None
            with pytest.raises(AuthenticationError, match="Entra ID"):
                await login.get_credentials_async()


@pytest.mark.parametrize("redis", [{"url": "rediss://:secret@x"}, {"url": "redis://x"}])
async def test_nobody_is_asked_where_the_url_says_all(redis: dict[str, str]) -> None:
    """No credential is made, and azure-identity is not imported."""
    async with redis_login(settings_with(**redis), SystemClock()) as login:
        assert login is None
