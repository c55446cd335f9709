"""The data plane: a raw ASGI application around the gateway.

No framework stands here: routing by table, one task per request and one that watches its
connection. Whatever ends a request, the client is told in OpenAI's shape if it can still be told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import structlog

from app.api.call import HttpCall
from app.api.protocol import EXTENSION, Connection
from app.api.readiness import LIVE_PATH, READY_PATH, Readiness
from app.api.reply import HttpReply
from app.errors import ClientGone, Overloaded, ShuttingDown, SpillgateError
from app.gateway import Gateway
from app.observation import Observation

#: After the drain's limit: for a client to take the error that ends its answer.
LAST_WORDS_S: Final = 1.0

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DataPlaneLimits:
    """What one client may take; sizes in bytes, times in seconds."""

    max_body: int
    body_s: float
    write_stall_s: float
    max_in_flight: int


class DataPlane:
    """Serves requests with the gateway of the moment, and knows which are under way."""

    def __init__(
        self,
        gateway: Callable[[], Gateway],
        readiness: Readiness,
        limits: Callable[[], DataPlaneLimits],
    ) -> None:
        """Both give those of the moment; a request keeps the ones it started with."""
        self._gateway = gateway
        self._readiness = readiness
        self._limits = limits
        self._in_flight: dict[HttpCall, Connection | None] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def limits(self) -> DataPlaneLimits:
        """Those of the moment."""
        return self._limits()

    @property
    def in_flight(self) -> int:
        """Requests that are being served."""
        return len(self._in_flight)

    async def __call__(self, scope: Mapping[str, Any], receive: Any, send: Any) -> None:
        """One HTTP request."""
        limits = self._limits()
        call = HttpCall(scope, receive, max_body=limits.max_body, body_limit_s=limits.body_s)
        connection = scope.get("extensions", {}).get(EXTENSION)
        reply = HttpReply(call, send, connection, write_stall_s=limits.write_stall_s)
        if scope["path"] in {LIVE_PATH, READY_PATH}:
            with suppress(ClientGone):
                await self._say_health(scope["path"], reply)
            return
        self._enter(call, connection)
        try:
            await self._serve(call, reply)
        finally:
            self._leave(call)

    async def drain(self, limit_s: float, *, last_words_s: float = LAST_WORDS_S) -> None:
        """Wait until nothing is under way; after `limit_s` seconds, cut off what is left.

        Each client is told. One that does not read it within `last_words_s` seconds loses its
        connection, however long a write may stall otherwise.
        """
        if await self._is_idle_within(limit_s):
            return
        for call in tuple(self._in_flight):
            call.interrupt(ShuttingDown("The server is shutting down."))
        while not await self._is_idle_within(last_words_s):
            for connection in tuple(self._in_flight.values()):
                if connection is not None and connection.would_block:
                    connection.abort()

    async def _is_idle_within(self, limit_s: float) -> bool:
        try:
            async with asyncio.timeout(limit_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    async def _serve(self, call: HttpCall, reply: HttpReply) -> None:
        """Serve, and refuse where that failed; a client that left meanwhile ends either."""
        with suppress(ClientGone):
            try:
                await self._answer(call, reply)
            except asyncio.CancelledError:
                await _interrupted(call, reply)

    async def _answer(self, call: HttpCall, reply: HttpReply) -> None:
        try:
            gateway = self._gateway()
            self._refuse_when_full(call, gateway)
            await gateway.handle(call, reply)
        except SpillgateError as error:
            await reply.refuse(error)
        except ClientGone:
            raise
        except Exception:  # noqa: BLE001  # the last resort: whatever it was, the client is told
            _log.exception("request failed", request_id=call.request_id)
            message = f"The gateway failed on this request. Its id is {call.request_id}."
            await reply.refuse(SpillgateError(message))

    def _refuse_when_full(self, call: HttpCall, gateway: Gateway) -> None:
        if len(self._in_flight) > self._limits().max_in_flight:
            raise _overloaded(call, gateway)

    async def _say_health(self, path: str, reply: HttpReply) -> None:
        status, said = self._readiness.status(path)
        body = msgspec.json.encode(said)
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        await reply.start(status, headers)
        await reply.send(body)
        await reply.finish()

    def _enter(self, call: HttpCall, connection: Connection | None) -> None:
        self._in_flight[call] = connection
        self._idle.clear()

    def _leave(self, call: HttpCall) -> None:
        call.close()
        self._in_flight.pop(call, None)
        if not self._in_flight:
            self._idle.set()


def _overloaded(call: HttpCall, gateway: Gateway) -> Overloaded:
    """A refusal that is seen like any other, though the gateway is spared the request."""
    error = Overloaded("Too many requests are in flight. Please retry shortly.", retry_after_s=1.0)
    observation = Observation(call, gateway.clock)
    with gateway.telemetry.observed(observation):
        observation.conclude(None, error)
    return error


async def _interrupted(call: HttpCall, reply: HttpReply) -> None:
    """A cancellation of our own making ends here; any other goes on."""
    task = asyncio.current_task()
    if call.interruption is None or task is None:
        raise asyncio.CancelledError
    task.uncancel()
    if isinstance(call.interruption, ShuttingDown):
        await reply.refuse(call.interruption)
