"""What each deployment is shown: its key, or one token for all that share an identity."""

from __future__ import annotations

import random
from contextlib import AsyncExitStack
from typing import NamedTuple, Protocol

from pydantic import SecretStr

from app.adapters.azure.credentials import ApiKeyCredential, Credential
from app.adapters.azure.entra import EntraCredential, azure_credential
from app.domain.routing.deployment import Api
from app.ports import Clock
from app.settings import Auth, Deployment, Entra


class Identity(NamedTuple):
    """Whose token it is, and for what; None: the machine's own."""

    scope: str
    client_id: str | None
    tenant_id: str | None


class Lifetimes(Protocol):
    """What credentials live on; Entra's are kept, keys are cheap and made anew."""

    @property
    def clock(self) -> Clock: ...
    @property
    def lifetimes(self) -> AsyncExitStack: ...
    @property
    def credentials(self) -> dict[Identity, EntraCredential]: ...


async def credential_of(deployment: Deployment, on: Lifetimes) -> Credential:
    """The credential of one deployment. Raises ValueError where it has none."""
    match deployment.auth:
        case Auth(api_key=SecretStr() as key):
            return ApiKeyCredential(key.get_secret_value(), Api(deployment.api))
        case Auth(entra=Entra() as entra):
            return await entra_credential(entra, deployment.entra_scope or "", on)
        case _:
            message = f"deployment {deployment.name!r} has neither an API key nor Entra ID"
            raise ValueError(message)


async def entra_credential(entra: Entra, scope: str, on: Lifetimes) -> Credential:
    """One credential for each identity and scope, however many deployments use it."""
    identity = Identity(scope, entra.client_id, entra.tenant_id)
    if identity not in on.credentials:
        credential = EntraCredential(
            lambda: azure_credential(client_id=entra.client_id, tenant_id=entra.tenant_id),
            scope,
            on.clock,
            random.random,
        )
        on.credentials[identity] = await on.lifetimes.enter_async_context(credential)
    return on.credentials[identity]
