"""Send a kept answer: whole, or as the stream that it might have been."""

from __future__ import annotations

import asyncio
from typing import Final

from app.domain.cache.entry import Entry
from app.domain.call.request import InferenceRequest
from app.headers import add_own_headers
from app.observation import Observation
from app.ports import Clock, Reply
from app.wire.cache.echo import as_asked
from app.wire.cache.unfold import unfold
from app.wire.rate_limits import RateLimits

_STREAM: Final = "text/event-stream; charset=utf-8"
#: Shorter waits are put together: a loop's timer is not finer.
_FINEST_S: Final = 0.005
#: After so many others have their turn.
_PIECE_BYTES: Final = 16 * 1024


class Replay:
    """Answers from the cache, at a pace that a model could have."""

    def __init__(self, clock: Clock, *, tokens_per_s: float) -> None:
        """Streams have `tokens_per_s` tokens a second; 0: all at once."""
        self._clock = clock
        self._tokens_per_s = tokens_per_s
        self._rate_limits = RateLimits()

    async def send(
        self, entry: Entry, request: InferenceRequest, reply: Reply, observation: Observation
    ) -> None:
        """Send all of it; usage is what the answer had taken."""
        body = as_asked(entry.body, request)
        edges = observation.meter.relayed.edges
        if edges is not None:
            edges.body = body
        headers: dict[str, str] = {}
        add_own_headers(headers, observation, self._rate_limits)
        headers["age"] = str(int(observation.cache.age_s or 0))
        if request.stream:
            await reply.start(200, headers | {"content-type": _STREAM})
            await self._frames(body, request, reply, observation)
        else:
            length = {"content-type": "application/json", "content-length": str(len(body))}
            await reply.start(200, headers | length)
            observation.meter.first_token_at = self._clock.now()
            await _send(body, reply, observation)
        observation.meter.done = True
        await reply.finish()

    async def _frames(
        self, body: bytes, request: InferenceRequest, reply: Reply, observation: Observation
    ) -> None:
        """Frames that are due by now go out together; each waits for the tokens before it."""
        began, tokens, due = self._clock.now(), 0, b""
        usage = request.wants_usage
        for told in unfold(request.operation, body, include_usage=usage):
            ahead_s = self._ahead_s(tokens, began)
            if due and (ahead_s >= _FINEST_S or len(due) >= _PIECE_BYTES):
                await _send(due, reply, observation)
                due = b""
                await asyncio.sleep(max(0.0, self._ahead_s(tokens, began)))
            due += told.frame
            tokens += told.tokens
            observation.meter.frames += 1
            observation.meter.first_token_at = observation.meter.first_token_at or self._clock.now()
        await _send(due, reply, observation)

    def _ahead_s(self, tokens: int, began: float) -> float:
        if not self._tokens_per_s:
            return 0.0
        return tokens / self._tokens_per_s - (self._clock.now() - began)


async def _send(data: bytes, reply: Reply, observation: Observation) -> None:
    if data:
        await reply.send(data)
        observation.meter.bytes += len(data)
