"""Runs the simulator on the current event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from uvicorn import Config, Server
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.simulator.app import create_simulator
from app.simulator.deployment import SimulatedDeployment
from app.simulator.reply import TRANSPORT_EXTENSION

_BACKLOG: Final = 2048
_ENDING_S: Final = 2.0
# Idle connections of a pool stay usable, as Azure's do: its front ends keep them for minutes.
_KEEP_ALIVE_S: Final = 240


@asynccontextmanager
async def serve_simulator(
    deployments: Sequence[SimulatedDeployment],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    seed: int = 7,
) -> AsyncIterator[str]:
    """Serve until the block ends; yields the base URL, under which each deployment has its name.

    Running requests are cut off at the end. Signals are left to the caller.

    Raises:
        OSError: the address cannot be listened on.
    """
    app = create_simulator(deployments, seed=seed)
    with _listener(host, port) as listener:
        await asyncio.to_thread(app.simulator.warm)
        config = Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        try:
            await server.listening.wait()
            address = listener.getsockname()
            shown = f"[{address[0]}]" if ":" in address[0] else address[0]
            yield f"http://{shown}:{address[1]}"
        finally:
            server.stopping.set()
            await serving


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sets TCP_NODELAY only where the protocol is named; else small answers wait 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


class _Protocol(HttpToolsProtocol):
    """Lets the application reach the transport, for faults that HTTP cannot express."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        extensions = self.scope.setdefault("extensions", {})
        extensions[TRANSPORT_EXTENSION] = {"transport": self.transport}


class _Server(Server):
    """A server that someone else starts and stops."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: the program that runs the simulator has its own handlers."""
        yield

    async def main_loop(self) -> None:
        self.listening.set()
        await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Hang up on everyone; the running requests notice and end."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        tasks = list(self.server_state.tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_ENDING_S)
            for task in late:
                task.cancel()
