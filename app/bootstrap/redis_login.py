"""How this process signs in to Redis: by what the URLs say, or as an identity of Entra ID."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from redis.credentials import CredentialProvider

from app.errors import UpstreamMisconfigured
from app.ports import Clock
from app.settings import Settings
from app.settings.process import RedisEntra

#: How long a start waits for a token.
BOOT_S: Final = 5.0


@asynccontextmanager
async def redis_login(settings: Settings, clock: Clock) -> AsyncIterator[CredentialProvider | None]:
    """A login whose token is kept fresh as long as the scope is open; None: none is asked for."""
    if settings.redis is None or settings.redis.auth is None:
        yield None
        return
    # Only where it is used: it is not for every worker.
    from app.adapters.azure.entra import EntraCredential, azure_credential  # noqa: PLC0415
    from app.adapters.redis.login import EntraLogin  # noqa: PLC0415

    entra = settings.redis.auth.entra or RedisEntra()
    async with EntraCredential(
        lambda: azure_credential(client_id=entra.client_id, tenant_id=entra.tenant_id),
        entra.scope,
        clock,
        random.random,
    ) as tokens:
        # So that the start's first connections have one; without it they are made later.
        with suppress(UpstreamMisconfigured, TimeoutError):
            async with asyncio.timeout(BOOT_S):
                await tokens.header()
        yield EntraLogin(tokens)
