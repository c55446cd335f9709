"""The admin plane's listener, which processes that only serve requests do without."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.api.admin.services import MetricsPage
from app.api.server import serving
from app.bootstrap.admin import Telemetry, admin_plane
from app.bootstrap.certificates import certificate
from app.bootstrap.listening import connection_limits, trusted_proxies, url_of
from app.bootstrap.opening import Opened


@asynccontextmanager
async def serving_admin(
    here: Opened, listener: socket.socket, page: MetricsPage
) -> AsyncIterator[None]:
    """The admin plane of this process; `page` is what it tells at `/metrics`."""
    process, traced = here.process, here.traced
    admin = admin_plane(
        here.state,
        lambda: process.current.settings,
        cached=here.cached,
        deployments=process.deployments,
        telemetry=Telemetry(process.readiness, page, traced.tracer_provider() if traced else None),
        data_url=lambda: process.data_url,
    )
    async with (
        certificate(process, "admin") as tls,
        serving(
            admin, listener, connection_limits(process), tls, trusted_proxies(process)
        ) as server,
    ):
        process.admin_url = url_of(listener, is_tls=tls is not None)
        process.listeners["admin"] = server
        yield
