"""The simulator as an ASGI application: deployments side by side, each under its own name."""

from __future__ import annotations

import time
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

from app.domain.call.tokens import TokenCounter
from app.simulator import refusal
from app.simulator.access import check_access, check_model
from app.simulator.call import Call, Incoming
from app.simulator.client import Client, ClientGone, Receive
from app.simulator.completions import serve_completion, serve_embeddings
from app.simulator.control import control
from app.simulator.deployment import SimulatedDeployment
from app.simulator.fault import Faults
from app.simulator.generation import stream_error
from app.simulator.ledger import Ledger, Outcome, Row
from app.simulator.models import get_model, list_models
from app.simulator.reply import TRANSPORT_EXTENSION, Reply, Send, Severed
from app.simulator.responses import (
    cancel_response,
    create_response,
    delete_response,
    get_input_items,
    get_response,
    throttled_stream,
)
from app.simulator.routing import Target, find_target, segments_of
from app.simulator.site import Site

Scope = MutableMapping[str, Any]
Body = Mapping[str, Any]

_WITH_BODY: Final = {
    "chat/completions": serve_completion,
    "completions": serve_completion,
    "embeddings": serve_embeddings,
    "responses": create_response,
}
_A_SECOND: Final = {"retry-after-ms": "1000", "retry-after": "1"}
_WITHOUT_BODY: Final = {
    "models": list_models,
    "models/get": get_model,
    "responses/get": get_response,
    "responses/delete": delete_response,
    "responses/cancel": cancel_response,
    "responses/input_items": get_input_items,
}


class Simulator:
    """Deployments by name, what they served, and the faults they are to meet."""

    def __init__(self, deployments: Sequence[SimulatedDeployment], *, seed: int) -> None:
        counter = TokenCounter()
        self.sites = {
            each.name: Site(each, counter, seed if each.seed is None else each.seed)
            for each in deployments
        }
        self.ledger = Ledger()
        self.faults = Faults()

    def warm(self) -> None:
        """Load the vocabularies that the deployments need; otherwise the first requests do."""
        for site in self.sites.values():
            site.encode("")


class SimulatorApp:
    """The ASGI application."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        incoming = _incoming(scope)
        client = Client(receive)
        site = self.simulator.sites.get(incoming.segments[0])
        if incoming.segments[0] == "_sim":
            await self._control(incoming, client, send)
        elif site is None:
            await _send_json(send, refusal.resource_not_found())
        else:
            transport = scope.get("extensions", {}).get(TRANSPORT_EXTENSION, {}).get("transport")
            await self._serve(site, incoming, client, (send, transport))

    async def _control(self, incoming: Incoming, client: Client, send: Send) -> None:
        try:
            body = await client.read()
            action = "/".join(incoming.segments[1:])
            answer = control(self.simulator, incoming.method, action, body)
        except refusal.Refusal as refused:
            await _send_json(send, refused)
        else:
            await _send_json(send, refusal.Refusal(200, answer))

    async def _serve(
        self, site: Site, incoming: Incoming, client: Client, out: tuple[Send, Any]
    ) -> None:
        call = self._call(site, incoming, client)

        def before_last(outcome: Outcome) -> None:
            call.end(outcome, at=time.time())

        reply = Reply(out[0], client, out[1], before_last)
        try:
            await self._answer(call, reply)
        except ClientGone:
            call.end("client_gone", at=client.gone_at or time.time())
        except Severed:
            if client.gone_at is None:
                raise ConnectionAbortedError("cut off, as the fault asked") from None
        finally:
            call.end("error", at=time.time())

    def _call(self, site: Site, incoming: Incoming, client: Client) -> Call:
        on_azure = site.deployment.on_azure
        target = find_target(incoming.method, incoming.segments[1:], on_azure=on_azure)
        if target is None:
            target = Target("classic" if on_azure else "openai", None)
        row = Row(
            deployment=site.deployment.name,
            endpoint=target.operation or "/".join(incoming.segments[1:]),
            started=incoming.received,
            traceparent=incoming.headers.get("traceparent", ""),
            tracestate=incoming.headers.get("tracestate", ""),
            baggage=incoming.headers.get("baggage", ""),
        )
        return Call(incoming, site, target, client, row, self.simulator.ledger)

    async def _answer(self, call: Call, reply: Reply) -> None:
        raw = await call.client.read()
        async with call.client:
            try:
                body = _checked(call, raw)
                call.meet(self.simulator.faults.take(call.site.deployment.name), reply)
                await call.client.sleep(call.fault.delay_ms / 1000)
                if not await _fail(call, reply):
                    await _operate(call, reply, body)
            except refusal.Refusal as refused:
                await call.refuse(reply, refused)


def create_simulator(deployments: Sequence[SimulatedDeployment], *, seed: int = 7) -> SimulatorApp:
    """An ASGI application in which each deployment's endpoint is `/<name>`.

    For an OpenAI-compatible deployment the endpoint includes its `/v1`. The same seed gives the
    same answers to the same requests.
    """
    return SimulatorApp(Simulator(deployments, seed=seed))


def _incoming(scope: Scope) -> Incoming:
    raw_path = scope.get("raw_path") or scope["path"].encode()
    return Incoming(
        method=scope["method"],
        path=scope["path"],
        segments=segments_of(raw_path),
        query=dict(parse_qsl(scope["query_string"].decode("latin-1"))),
        headers={name.decode().lower(): text.decode("latin-1") for name, text in scope["headers"]},
        received=time.time(),
    )


def _checked(call: Call, raw: bytes) -> Body:
    """The body of a request that this deployment takes; empty where none is needed.

    Raises:
        Refusal: what is wrong.
    """
    deployment = call.site.deployment
    check_access(call.incoming, deployment, call.target)
    if call.target.operation not in _WITH_BODY:
        return {}
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise refusal.bad_json() from None
    if not isinstance(body, dict):
        raise refusal.bad_json()
    check_model(body, deployment, call.target)
    call.row.stream = body.get("stream") is True
    return body


async def _fail(call: Call, reply: Reply) -> bool:
    """Let the fault happen if it takes the place of an answer."""
    fault = call.fault
    if fault.replaces_answer:
        await _replace(call, reply)
    elif fault.endless_line:
        call.row.status = 200
        await reply.endless_line(call.headers())
    elif fault.in_stream_429:
        await _throttle_in_stream(call, reply)
    elif fault.stream_error_first and call.row.stream:
        await stream_error(call, reply)
    else:
        return False
    return True


async def _throttle_in_stream(call: Call, reply: Reply) -> None:
    """The throttle of a request that got status 200, or a plain one where there is no stream."""
    if not call.row.stream:
        raise refusal.Refusal(429, refusal.fault_body(429, on_azure=call.on_azure), _A_SECOND)
    if call.target.operation == "responses":
        await throttled_stream(call, reply, _A_SECOND, "Rate limit is exceeded. Try again later.")
    else:
        await stream_error(call, reply)


async def _replace(call: Call, reply: Reply) -> None:
    """Answer with the fault's status and body."""
    status = call.fault.status or 200
    refused = refusal.Refusal(status, refusal.fault_body(status, on_azure=call.on_azure))
    if call.fault.body is None:
        await call.refuse(reply, refused)
        return
    call.row.status = status
    outcome: Outcome = "refused" if status == 429 else "error"  # noqa: PLR2004 - HTTP's number
    await reply.whole(status, call.headers(), call.fault.body.encode(), outcome=outcome)


async def _operate(call: Call, reply: Reply, body: Body) -> None:
    operation = call.target.operation or ""
    if operation in _WITH_BODY:
        await _WITH_BODY[operation](call, reply, body)
    else:
        await _WITHOUT_BODY[operation](call, reply)


async def _send_json(send: Send, answer: refusal.Refusal) -> None:
    payload = orjson.dumps(answer.body)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(payload)).encode()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": payload})
