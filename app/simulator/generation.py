"""Runs what generates text: admission, content checks, and the answer in its own time."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from app.simulator import refusal
from app.simulator.answer import Answer
from app.simulator.ask import Ask
from app.simulator.call import Call
from app.simulator.client import ClientGone
from app.simulator.envelope import Envelope, Frame, Usage, usage_of
from app.simulator.meter import Demand, Throttled
from app.simulator.pace import Pace, pace_of
from app.simulator.prompt_cache import prefixes_of
from app.simulator.reply import Reply
from app.simulator.throttle import Throttle

Json = dict[str, Any]

_CHAT: Final = "chat/completions"
FILTER_MARKER: Final = "[[content_filter]]"
FILTER_MARKER_ALT: Final = "[[content_filter_alt]]"
_STREAM_ERROR: Final = (
    b'data: {"error":{"message":"The server had an error while processing your request.",'
    b'"type":"server_error","param":null,"code":"server_error"}}\n\n'
)
_STREAM_THROTTLE: Final = (
    b'data: {"error":{"message":"Rate limit is exceeded. Try again later.",'
    b'"type":"too_many_requests","param":null,"code":"rate_limit_exceeded"}}\n\n'
)


@dataclass(frozen=True, slots=True)
class Run:
    """A request that was admitted, with its answers and when their tokens come."""

    answers: list[Answer]
    pace: Pace
    usage: Usage

    @property
    def reasoning(self) -> int:
        return max(answer.reasoning for answer in self.answers)

    @property
    def longest(self) -> int:
        return max(answer.tokens for answer in self.answers)


def admit(call: Call, ask: Ask) -> Throttle | Demand:
    """Take capacity for `ask`, or say why not."""
    site = call.site
    prefixes = [prefixes_of(prompt.tokens, ask.cache_key) for prompt in ask.prompts]
    demand = Demand(
        prompt=ask.prompt_tokens,
        cached=sum(site.cache.known(each) for each in prefixes),
        cap=ask.cap,
        generations=ask.generations,
    )
    verdict = site.meter.admit(demand, site.now())
    if isinstance(verdict, Throttled):
        operation = call.target.operation or ""
        return Throttle(site.deployment, verdict, operation, call.api_version)
    call.admitted = verdict
    for each in prefixes:
        site.cache.remember(each)
    return demand


def check_content(call: Call, ask: Ask, demand: Demand) -> None:
    """What the service looks at once a request has been admitted.

    Raises:
        Refusal: 400, too long a prompt or answer (which costs nothing) or a filtered prompt (which
            does).
    """
    most = call.site.deployment.max_output_tokens
    if call.target.operation == _CHAT and most is not None and (ask.cap or 0) > most:
        raise refusal.too_many_tokens(asked=ask.cap or 0, most=most)
    window = call.site.deployment.context_window
    longest = max(len(prompt.tokens) for prompt in ask.prompts)
    if longest > window:
        param = "input" if call.target.operation == "responses" else "messages"
        raise refusal.context_too_long(window=window, tokens=longest, param=param)
    call.bill(demand)
    if FILTER_MARKER in ask.text:
        raise refusal.prompt_filtered(newer_spelling=False)
    if FILTER_MARKER_ALT in ask.text:
        raise refusal.prompt_filtered(newer_spelling=True)


def run_of(call: Call, ask: Ask, demand: Demand) -> Run:
    """Write the answers."""
    author = call.site.author
    deployment = call.site.deployment
    room = deployment.context_window - max(len(each.tokens) for each in ask.prompts)
    # What Azure says to a response or a completion that may be longer is not on record.
    room = min(room, deployment.max_output_tokens or room)
    answers = author.answers(ask, room=max(1, room))
    rng: Random = author.rng(ask, ask.prompts[0], -1)
    usage = usage_of(demand.prompt, demand.cached, answers)
    return Run(answers, pace_of(deployment, rng), usage)


def reported(call: Call, usage: Usage) -> Usage | None:
    """The usage that is told, which a fault may hide or zero."""
    if call.fault.usage == "missing":
        return None
    return Usage(0) if call.fault.usage == "zero" else usage


def envelope_of(call: Call, prefix: str) -> Envelope:
    model = call.site.deployment.model
    return Envelope(prefix + uuid.uuid4().hex, int(call.row.started), model, call.on_azure)


async def think(call: Call, run: Run) -> None:
    """Wait as long as the whole answer takes.

    Raises:
        ClientGone: the client left, with as much generated as there was time for.
    """
    now = asyncio.get_running_loop().time
    started = now()
    first = started + run.pace.first()
    ready = first + run.pace.gaps(run.longest)
    try:
        await call.client.sleep_until(ready)
    except ClientGone:
        part = (now() - first) / (ready - first) if ready > first else 0.0
        call.generated = int(run.usage.output * min(1.0, max(0.0, part)))
        raise
    call.generated = run.usage.output


async def stream(call: Call, reply: Reply, frames: Iterator[Frame], run: Run) -> None:
    """Send the frames at the pace of the run, each token's when it comes.

    Raises:
        ClientGone: the client left.
        Severed: a fault broke the connection.
    """
    call.row.status = 200
    await reply.open(call.headers())
    due = _first_due(run)
    chunks = 0
    for frame in frames:
        if frame.last:
            call.generated = run.usage.output
            await reply.finish(frame.data)
            return
        if chunks in breaks_of(call) and (chunks or frame.tokens):
            await reply.break_off()
        if frame.tokens:
            await _wait(call, run, due, first=not chunks)
            due += run.pace.gap() / len(run.answers)
            chunks += 1
            call.generated += frame.tokens
        await reply.write(frame.data)


async def stream_error(call: Call, reply: Reply) -> None:
    """A stream with status 200 whose first event is an error."""
    call.row.status = 200
    await reply.open(call.headers())
    throttled = call.fault.in_stream_429
    data = _STREAM_THROTTLE if throttled else _STREAM_ERROR
    await reply.finish(data, outcome="refused" if throttled else "error")


def _first_due(run: Run) -> float:
    """When the first visible token comes, on the loop's clock."""
    return asyncio.get_running_loop().time() + run.pace.first() + run.pace.gaps(run.reasoning)


async def _wait(call: Call, run: Run, due: float, *, first: bool) -> None:
    try:
        await call.client.sleep_until(due)
    except ClientGone:
        if first:
            missed = (due - asyncio.get_running_loop().time()) / (run.pace.tpot or 1.0)
            call.generated = max(0, run.usage.reasoning - max(0, round(missed)))
        raise
    if first:
        call.generated = run.usage.reasoning


def breaks_of(call: Call) -> set[int]:
    """After how many chunks with content the stream breaks."""
    points = (call.fault.cut_chunk, call.fault.stall_after_chunks)
    return {point for point in points if point is not None}
