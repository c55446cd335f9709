"""`spillgate init`: who is asked for deployments, and with what credential."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import httpx2

from app.adapters.azure.entra import TokenSource, azure_credential
from app.adapters.azure.resources import of_resource, of_subscription
from app.cli.init import Login, Resource
from app.planner.drafting.found import Found, NotTold

TIMEOUT_S: Final = 30.0


def found(asked: Login | Resource, source: Callable[[], TokenSource] | None = None) -> list[Found]:
    """Deployments of a login or of one resource. Raises NotTold.

    `source` makes the login's credential; by default that of azure-identity's chain.
    """
    return asyncio.run(_found(asked, source or azure_credential))


async def _found(asked: Login | Resource, source: Callable[[], TokenSource]) -> list[Found]:
    async with httpx2.AsyncClient(timeout=TIMEOUT_S) as client:
        if isinstance(asked, Resource):
            return await of_resource(client, asked.endpoint, asked.key)
        token = await _token(source(), f"{asked.management}/.default")
        return await of_subscription(client, token, asked.subscription, asked.management)


async def _token(source: TokenSource, scope: str) -> str:
    try:
        return (await source.get_token(scope)).token
    except Exception as error:  # azure-core is not imported for its classes alone
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise NotTold(f"no Azure login could be used: {lines[0]}") from error
    finally:
        await source.close()
