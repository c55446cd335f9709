"""Deployments of a config that are asked without a gateway, each with its own credential."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from app.adapters.azure.deployments import AzureOpenAI
from app.adapters.azure.entra import EntraCredential
from app.adapters.clock import SystemClock
from app.adapters.upstream import HttpTransport
from app.bootstrap.credentials import Identity, credential_of
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class _Opened:
    """What credentials live on."""

    lifetimes: AsyncExitStack
    clock: SystemClock = field(default_factory=SystemClock)
    credentials: dict[Identity, EntraCredential] = field(default_factory=dict)


@asynccontextmanager
async def asked_directly(settings: Settings) -> AsyncIterator[AzureOpenAI]:
    """All deployments of the settings, as the gateway would reach them."""
    async with AsyncExitStack() as lifetimes, HttpTransport() as transport:
        opened = _Opened(lifetimes)
        credentials = {
            name: await credential_of(deployment, opened)
            for name, deployment in settings.deployments.items()
        }
        yield AzureOpenAI(transport, credentials)
