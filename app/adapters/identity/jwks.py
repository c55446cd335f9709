"""A directory's signing keys, as they are published: one GET, bounded in time and size."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx2
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import RSAAlgorithm

SigningKeySet = Mapping[str, RSAPublicKey]

FETCH_TIMEOUT_S: Final = 3.0
MAX_BODY_BYTES: Final = 256 * 1024
#: RS256 asks for 2048 bits at least (RFC 7518, 3.3); above 8192 a verification would be felt.
_KEY_BITS: Final = range(2048, 8193)


class JwksUnavailable(Exception):
    """No usable keys came; the text is our own and says why."""


class JwksEndpoint:
    """Where one directory publishes its keys."""

    def __init__(self, client: httpx2.AsyncClient, url: str, directory: str) -> None:
        """`directory` is the id whose keys are kept; a key may say that it is for another."""
        self._client = client
        self._url = url
        self._directory = directory

    async def fetch(self) -> SigningKeySet:
        """The RSA keys by their id, at least one. Raises JwksUnavailable."""
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                body = await self._body()
        except JwksUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever the client and its transport raise
            raise JwksUnavailable(type(error).__name__) from None
        keys = signing_keys(body, self._directory)
        if not keys:
            raise JwksUnavailable("the answer holds no RSA key of this directory")
        return keys

    async def _body(self) -> bytes:
        async with self._client.stream("GET", self._url) as answer:
            if answer.status_code != httpx2.codes.OK:
                raise JwksUnavailable(f"the answer's status is {answer.status_code}")
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MAX_BODY_BYTES:
                    raise JwksUnavailable(f"the answer is over {MAX_BODY_BYTES} bytes")
            return bytes(body)


@asynccontextmanager
async def jwks_endpoint(url: str, directory: str) -> AsyncIterator[JwksEndpoint]:
    """An endpoint and its connections; redirects are not followed, proxies not taken."""
    options = httpx2.Limits(max_connections=1)
    headers = {"accept": "application/json", "accept-encoding": "identity"}
    async with httpx2.AsyncClient(
        timeout=FETCH_TIMEOUT_S,
        limits=options,
        headers=headers,
        follow_redirects=False,
        trust_env=False,
    ) as client:
        yield JwksEndpoint(client, url, directory)


def signing_keys(body: bytes, directory: str) -> SigningKeySet:
    """What of a JWK set can verify RS256 for `directory`; other entries are passed over.

    Raises JwksUnavailable where `body` is no JWK set.
    """
    try:
        entries = json.loads(body)["keys"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise JwksUnavailable("the answer is no JWK set") from None
    found: dict[str, RSAPublicKey] = {}
    for entry in entries if isinstance(entries, list) else ():
        key = _signing_key(entry, directory) if isinstance(entry, dict) else None
        if key is not None:
            found.setdefault(entry["kid"], key)
    return found


def _signing_key(entry: dict[str, object], directory: str) -> RSAPublicKey | None:
    if not _is_for_signing(entry) or not _is_for(directory, entry.get("issuer")):
        return None
    try:
        key = RSAAlgorithm.from_jwk(entry)
    except Exception:  # noqa: BLE001  # whatever a malformed number makes the library raise
        return None
    return key if isinstance(key, RSAPublicKey) and key.key_size in _KEY_BITS else None


def _is_for_signing(entry: dict[str, object]) -> bool:
    return (
        isinstance(entry.get("kid"), str)
        and entry.get("kty") == "RSA"
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", "RS256") == "RS256"
    )


def _is_for(directory: str, issuer: object) -> bool:
    """Whether a key may sign for this directory.

    Entra ID marks keys with their issuer, `{tenantid}` standing for any directory; a key of
    another issuer must not be trusted for this one (Microsoft identity platform, access tokens,
    "Validate the signing key issuer").
    """
    if issuer is None:
        return True
    return isinstance(issuer, str) and ("{tenantid}" in issuer or directory in issuer)
