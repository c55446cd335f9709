"""Servers on the running loop: uvicorn without its own signal handling, bound before they start."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import uvicorn

from app.api.protocol import GatewayProtocol

_BACKLOG = 2048


class CannotListen(Exception):
    """An address cannot be listened on; the message names it and says why."""


class _Server(uvicorn.Server):
    """Signals belong to the process, not to one of its servers."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises CannotListen."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        message = f"cannot listen on {host}:{port}: {error.strerror}"
        raise CannotListen(message) from None
    listener.settimeout(0)
    return listener


class RunningServer:
    """A server that accepts connections until it is told to stop."""

    def __init__(self, server: uvicorn.Server, task: asyncio.Task[None]) -> None:
        """Made by `serving`."""
        self._server = server
        self._task = task

    def stop_accepting(self) -> None:
        """Close the listener and idle connections; running requests go on."""
        self._server.should_exit = True

    async def stopped(self) -> None:
        """Wait until every connection is closed."""
        await self._task


@contextlib.asynccontextmanager
async def serving(
    app: Any, listener: socket.socket, *, keep_alive_s: float, header_s: float
) -> AsyncIterator[RunningServer]:
    """Serve `app` on `listener` inside this scope; ready when it is entered. Times in seconds."""
    protocol = type("_Protocol", (GatewayProtocol,), {"header_limit_s": header_s})
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=_BACKLOG,
        timeout_keep_alive=int(keep_alive_s),
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.accepting.wait()
        yield RunningServer(server, task)
    finally:
        server.should_exit = True
        server.force_exit = True
        await task
