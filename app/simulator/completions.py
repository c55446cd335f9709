"""Chat completions, legacy completions and embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.simulator import refusal
from app.simulator.ask import Ask, chat_ask, completion_ask
from app.simulator.call import Call
from app.simulator.completion_bodies import Completion, completion_body, completion_frames
from app.simulator.embedding_bodies import dimensions_of, embedding_body, vector_of
from app.simulator.envelope import completion_usage
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
from app.simulator.prompt import text_prompts
from app.simulator.reply import Reply
from app.simulator.throttle import Throttle

Body = Mapping[str, Any]

_MAX_INPUTS = 2048


async def serve_completion(call: Call, reply: Reply, body: Body) -> None:
    """Answer a chat completion or a legacy completion.

    Raises:
        Refusal: the request is wrong, or there is no capacity for it.
        ClientGone: the client left.
        Severed: a fault broke the connection.
    """
    is_chat = call.target.operation == "chat/completions"
    ask = (chat_ask if is_chat else completion_ask)(body, call.site.encode)
    call.row.max_tokens = ask.cap
    verdict = admit(call, ask)
    if isinstance(verdict, Throttle):
        raise verdict.refusal()
    check_content(call, ask, verdict)
    run = run_of(call, ask, verdict)
    completion = _completion(call, ask, run, is_chat=is_chat)
    if ask.stream:
        await stream(call, reply, completion_frames(completion), run)
    else:
        await think(call, run)
        await call.answer(reply, completion_body(completion), headers={})


async def serve_embeddings(call: Call, reply: Reply, body: Body) -> None:
    """Answer with a vector per input.

    Raises:
        Refusal: the request is wrong, or there is no capacity for it.
        ClientGone: the client left.
        Severed: a fault broke the connection.
    """
    prompts = text_prompts(body.get("input"), call.site.encode, param="input")
    if len(prompts) > _MAX_INPUTS:
        raise refusal.invalid(f"Too many inputs: at most {_MAX_INPUTS}.", param="input")
    dimensions = dimensions_of(call.site.deployment.model, body)
    ask = Ask(prompts=prompts, cap=0)
    verdict = admit(call, ask)
    if isinstance(verdict, Throttle):
        raise verdict.refusal()
    check_content(call, ask, verdict)
    vectors = [vector_of(prompt, dimensions) for prompt in prompts]
    await call.client.sleep(call.site.deployment.ttft_ms / 1000)
    as_base64 = body.get("encoding_format") == "base64"
    answer = embedding_body(call.site.deployment.model, vectors, as_base64=as_base64)
    usage = {"prompt_tokens": verdict.prompt, "total_tokens": verdict.prompt}
    if call.fault.usage == "zero":
        usage = dict.fromkeys(usage, 0)
    if call.fault.usage != "missing":
        answer["usage"] = usage
    await call.answer(reply, answer, headers={})


def _completion(call: Call, ask: Ask, run: Run, *, is_chat: bool) -> Completion:
    usage = reported(call, run.usage)
    return Completion(
        envelope=envelope_of(call, "chatcmpl-" if is_chat else "cmpl-"),
        ask=ask,
        answers=run.answers,
        usage=None if usage is None else completion_usage(usage),
        is_chat=is_chat,
    )
