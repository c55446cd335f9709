"""Callers with Entra ID tokens: whom the configuration believes, and with which signing keys."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import msgspec

from app.domain.identity.caller_token import CallerRules
from app.ports import CallerTokens, Clock
from app.settings import EntraCallers, Settings

if TYPE_CHECKING:
    from app.adapters.identity.signing_keys import SigningKeys

#: By URL and directory.
SigningKeysByPlace = dict[tuple[str, str], "SigningKeys"]


class Directories(msgspec.Struct, frozen=True):
    """Signing keys by where they come from: they outlive snapshots and end with the process."""

    lifetimes: AsyncExitStack
    clock: Clock
    known: SigningKeysByPlace

    async def keys(self, entra: EntraCallers) -> SigningKeys:
        """The keys of a directory, kept fresh from the first time on that they are asked for."""
        from app.adapters.identity.jwks import jwks_endpoint  # noqa: PLC0415  # as in `caller_tokens`
        from app.adapters.identity.signing_keys import SigningKeys  # noqa: PLC0415  # the same

        place = entra.keys_url, entra.directory
        if place not in self.known:
            endpoint = await self.lifetimes.enter_async_context(jwks_endpoint(*place))
            keys = SigningKeys(endpoint.fetch, self.clock, random.random)
            self.known[place] = await self.lifetimes.enter_async_context(keys)
        return self.known[place]


async def caller_tokens(
    settings: Settings, directories: Directories, rules: Callable[[], CallerRules]
) -> CallerTokens | None:
    """Whoever may call with a token; None where the configuration has no directory.

    `rules` say whose tokens are whose, whenever they are asked.
    """
    if settings.entra is None:
        return None
    # 0.15 s of import (cryptography, an HTTP client), only where callers show tokens.
    from app.adapters.identity.caller_tokens import EntraCallerTokens, Expected  # noqa: PLC0415

    entra = settings.entra
    return EntraCallerTokens(
        await directories.keys(entra),
        Expected(entra.directory, entra.issuers, entra.audiences),
        rules,
        directories.clock,
    )
