"""The Responses API: create, stream, look at, cancel and delete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from app.simulator import refusal
from app.simulator.ask import Ask, responses_ask
from app.simulator.call import Call
from app.simulator.envelope import Frame, response_usage
from app.simulator.generation import (
    Run,
    admit,
    check_content,
    envelope_of,
    reported,
    run_of,
    stream,
    think,
)
from app.simulator.prompt import input_items
from app.simulator.reply import Reply
from app.simulator.response_bodies import (
    ModelResponse,
    response_body,
    response_frames,
    throttled_frames,
    unfinished_body,
)
from app.simulator.responses_store import StoredResponse
from app.simulator.retelling import retell
from app.simulator.throttle import Throttle

Body = Mapping[str, Any]


async def create_response(call: Call, reply: Reply, body: Body) -> None:
    """Answer, whole, streamed or in the background.

    Raises:
        Refusal: the request is wrong, or there is no capacity for it and it does not stream.
        ClientGone: the client left.
        Severed: a fault broke the connection.
    """
    before = _continued(call, body)
    ask = responses_ask(body, call.site.encode, before=before.context if before else ())
    call.row.max_tokens = ask.cap
    verdict = admit(call, ask)
    if isinstance(verdict, Throttle):
        await _refuse(call, reply, verdict, stream=ask.stream)
        return
    check_content(call, ask, verdict)
    run = run_of(call, ask, verdict)
    usage = reported(call, run.usage)
    response = ModelResponse(
        envelope_of(call, "resp_"), body, run.answers[0], response_usage(usage) if usage else None
    )
    stored = _stored(call, ask, response)
    if stored.in_background:
        _start(call, stored, run)
        if ask.stream:
            await retell(call, reply, stored)
        else:
            await call.answer(reply, unfinished_body(response, "queued"), headers={})
    elif ask.stream:
        await stream(call, reply, _remembered(call, stored), run)
    else:
        await think(call, run)
        _keep(call, stored)
        await call.answer(reply, response_body(response), headers={})


async def throttled_stream(call: Call, reply: Reply, headers: Mapping[str, str], text: str) -> None:
    """Azure's throttle of a streamed response: status 200, and a stream that fails."""
    call.row.status = 200
    await reply.open({**call.headers(), **headers})
    for frame in throttled_frames(envelope_of(call, "resp_"), text):
        if frame.last:
            await reply.finish(frame.data, outcome="refused")
        else:
            await reply.write(frame.data)


async def get_response(call: Call, reply: Reply) -> None:
    """Look at a response, or stream it, from an event on where the query says so.

    Raises:
        Refusal: 404, or 400 for an event that is no number.
    """
    stored, query = _found(call), call.incoming.query
    if query.get("stream") == "true":
        await retell(call, reply, stored, after=_starting_after(query))
    else:
        await call.answer(reply, stored.body(call.site.now()), headers={})


async def get_input_items(call: Call, reply: Reply) -> None:
    await call.answer(reply, _found(call).input_items(), headers={})


async def delete_response(call: Call, reply: Reply) -> None:
    stored = _found(call)
    response_id = stored.response.envelope.id
    call.site.responses.forget(response_id)
    body = {"id": response_id, "object": "response", "deleted": True}
    await call.answer(reply, body, headers={})


async def cancel_response(call: Call, reply: Reply) -> None:
    """Cancel what runs in the background.

    Raises:
        Refusal: 404, or 400 for a response that does not run in the background.
    """
    stored = _found(call)
    if not stored.in_background:
        message = "Cannot cancel a synchronous response."
        raise refusal.invalid(message)
    stored.cancel(call.site.now())
    await call.answer(reply, stored.body(call.site.now()), headers={})


async def _refuse(call: Call, reply: Reply, throttle: Throttle, *, stream: bool) -> None:
    if not (stream and call.on_azure):
        raise throttle.refusal()
    await throttled_stream(call, reply, throttle.headers(), throttle.message())


def _start(call: Call, stored: StoredResponse, run: Run) -> None:
    """Whoever leaves, it goes on; it is accounted for as if it had ended."""
    stored.began_at = call.site.now() + run.pace.first() + run.pace.gaps(run.reasoning)
    stored.ready_at = stored.began_at + run.pace.gaps(run.longest - run.reasoning)
    call.generated = run.usage.output
    _keep(call, stored)


def _remembered(call: Call, stored: StoredResponse) -> Iterator[Frame]:
    """The response's events; it can be retrieved once the last one is on its way."""
    for frame in response_frames(stored.response):
        if frame.last:
            _keep(call, stored)
        yield frame


def _keep(call: Call, stored: StoredResponse) -> None:
    if stored.response.asked.get("store") is not False:
        call.site.responses.keep(stored)


def _stored(call: Call, ask: Ask, response: ModelResponse) -> StoredResponse:
    said = call.site.encode(response.answer.text)
    return StoredResponse(
        response=response,
        items=input_items(response.asked),
        context=[*ask.prompts[0].tokens, *said],
        began_at=call.site.now(),
        ready_at=call.site.now(),
        in_background=response.asked.get("background") is True,
    )


def _continued(call: Call, body: Body) -> StoredResponse | None:
    response_id = body.get("previous_response_id")
    if response_id is None:
        return None
    stored = call.site.responses.find(str(response_id))
    if stored is None:
        raise refusal.previous_response_not_found(str(response_id))
    return stored


def _starting_after(query: Mapping[str, str]) -> int:
    number = query.get("starting_after", "-1")
    try:
        return int(number)
    except ValueError:
        message = f"Invalid value for 'starting_after': '{number}' is not an integer."
        raise refusal.invalid(message, param="starting_after") from None


def _found(call: Call) -> StoredResponse:
    response_id = call.target.item or ""
    stored = call.site.responses.find(response_id)
    if stored is None:
        raise refusal.response_not_found(response_id)
    return stored
