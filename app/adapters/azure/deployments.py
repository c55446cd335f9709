"""All deployments, reachable: each request at its deployment's URL, with its credential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, NamedTuple, Protocol

from app.adapters.azure.credentials import ApiKeyCredential, Credential
from app.adapters.azure.unechoed import unechoed
from app.domain.call.request import InferenceRequest, Operation
from app.domain.routing.deployment import Deployment, Timeouts
from app.domain.routing.patience import patience_for
from app.ports import UpstreamResponse
from app.wire.azure import model_in_body, url_for
from app.wire.openai import body_for

_UNAUTHORIZED: Final = int(HTTPStatus.UNAUTHORIZED)


class Transport(Protocol):
    """Whatever speaks HTTP."""

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        timeouts: Timeouts,
    ) -> UpstreamResponse:
        """The answer, once its headers are here; raises UpstreamError."""
        ...


class _Place(NamedTuple):
    """Where a deployment serves an operation, and the model's name there; None: the URL has it."""

    url: str
    model: str | None


@dataclass(frozen=True, slots=True)
class _Way:
    """What is the same for all requests to one deployment."""

    deployment: Deployment
    credential: Credential
    header: tuple[str, str] | None  # of the credential, where it stays the same
    places: dict[Operation, _Place] = field(default_factory=dict)

    def place(self, request: InferenceRequest) -> _Place:
        """Made once, unless the request itself is part of the URL."""
        route = request.route
        if route.query or route.response_id:
            return self._made(request)
        place = self.places.get(route.operation)
        if place is None:
            place = self.places[route.operation] = self._made(request)
        return place

    def _made(self, request: InferenceRequest) -> _Place:
        deployment = self.deployment
        return _Place(url_for(deployment, request), model_in_body(deployment, request))


class AzureOpenAI:
    """The upstreams of one configuration snapshot."""

    def __init__(self, transport: Transport, credentials: Mapping[str, Credential]) -> None:
        """`credentials` by deployment name; every deployment that is asked has one."""
        self._transport = transport
        self._credentials = credentials
        self._ways: dict[str, _Way] = {}

    async def open(
        self, deployment: Deployment, request: InferenceRequest, headers: Mapping[str, str]
    ) -> UpstreamResponse:
        """Send a request; the answer once its headers are here, to be closed by the caller.

        A token that is rejected is replaced and tried once more; the second answer counts.
        Raises the transport's errors, and UpstreamMisconfigured where no token could be had.
        """
        way = self._ways.get(deployment.name)
        if way is None or way.deployment is not deployment:
            way = self._way(deployment)
        credential, (url, model) = way.credential, way.place(request)
        name, value = way.header or await credential.header()
        sent = {**headers, "content-type": "application/json", name: value}
        body = body_for(request, model)
        method, timeouts = request.route.method, patience_for(request, deployment)
        response = await self._transport.send(method, url, sent, body, timeouts=timeouts)
        if response.status != _UNAUTHORIZED or not await _refreshed(credential, value, response):
            return unechoed(response, value)
        sent[name] = (await credential.header())[1]
        response = await self._transport.send(method, url, sent, body, timeouts=timeouts)
        return unechoed(response, sent[name])

    def _way(self, deployment: Deployment) -> _Way:
        credential = self._credentials[deployment.name]
        header = credential.fixed if isinstance(credential, ApiKeyCredential) else None
        way = self._ways[deployment.name] = _Way(deployment, credential, header)
        return way


async def _refreshed(credential: Credential, rejected: str, response: UpstreamResponse) -> bool:
    """Whether there is another token to try; if so the rejection is closed."""
    try:
        refreshed = await credential.refresh(rejected)
    except BaseException:
        response.close()
        raise
    if refreshed:
        response.close()
    return refreshed
