"""A gateway of several processes: this one has the admin plane, and workers that it looks after."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from app.adapters.background import background
from app.adapters.logs import Logs
from app.adapters.metrics import families as f
from app.adapters.metrics.snapshots import Snapshots
from app.adapters.workers.backoff import Backoff
from app.adapters.workers.messages import LOG_TURNS, Begin, Ready, Reload
from app.adapters.workers.process import WorkerProcess, start_worker
from app.adapters.workers.supervisor import ALIVE_WITHIN_S, Supervisor
from app.adapters.workers.views import Views
from app.api.listener import SPREADS, bind, hold
from app.bootstrap.listening import url_of
from app.bootstrap.listening_admin import serving_admin
from app.bootstrap.loop import beside
from app.bootstrap.opening import Opened, opened
from app.bootstrap.process import FileInForce, Process
from app.bootstrap.role import ADMIN
from app.settings import Settings, environment

#: How often workers are asked: what one that is killed takes along is as old at most. Seconds.
LOOK_S: Final = 1.0
#: For workers' last words beyond their drain, and what they still settle; then they are killed.
_ENDING_S: Final = 5.0


class Handed(msgspec.Struct, frozen=True):
    """What workers are told of the configuration; `simulator_url` stands in for deployments."""

    config: Path
    file: FileInForce
    simulator_url: str | None = None


class Scaled:
    """The process with the admin plane; a reload of it is one of all."""

    def __init__(
        self, here: Opened, handed: Handed, holder: socket.socket, directory: Path
    ) -> None:
        """Workers share the address of `holder`; `directory` is for sockets, and its owner's."""
        self.process: Process = here.process
        settings = here.process.current.settings
        self._handed = handed
        self._content = handed.file.content
        self._holder = holder
        self._directory = directory
        self._is_tls = settings.listen.tls is not None
        self._redis_url = None if settings.redis is not None else here.redis_url
        self.snapshots = Snapshots(own=here.metrics.openmetrics)
        self._views = Views()
        backoff = Backoff(random.random)
        count = settings.listen.workers
        self.supervisor = Supervisor(self._start, count, backoff=backoff, watcher=self)
        self._tell_of_itself(here)

    async def reload(self, settings: Settings) -> None:
        """Put it in force here, then in workers: what cannot be is told once, and reaches none."""
        await self.process.reload(settings)
        self._content = self._handed.file.content
        self.supervisor.tell(Reload(self._content))

    async def drain(self, hurry: asyncio.Event) -> None:
        """Have workers drain, at once when `hurry` is set; returns when they have ended."""
        self.process.readiness.draining = True
        self._holder.close()
        timeouts = self.process.current.settings.timeouts
        limit_s = timeouts.drain_lag_s + timeouts.drain_s + timeouts.settle_s + _ENDING_S
        await self.supervisor.drain(limit_s, hurry)

    def joined(self, number: int, ready: Ready) -> None:
        """Ask it from now on."""
        self.snapshots.joined(str(number), Path(ready.metrics))
        self._views.joined(number, Path(ready.view))

    def exited(self, number: int) -> None:
        """Keep what it counted."""
        self.snapshots.exited(str(number))
        self._views.exited(number)

    async def keep_asking(self) -> None:
        """Ask workers what they have counted and what they think, for ever."""
        while True:
            await asyncio.gather(self.snapshots.look(), self._views.look())
            await asyncio.sleep(LOOK_S)

    async def keep_looking_after(self) -> None:
        """Ask workers whether they are alive, for ever, and replace who is not."""
        while True:
            self.supervisor.heard(await self._views.answering(ALIVE_WITHIN_S))
            await asyncio.sleep(LOOK_S)

    async def _start(self, number: int) -> WorkerProcess:
        host, port = self._holder.getsockname()[:2]
        begin = Begin(
            worker=number,
            config=str(self._handed.config),
            content=self._content,
            generation=self.process.generation,
            host=host,
            port=port,
            directory=str(self._directory),
            listener=None if SPREADS else self._holder.fileno(),
            redis_url=self._redis_url,
            simulator_url=self._handed.simulator_url,
        )
        return await start_worker(begin, environment())

    def _tell_of_itself(self, here: Opened) -> None:
        process, supervisor, add = self.process, self.supervisor, here.metrics.readings.add
        process.readiness.serving = lambda: supervisor.serving
        process.healths = self._views.healths
        process.data_url = url_of(self._holder, is_tls=self._is_tls)
        add(f.WORKER_ENDS, lambda: {(how,): n for how, n in supervisor.ends_total.items()})
        add(f.WORKER_SILENT, lambda: {(): self.snapshots.silent_total})


@asynccontextmanager
async def scaled(settings: Settings, handed: Handed, logs: Logs) -> AsyncIterator[Scaled]:
    """Everything but requests served here, and workers started that serve those.

    Raises CannotListen, EmbeddedRedisError, and WorkerFailed where a worker cannot start at all.
    """
    listen = settings.listen
    with (
        hold(listen.host, listen.port, spreads=SPREADS) as holder,
        TemporaryDirectory(prefix="spillgate-") as directory,
    ):
        admin_socket = bind(listen.admin_host, listen.admin_port)
        logs.share(0, Path(directory) / LOG_TURNS)
        async with opened(settings, logs=logs, role=ADMIN) as here:
            several = Scaled(here, handed, holder, Path(directory))
            async with (
                serving_admin(here, admin_socket, several.snapshots.page),
                background("asking workers", several.keep_asking),
                background("looking after workers", several.keep_looking_after),
                beside(several.supervisor.run()),
            ):
                yield several
