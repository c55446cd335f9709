"""One request on a deployment: its row in the ledger, what was admitted, and its way out."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Final

import orjson

from app.simulator import refusal
from app.simulator.client import Client
from app.simulator.fault import NO_FAULT, Fault
from app.simulator.ledger import Ledger, Outcome, Row
from app.simulator.meter import Admitted, Demand
from app.simulator.reply import Reply
from app.simulator.routing import Target
from app.simulator.site import Site
from app.simulator.throttle import region_name

Json = dict[str, Any]

_TOO_MANY_REQUESTS: Final = 429


@dataclass(frozen=True, slots=True)
class Incoming:
    """What arrived, except the body."""

    method: str
    path: str
    segments: list[str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    received: float
    """Unix seconds."""


@dataclass(slots=True)
class Call:
    """The state of one request until it has ended."""

    incoming: Incoming
    site: Site
    target: Target
    client: Client
    row: Row
    ledger: Ledger
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    fault: Fault = NO_FAULT
    admitted: Admitted | None = None
    generated: int = 0
    """Tokens of the answer so far."""
    prompt_is_billed: bool = False
    ended: bool = False

    @property
    def on_azure(self) -> bool:
        return self.site.deployment.on_azure

    @property
    def api_version(self) -> str | None:
        """The version in the classic surface's query."""
        return self.incoming.query.get("api-version") if self.target.surface == "classic" else None

    def meet(self, fault: Fault, reply: Reply) -> None:
        self.fault = reply.fault = fault

    def end(self, outcome: Outcome, *, at: float) -> None:
        """Correct the capacity and write the row, once."""
        if self.ended:
            return
        self.ended = True
        now = self.site.now()
        if self.admitted is not None:
            self.site.meter.settle(self.admitted, self.generated, now, ran=self.prompt_is_billed)
        self.row.output_tokens = self.generated
        self.row.outcome = outcome
        self.row.ended = at
        self.ledger.add(self.row)

    def bill(self, demand: Demand) -> None:
        """From here on the prompt is paid for, whatever becomes of the answer."""
        self.prompt_is_billed = True
        self.row.input_tokens = demand.prompt
        self.row.cached_tokens = demand.cached

    async def answer(self, reply: Reply, body: Json, *, headers: Mapping[str, str]) -> None:
        """Send a whole JSON answer with status 200."""
        self.row.status = 200
        payload = orjson.dumps(body)
        await reply.whole(200, {**self.headers(), **headers}, payload, outcome="complete")

    async def refuse(self, reply: Reply, refused: refusal.Refusal) -> None:
        """Send an error."""
        self.row.status = refused.status
        outcome: Outcome = "refused" if refused.status == _TOO_MANY_REQUESTS else "error"
        payload = orjson.dumps(refused.body)
        await reply.whole(
            refused.status, {**self.headers(), **refused.headers}, payload, outcome=outcome
        )

    def headers(self) -> dict[str, str]:
        """What every response of this deployment says about itself."""
        headers = {"content-type": "application/json", "date": formatdate(usegmt=True)}
        headers["x-request-id"] = self.request_id
        headers |= self._azure_headers() if self.on_azure else self._openai_headers()
        if self.target.operation and "/" not in self.target.operation.removeprefix("chat/"):
            headers |= self.site.meter.headers(self.site.now())
        return headers

    def _azure_headers(self) -> dict[str, str]:
        deployment = self.site.deployment
        client_id = self.incoming.headers.get("x-ms-client-request-id", self.request_id)
        return {
            "apim-request-id": self.request_id,
            "azureml-model-session": f"d{len(deployment.name):03}-20261101000000",
            "strict-transport-security": "max-age=31536000; includeSubDomains; preload",
            "x-accel-buffering": "no",
            "x-content-type-options": "nosniff",
            "x-ms-client-request-id": client_id,
            "x-ms-deployment-name": deployment.deployment,
            "x-ms-rai-invoked": "true",
            "x-ms-region": region_name(deployment.region),
        }

    def _openai_headers(self) -> dict[str, str]:
        return {"openai-version": "2020-10-01", "x-content-type-options": "nosniff"}
