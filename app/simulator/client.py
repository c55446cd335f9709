"""The other end of a connection: its request's body, and the moment it leaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from app.simulator.refusal import invalid

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

_MAX_BODY: Final = 64 * 2**20


class ClientGone(Exception):
    """The client closed its connection before the answer ended."""


class Client:
    """Listens for the client's leaving while the answer is made; every wait ends with it."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._sleeper: asyncio.Future[None] | None = None
        self.gone_at: float | None = None
        """When it was noticed, in Unix seconds."""

    async def read(self) -> bytes:
        """The request's body.

        Raises:
            ClientGone: it left before all was sent.
            Refusal: 400, the body is above 64 MiB.
        """
        chunks = bytearray()
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._leave()
                raise ClientGone
            chunks += message.get("body", b"")
            if len(chunks) > _MAX_BODY:
                raise invalid(f"The body is larger than {_MAX_BODY} bytes.")
            if not message.get("more_body", False):
                return bytes(chunks)

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening

    def check(self) -> None:
        """Raise ClientGone when it has left."""
        if self.gone_at is not None:
            raise ClientGone

    async def sleep_until(self, due: float) -> None:
        """Wait for the loop's time `due`, at least giving way to others.

        Raises:
            ClientGone: it left meanwhile.
        """
        self.check()
        loop = asyncio.get_running_loop()
        if due <= loop.time():
            await asyncio.sleep(0)
        else:
            self._sleeper = loop.create_future()
            timer = loop.call_at(due, _wake, self._sleeper)
            try:
                await self._sleeper
            finally:
                timer.cancel()
        self.check()

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(asyncio.get_running_loop().time() + seconds)

    async def wait_gone(self, *, at_most: float) -> None:
        """Wait until it has left, or `at_most` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(at_most):
                await self._gone.wait()

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._leave()

    def _leave(self) -> None:
        self.gone_at = time.time()
        self._gone.set()
        if self._sleeper is not None:
            _wake(self._sleeper)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
