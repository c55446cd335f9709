"""Requests of the gateway's own, on the configuration in force."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from app.adapters.identity.directory_keys import DirectoryKeys
from app.domain.call.errand import OWN_KEY, Answered, Errand, Purpose, of_any_model
from app.domain.call.request import Accounting, Operation, Route
from app.domain.identity.tenant import Principal
from app.errands import Errands
from app.errors import EmbedderUnavailable, ShuttingDown
from app.gateway import Gateway
from app.wire.openai import read_request

_EMBEDDINGS: Final = Route(Operation.EMBEDDINGS, "POST", Accounting.TOKENS)
#: Whoever embeds has less patience. Seconds.
_EMBEDDING_S: Final = 10.0


def errands_of(gateway: Gateway) -> Errands:
    """The same stages, as far as they are needed without a client."""
    return Errands(
        clock=gateway.clock,
        telemetry=gateway.telemetry,
        settlement=gateway.settlement,
        admission=gateway.admission,
        routing=gateway.routing,
        upstreams=gateway.upstreams,
        relay=gateway.relay,
        new_id=_errand_id,
    )


@dataclass(slots=True)
class OwnRequests:
    """What outlives configurations asks through it; `current` is replaced by a reload.

    It is there before the first configuration is in force: what is to ask later is made with it.
    """

    keys: DirectoryKeys
    current: Errands | None = None

    async def run(self, errand: Errand) -> Answered:
        """The port Errands. Raises ShuttingDown, too, while no configuration is in force."""
        if self.current is None:
            raise ShuttingDown("The gateway is not serving.")
        return await self.current.run(errand)

    async def embed(self, body: bytes, tenant: str) -> bytes:
        """How a routed embedder asks: in the name of the tenant whose text it is, who pays.

        Raises SpillgateError: EmbedderUnavailable for a tenant that may ask for nothing.
        """
        found = self.keys.tenant(tenant)
        if found is None:
            raise EmbedderUnavailable("There is nobody in whose name the text could be embedded.")
        errand = Errand(
            purpose=Purpose.EMBEDDING,
            principal=Principal(of_any_model(found), OWN_KEY),
            request=read_request(_EMBEDDINGS, body),
            limit_s=_EMBEDDING_S,
        )
        return (await self.run(errand)).body


def _errand_id() -> str:
    return f"errand-{secrets.token_hex(12)}"
