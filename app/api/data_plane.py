"""The data plane: what is served on each of its connections.

No framework stands here: a call comes from its connection, and has one task. Whatever ends it, the
client is told in OpenAI's shape if it can still be told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

import msgspec
import structlog

from app.api.call import DataPlaneLimits, Head, HttpCall
from app.api.line import Line
from app.api.readiness import LIVE_PATH, READY_PATH, Readiness
from app.api.reply import HttpReply
from app.api.request_id import new_request_id, request_id_of
from app.errors import ClientGone, Overloaded, ShuttingDown, SpillgateError
from app.gateway import Gateway
from app.observation import Observation

#: After the drain's limit: for a client to take the error that ends its answer.
LAST_WORDS_S: Final = 1.0
_HEALTH: Final = frozenset({LIVE_PATH, READY_PATH})

_log = structlog.get_logger()


class DataPlane:
    """Serves requests with the gateway of the moment, and knows which are under way."""

    def __init__(
        self,
        gateway: Callable[[], Gateway],
        readiness: Readiness,
        limits: Callable[[], DataPlaneLimits],
        new_id: Callable[[], str] = new_request_id,
    ) -> None:
        """The callables give those of the moment; a request keeps the ones it started with.

        `new_id` names requests whose callers do not.
        """
        self._gateway = gateway
        self._readiness = readiness
        self._limits = limits
        self._new_id = new_id
        self._in_flight: set[HttpCall] = set()
        self._idle = asyncio.Event()  # set when the last one has ended

    @property
    def limits(self) -> DataPlaneLimits:
        """Those of the moment."""
        return self._limits()

    @property
    def in_flight(self) -> int:
        """Requests that are being served."""
        return len(self._in_flight)

    def call(self, head: Head, line: Line) -> HttpCall:
        """A request whose headers have come."""
        headers = head.headers
        request_id = request_id_of(headers, self._new_id)
        return HttpCall(head, headers, line, self._limits(), request_id)

    async def serve(self, call: HttpCall) -> None:
        """One request, from its headers to the end of its answer."""
        reply = HttpReply(call)
        if call.head.path in _HEALTH:
            await self._say_health(call, reply)
            return
        self._in_flight.add(call)
        try:
            gateway = self._gateway()
            if len(self._in_flight) > call.limits.max_in_flight:
                _refuse(call, gateway)
            await gateway.handle(call, reply)
        except BaseException as error:  # noqa: BLE001  # raised again where it is nothing of ours
            await _ended(call, reply, error)
        finally:
            self._in_flight.discard(call)
            call.line.left(call.task, is_answered=call.is_answered)
            if not self._in_flight:
                self._idle.set()

    async def drain(self, limit_s: float, *, last_words_s: float = LAST_WORDS_S) -> int:
        """Wait until nothing is under way; after `limit_s` seconds, cut off what is left: how many.

        Each client is told. One that does not read it within `last_words_s` seconds loses its
        connection, however long a write may stall otherwise.
        """
        if await self._is_idle_within(limit_s):
            return 0
        late = tuple(self._in_flight)
        for call in late:
            call.interrupt(ShuttingDown("The server is shutting down."))
        while not await self._is_idle_within(last_words_s):
            for call in tuple(self._in_flight):
                if call.line.would_block:
                    call.line.abort()
        return len(late)

    async def _is_idle_within(self, limit_s: float) -> bool:
        if not self._in_flight:
            return True
        self._idle.clear()
        try:
            async with asyncio.timeout(limit_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def _say_health(self, call: HttpCall, reply: HttpReply) -> None:
        status, said = self._readiness.status(call.head.path)
        body = msgspec.json.encode(said)
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        try:
            with suppress(ClientGone):
                await reply.start(status, headers)
                await reply.send(body)
                await reply.finish()
        finally:
            call.line.left(call.task, is_answered=call.is_answered)


def _refuse(call: HttpCall, gateway: Gateway) -> NoReturn:
    """A refusal that is seen like any other, though the gateway is spared the request."""
    error = Overloaded("Too many requests are in flight. Please retry shortly.", retry_after_s=1.0)
    observation = Observation(call, gateway.clock)
    with gateway.telemetry.observed(observation):
        observation.conclude(None, error)
    raise error


async def _ended(call: HttpCall, reply: HttpReply, error: BaseException) -> None:
    """Tell the client why, if it is there; one that left meanwhile ends that, too."""
    with suppress(ClientGone):
        try:
            await _told(call, reply, error)
        except asyncio.CancelledError:
            await _interrupted(call, reply)


async def _told(call: HttpCall, reply: HttpReply, error: BaseException) -> None:
    if isinstance(error, SpillgateError):
        await reply.refuse(error)
    elif isinstance(error, ClientGone) or not isinstance(error, Exception):
        raise error
    else:  # the last resort: whatever it was, the client is told
        _log.error("request failed", request_id=call.request_id, exc_info=error)
        message = f"The gateway failed on this request. Its id is {call.request_id}."
        await reply.refuse(SpillgateError(message))


async def _interrupted(call: HttpCall, reply: HttpReply) -> None:
    """A cancellation of our own making ends here; any other goes on."""
    task = asyncio.current_task()
    if call.interruption is None or task is None:
        raise asyncio.CancelledError
    task.uncancel()
    if isinstance(call.interruption, ShuttingDown):
        await reply.refuse(call.interruption)
