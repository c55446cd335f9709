"""The data plane's server: accepts connections until it is told to stop.

There is no framework around it: a worker that serves nothing else does without uvicorn.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from email.utils import formatdate
from typing import Any, Final

from app.api.connection import ClientConnection, Serving
from app.api.forwarded import TrustedProxies
from app.api.listener import BACKLOG, ConnectionLimits
from app.api.plane import Plane
from app.api.tls import RenewedContext, tls_options

_DATE_S: Final = 1.0
#: After the drain: for clients to take the last bytes, and for requests that nobody drained.
_ENDING_S: Final = 1.0


class Connected:
    """The connections of a server and the calls on them; `default_headers` are all answers'."""

    def __init__(self) -> None:
        self.connections: set[ClientConnection] = set()
        self.tasks: set[asyncio.Task[Any]] = set()
        self.default_headers: list[tuple[bytes, bytes]] = []
        self.tell_date()

    def tell_date(self) -> None:
        """Answers from now on have the date of now."""
        self.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode())]


class PlaneServer:
    """A server that accepts connections; made by `serving_plane`."""

    def __init__(self, server: asyncio.Server, state: Connected, shared: Serving) -> None:
        """`state` is of the connections that `shared` makes."""
        self._server = server
        self._state = state
        self._closed = shared.one_closed
        self._crowd = shared.crowd
        self._ending: asyncio.Task[None] | None = None

    @property
    def connections(self) -> int:
        """Those that are open."""
        return len(self._state.connections)

    @property
    def refused_total(self) -> int:
        """Connections that were not let in."""
        return self._crowd.refused_total

    def stop_accepting(self) -> None:
        """Close the listener and idle connections; running requests go on."""
        if self._ending is None:
            self._server.close()
            for connection in list(self._state.connections):
                connection.shutdown()
            self._ending = asyncio.create_task(self._until_closed())

    async def end(self) -> None:
        """Stop; who is still under way after a moment is cut off."""
        self.stop_accepting()
        if self._ending is not None:
            await asyncio.wait({self._ending}, timeout=_ENDING_S)
            self._hang_up()
            await self._ending

    async def keep_dating(self) -> None:
        """Keep the answers' date right, for ever."""
        while True:
            await asyncio.sleep(_DATE_S)
            self._state.tell_date()

    async def _until_closed(self) -> None:
        while self._state.connections:
            self._closed.clear()
            await self._closed.wait()
        if self._state.tasks:
            await asyncio.wait(list(self._state.tasks))

    def _hang_up(self) -> None:
        for connection in list(self._state.connections):
            connection.transport.abort()
        for task in list(self._state.tasks):
            task.cancel()


@contextlib.asynccontextmanager
async def serving_plane(
    plane: Plane,
    listener: socket.socket,
    limits: ConnectionLimits,
    tls: RenewedContext | None = None,
    proxies: TrustedProxies | None = None,
) -> AsyncIterator[PlaneServer]:
    """Serve a plane on `listener` inside this scope.

    Ready when it is entered. What is still under way at its end has a second to finish. Raises
    OSError where the address cannot be listened on after all.
    """
    shared, state = Serving(plane, limits, proxies), Connected()
    accepted = await asyncio.get_running_loop().create_server(
        lambda: shared.connection(server_state=state),
        sock=listener,
        backlog=BACKLOG,
        **tls_options(tls, limits),
    )
    server = PlaneServer(accepted, state, shared)
    dating = asyncio.create_task(server.keep_dating())
    try:
        yield server
    finally:
        await server.end()
        dating.cancel()
