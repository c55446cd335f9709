"""All deployments, reachable: each request at its deployment's URL, with its credential."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Protocol

from app.adapters.credentials import Credential
from app.adapters.unechoed import unechoed
from app.domain.call.request import InferenceRequest
from app.domain.routing.deployment import Deployment, Timeouts
from app.domain.routing.patience import patience_for
from app.ports import UpstreamResponse
from app.wire.azure import model_in_body, url_for
from app.wire.openai import body_for


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


class AzureOpenAI:
    """The upstreams of one configuration snapshot."""

    def __init__(self, transport: Transport, credentials: Mapping[str, Credential]) -> None:
        """`credentials` by deployment name; every deployment that is asked has one."""
        self._transport = transport
        self._credentials = credentials

    async def open(
        self, deployment: Deployment, request: InferenceRequest, headers: Mapping[str, str]
    ) -> UpstreamResponse:
        """Send a request; the answer once its headers are here, to be closed by the caller.

        A token that is rejected is replaced and tried once more; the second answer counts.
        Raises the transport's errors, and UpstreamMisconfigured where no token could be had.
        """
        credential = self._credentials[deployment.name]
        name, value = await credential.header()
        sent = {**headers, "content-type": "application/json", name: value}
        url = url_for(deployment, request)
        body = body_for(request, model_in_body(deployment, request))
        method, timeouts = request.route.method, patience_for(request, deployment.timeouts)
        response = await self._transport.send(method, url, sent, body, timeouts=timeouts)
        if response.status != HTTPStatus.UNAUTHORIZED or not await _refreshed(
            credential, value, response
        ):
            return unechoed(response, value)
        sent[name] = (await credential.header())[1]
        response = await self._transport.send(method, url, sent, body, timeouts=timeouts)
        return unechoed(response, sent[name])


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
