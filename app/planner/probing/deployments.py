"""Asks a deployment for something that it refuses: nothing is generated, nothing is paid for.

An empty list of messages gets a 400 of whoever checks the key, finds the deployment and reads the
body. So the refusal proves name, credential and path, and costs no token of a quota.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec

from app.domain.call.request import InferenceRequest
from app.domain.routing.deployment import Api, Deployment, Kind
from app.errors import Overloaded, UpstreamError
from app.planner.probing.finding import Finding, State
from app.planner.upstream_cause import told
from app.ports import Clock, Upstream, UpstreamResponse
from app.wire.azure import error_code
from app.wire.openai import read_request
from app.wire.routes import match

_MOST_BYTES: Final = 64 * 1024
_READ_S: Final = 10.0
#: Of what an upstream says so many characters are shown.
_MOST_SHOWN: Final = 160
_MISSING: Final = "DeploymentNotFound"
#: Whoever answers so has read the body.
_READ: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
_FAILURES: Final[Mapping[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "the credential is not accepted",
    HTTPStatus.FORBIDDEN: "a role is missing, or this network is not allowed",
}


class _Error(msgspec.Struct):
    message: str = ""


class _ErrorBody(msgspec.Struct):
    error: _Error


class Answer(NamedTuple):
    """A status, and what the body says of it."""

    status: int
    code: str | None
    message: str


async def probe_deployments(
    deployments: Iterable[Deployment], embedding: frozenset[str], upstream: Upstream, clock: Clock
) -> list[Finding]:
    """All of them at once, in their order; those in `embedding`, by name, are asked to embed."""
    asked = [
        _probe(each, question(each, embeds=each.name in embedding), upstream, clock)
        for each in deployments
    ]
    return await asyncio.gather(*asked)


def question(deployment: Deployment, *, embeds: bool) -> InferenceRequest:
    """A request that every server refuses after it found the deployment."""
    empty: dict[str, Any] = {"model": deployment.azure_name}
    empty |= {"input": []} if embeds else {"messages": []}
    path = "/v1/embeddings" if embeds else "/v1/chat/completions"
    return read_request(match("POST", path, ""), json.dumps(empty).encode())


def judged(deployment: Deployment, answer: Answer) -> tuple[State, str]:
    """What an answer to `question` says of the deployment, its credential and its address."""
    if answer.status in _READ:
        return State.OK, f"{deployment.azure_name} is there and the credential is accepted"
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        full = "the PTU is full" if deployment.kind is Kind.PTU else "its quota is used up"
        return State.OK, f"{deployment.azure_name} is there; {full} at the moment"
    if answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return State.WARNING, "it answered what Azure refuses: an empty request"
    if answer.status == HTTPStatus.NOT_FOUND:
        return State.FAILED, _not_found(deployment, answer)
    return State.FAILED, f"{_FAILURES.get(answer.status, 'it answered')}: {_said(answer)}"


def _not_found(deployment: Deployment, answer: Answer) -> str:
    if answer.code == _MISSING or deployment.api is Api.OPENAI:
        return f"there is no deployment {deployment.azure_name!r} at this endpoint: {_said(answer)}"
    return f"nothing is at this path; look at endpoint, api and api_version: {_said(answer)}"


def _said(answer: Answer) -> str:
    code = f" {answer.code}" if answer.code and answer.code != str(answer.status) else ""
    message = " ".join(answer.message.split())
    shown = message if len(message) <= _MOST_SHOWN else message[:_MOST_SHOWN] + "…"
    return f"{answer.status}{code}" + (f", {shown}" if shown else "")


async def _probe(
    deployment: Deployment, request: InferenceRequest, upstream: Upstream, clock: Clock
) -> Finding:
    place, began = f"deployments.{deployment.name}", clock.now()
    try:
        answer = await _asked(deployment, request, upstream)
    except (UpstreamError, Overloaded) as error:
        return Finding(place, State.FAILED, told(error))
    except TimeoutError:
        return Finding(place, State.FAILED, "its answer broke off")
    return Finding(place, *judged(deployment, answer), clock.now() - began)


async def _asked(deployment: Deployment, request: InferenceRequest, upstream: Upstream) -> Answer:
    response = await upstream.open(deployment, request, {})
    try:
        body = await _body(response)
    finally:
        response.close()
    return Answer(response.status, error_code(body), _message(body))


def _message(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_ErrorBody).error.message
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""


async def _body(response: UpstreamResponse) -> bytes:
    body = b""
    while len(body) < _MOST_BYTES and (data := await response.read(_READ_S)):
        body += data
    return body
