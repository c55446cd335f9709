"""Signing in to Redis as an identity of Microsoft Entra ID: its object id, and a token of it.

Azure Managed Redis: microsoft-entra-for-authentication page, 2026-05. A server ends connections
whose token has ended, so connections that last are shown each new one.
"""

from __future__ import annotations

import base64
import binascii
from typing import Final, Protocol

import msgspec
from redis.credentials import CredentialProvider
from redis.exceptions import AuthenticationError

from app.errors import UpstreamMisconfigured

_BEARER: Final = "Bearer "


class Tokens(Protocol):
    """Whoever has a token that is still good; `EntraCredential`."""

    async def header(self) -> tuple[str, str]:
        """As a header. Raises UpstreamMisconfigured."""
        ...


class _Claims(msgspec.Struct):
    """Of a token's claims the one that is needed: who it is."""

    oid: str


class EntraLogin(CredentialProvider):
    """Asked whenever a connection is made, by redis-py."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    async def get_credentials_async(self) -> tuple[str, str]:
        """User and password. Raises AuthenticationError, which says why there are none."""
        try:
            _, value = await self._tokens.header()
        except UpstreamMisconfigured as error:
            raise AuthenticationError(str(error).replace("the upstream", "Redis")) from None
        token = value.removeprefix(_BEARER)
        return object_id(token), token


def object_id(token: str) -> str:
    """Whose token it is, by its own word: the server verifies it. Raises AuthenticationError."""
    try:
        claims = token.split(".")[1]
        padded = claims + "=" * (-len(claims) % 4)
        return msgspec.json.decode(base64.urlsafe_b64decode(padded), type=_Claims).oid
    except (IndexError, binascii.Error, ValueError, msgspec.MsgspecError):
        raise AuthenticationError("The token for Redis names nobody.") from None
