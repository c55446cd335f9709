"""A gateway in one process: both listeners, and the drain of one before the other closes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from app.adapters.logs import Logs
from app.api.listener import bind
from app.bootstrap.listening import serving_data
from app.bootstrap.listening_admin import serving_admin
from app.bootstrap.opening import opened
from app.bootstrap.process import Process
from app.ports import Observer
from app.settings import Settings


@asynccontextmanager
async def running(
    settings: Settings, *, observers: tuple[Observer, ...] = (), logs: Logs | None = None
) -> AsyncIterator[Process]:
    """Everything open and serving in this process; leaving the scope drains.

    `observers` are told of every receipt, besides the log; `logs` are the process's own, which
    then follow the configuration and what operators say.

    Raises CannotListen for an address in use, EmbeddedRedisError where no Redis can be started.
    """
    listen = settings.listen
    # The admin listener opens first and closes last: it answers while the other one drains.
    with (
        closing(bind(listen.host, listen.port)) as data_socket,
        closing(bind(listen.admin_host, listen.admin_port)) as admin_socket,
    ):
        async with (
            opened(settings, observers=observers, logs=logs) as here,
            serving_admin(here, admin_socket, here.metrics.page),
            serving_data(here.process, data_socket),
        ):
            yield here.process
