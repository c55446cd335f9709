"""The data plane's listener, and its drain."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import structlog

from app.api.forwarded import TrustedProxies
from app.api.listener import ConnectionLimits
from app.api.plane_server import PlaneServer, serving_plane
from app.bootstrap.certificates import certificate
from app.bootstrap.open_files import allow_open_files
from app.bootstrap.process import Process

_Result = TypeVar("_Result")
_log: Final = structlog.get_logger()


@asynccontextmanager
async def serving_data(
    process: Process, listener: socket.socket, hurry: asyncio.Event | None = None
) -> AsyncIterator[None]:
    """The data plane of this process; leaving the scope drains, at once when `hurry` is set."""
    limits = connection_limits(process)
    allow_open_files(limits.most)
    async with (
        certificate(process, "data") as tls,
        serving_plane(
            process.data_plane, listener, limits, tls, trusted_proxies(process)
        ) as server,
    ):
        process.data_url = url_of(listener, is_tls=tls is not None)
        process.listeners["data"] = server
        yield
        await _drain(process, server, hurry or asyncio.Event())


async def _drain(process: Process, server: PlaneServer, hurry: asyncio.Event) -> None:
    """Say no at `/readyz`, wait until that is seen, stop accepting, let streams end."""
    timeouts, plane = process.current.settings.timeouts, process.data_plane
    lag_s, limit_s = timeouts.drain_lag_s, timeouts.drain_s
    process.readiness.draining = True
    _log.info("draining", in_flight=plane.in_flight, drain_lag_s=lag_s, drain_s=limit_s)
    await _unless(hurry, asyncio.sleep(lag_s))
    server.stop_accepting()
    cut_off = await _unless(hurry, plane.drain(limit_s))
    if cut_off is None:
        cut_off = await plane.drain(0)
    _log.info("drained", cut_off=cut_off)


async def _unless(hurry: asyncio.Event, work: Coroutine[Any, Any, _Result]) -> _Result | None:
    """Wait for the work until there is hurry; what it came to, None where it was not done."""
    working, hurrying = asyncio.create_task(work), asyncio.create_task(hurry.wait())
    try:
        await asyncio.wait({working, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        hurrying.cancel()
        working.cancel()


def connection_limits(process: Process) -> ConnectionLimits:
    """Those in force; a listener keeps what it was opened with."""
    settings = process.current.settings
    timeouts = settings.timeouts
    return ConnectionLimits(
        header_s=timeouts.header_s,
        body_s=timeouts.body_s,
        keep_alive_s=timeouts.keep_alive_s,
        write_stall_s=timeouts.write_stall_s,
        most=settings.limits.max_connections,
    )


def trusted_proxies(process: Process) -> TrustedProxies | None:
    """Those that are configured; None where nobody is believed."""
    networks = process.current.settings.listen.trusted_proxies
    return TrustedProxies(networks) if networks else None


def url_of(listener: socket.socket, *, is_tls: bool) -> str:
    """Where it listens."""
    host, port = listener.getsockname()[:2]
    scheme = "https" if is_tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
