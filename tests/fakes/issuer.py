"""A directory that signs tokens and publishes its keys, on loopback or without a network."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from tests.fakes.listening import listening

DIRECTORY = "72f988bf-86f1-41af-91ab-2d7cd011db47"
AUDIENCE = "api://spillgate"
APPLICATION = "0b07f429-9f4b-4714-9392-cc5e8e80c8b0"
OBJECT = "11111111-2222-4333-8444-555555555555"
GROUP = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
STRANGER = "99999999-9999-4999-8999-999999999999"
V1_ISSUER = f"https://sts.windows.net/{DIRECTORY}/"
V2_ISSUER = f"https://login.microsoftonline.com/{DIRECTORY}/v2.0"


@cache
def rsa_key(name: str, bits: int = 2048) -> RSAPrivateKey:
    """One key for each name: making one takes a tenth of a second."""
    return generate_private_key(65537, bits)


def jwk(name: str, **more: Any) -> dict[str, Any]:
    """The public key as Entra ID publishes it."""
    public: dict[str, Any] = RSAAlgorithm.to_jwk(rsa_key(name).public_key(), as_dict=True)
    numbers = {part: public[part] for part in ("kty", "n", "e")}
    return numbers | {"use": "sig", "kid": name, "issuer": V2_ISSUER} | more


def claims(now: float, **changes: Any) -> dict[str, Any]:
    """Those of a v1 token of an application; a change to None leaves one out."""
    usual = {
        "aud": AUDIENCE,
        "iss": V1_ISSUER,
        "iat": int(now),
        "nbf": int(now),
        "exp": int(now) + 3600,
        "appid": APPLICATION,
        "oid": OBJECT,
        "sub": OBJECT,
        "tid": DIRECTORY,
        "ver": "1.0",
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def signed(payload: Mapping[str, Any], key: str = "key-1", kid: str | None = "") -> str:
    """A token; its `kid` is the key's name unless given, None leaves it out."""
    headers = {} if kid is None else {"kid": kid or key}
    return jwt.encode(dict(payload), rsa_key(key), algorithm="RS256", headers=headers)


def forged(header: Mapping[str, Any], payload: Mapping[str, Any], signature: bytes = b"") -> str:
    """Any three parts, joined as a token."""
    parts = (json.dumps(header).encode(), json.dumps(payload).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


class Publisher:
    """What the endpoint answers, and how often it was asked."""

    def __init__(self) -> None:
        """One key; answering."""
        self.keys: list[dict[str, Any]] = [jwk("key-1")]
        self.asked = 0
        self.url = ""
        self.answers = asyncio.Event()
        self.answers.set()
        self.instead: Callable[[], web.Response] | None = None

    async def handle(self, request: web.Request) -> web.Response:
        """Answer once allowed to."""
        self.asked += 1
        await self.answers.wait()
        return self.instead() if self.instead else web.json_response({"keys": self.keys})


@asynccontextmanager
async def published() -> AsyncIterator[Publisher]:
    """A publisher on loopback; what is frozen at the end is let go."""
    publisher = Publisher()
    app = web.Application()
    app.router.add_get("/keys", publisher.handle)
    async with listening(app) as url:
        publisher.url = f"{url}/keys"
        yield publisher
        publisher.answers.set()
