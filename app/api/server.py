"""The admin plane's server on the running loop: uvicorn without its own signal handling."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn

from app.api.forwarded import TrustedProxies
from app.api.listener import BACKLOG, ConnectionLimits, Crowd
from app.api.protocol import GatewayProtocol
from app.api.tls import RenewedContext, tls_options

_DATE_S = 1.0
#: After the drain: for clients to take the last bytes, and for requests that nobody drained.
_ENDING_S = 1.0


class _Server(uvicorn.Server):
    """Ends when it is told to, where uvicorn looks ten times a second whether it should."""

    def __init__(
        self, config: uvicorn.Config, one_closed: asyncio.Event, tls: dict[str, Any]
    ) -> None:
        """`one_closed` is set whenever a connection was closed."""
        super().__init__(config)
        self._tls = tls
        self.accepting = asyncio.Event()
        self.stopping = asyncio.Event()
        self._one_closed = one_closed

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to the process, not to one of its servers."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen with TLS whose handshakes end in time, which uvicorn leaves to take a minute."""
        await super().startup([])
        loop = asyncio.get_running_loop()
        for each in sockets or ():
            server = await loop.create_server(
                self._protocol, sock=each, backlog=BACKLOG, **self._tls
            )
            self.servers.append(server)

    def _protocol(self) -> asyncio.Protocol:
        config = self.config
        made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]  # as uvicorn itself
            config=config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    async def main_loop(self) -> None:
        """Keep the answers' date right until told to stop."""
        while not self.stopping.is_set():
            await self.on_tick(0)
            self.accepting.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DATE_S):
                    await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the listener and idle connections; wait for what is under way, however long."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        while state.connections:
            self._one_closed.clear()
            await self._one_closed.wait()
        if state.tasks:
            await asyncio.wait(list(state.tasks))

    def hang_up(self) -> None:
        """Cut off whatever is still under way."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        for task in list(self.server_state.tasks):
            task.cancel()


class _Protocol(GatewayProtocol):
    """Tells its server when its connection is closed."""

    one_closed: asyncio.Event

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.one_closed.set()


class RunningServer:
    """A server that accepts connections until it is told to stop."""

    def __init__(self, server: _Server, crowd: Crowd) -> None:
        """Made by `serving`."""
        self._server = server
        self._crowd = crowd

    @property
    def connections(self) -> int:
        """Those that are open."""
        return len(self._server.server_state.connections)

    @property
    def refused_total(self) -> int:
        """Connections that were not let in."""
        return self._crowd.refused_total

    def stop_accepting(self) -> None:
        """Close the listener and idle connections; running requests go on."""
        self._server.stopping.set()


@contextlib.asynccontextmanager
async def serving(
    app: Any,
    listener: socket.socket,
    limits: ConnectionLimits,
    tls: RenewedContext | None = None,
    proxies: TrustedProxies | None = None,
) -> AsyncIterator[RunningServer]:
    """Serve `app`, an ASGI application, on `listener` inside this scope.

    Ready when it is entered. What is still under way at its end has a second to finish. Raises
    OSError where the address cannot be listened on after all.
    """
    one_closed = asyncio.Event()
    crowd = Crowd(limits.most)
    own = {"limits": limits, "crowd": crowd, "proxies": proxies, "one_closed": one_closed}
    protocol = type("_OwnProtocol", (_Protocol,), own)
    config = _config(app, protocol, timeout_keep_alive=int(limits.keep_alive_s))
    server = _Server(config, one_closed, tls_options(tls, limits))
    async with _running(server, listener):
        yield RunningServer(server, crowd)


def _config(app: Any, protocol: Any, **more: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        **more,
    )


@contextlib.asynccontextmanager
async def _running(server: _Server, listener: socket.socket) -> AsyncIterator[None]:
    task = asyncio.create_task(server.serve(sockets=[listener]))
    task.add_done_callback(lambda _: server.accepting.set())  # or it failed: wait no longer
    try:
        await server.accepting.wait()
        if not task.done():
            yield
    finally:
        server.stopping.set()
        await asyncio.wait({task}, timeout=_ENDING_S)
        server.hang_up()
        await task
