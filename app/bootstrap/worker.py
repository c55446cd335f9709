"""One worker of several: serves requests as the process orders that started it."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec
import structlog
import uvloop

from app.adapters.logs import Logs, configure_logs
from app.adapters.metrics.snapshots import telling
from app.adapters.redis.data_format import UnreadableData
from app.adapters.redis.embedded_errors import EmbeddedRedisError
from app.adapters.unix_answers import answering
from app.adapters.workers.messages import LOG_TURNS, Begin, Failed, News, Ready, line_of
from app.adapters.workers.orders import Orders, lines_of, order_to_begin
from app.adapters.workers.views import view_of
from app.api.listener import CannotListen, bind
from app.bootstrap.config_file import HandedFile
from app.bootstrap.listening import serving_data
from app.bootstrap.loop import beside, watched
from app.bootstrap.opening import opened
from app.bootstrap.process import Process
from app.bootstrap.role import worker as role_of_worker
from app.bootstrap.settled import settle, share_arenas
from app.bootstrap.simulation import Reloadable, pointed_at, reloading
from app.cli.start import MISTAKE
from app.settings import ConfigProblems

_log = structlog.get_logger()


def worker() -> NoReturn:
    """Serve until told to end; its standard input and output belong to who started it.

    The process ends here: everything is closed by then, and taking an interpreter apart takes half
    a second, for which whoever started it would wait.
    """
    code = _served()
    sys.stderr.flush()
    os._exit(code)


def _served() -> int:
    share_arenas()
    news = _Messenger.taken()
    lines = lines_of(0)
    begin = order_to_begin(lines)
    if begin is None:  # whoever started it has gone already
        return 1
    with configure_logs() as logs:
        logs.share(begin.worker, Path(begin.directory) / LOG_TURNS)
        return _worked(_Worker(begin, news, logs), lines)


@dataclass(slots=True)
class _Messenger:
    """News to who started this process."""

    descriptor: int
    has_begun: bool = False

    @classmethod
    def taken(cls) -> _Messenger:
        """Take standard output for it: what anybody prints goes to standard error instead."""
        descriptor = os.dup(1)
        os.dup2(2, 1)
        return cls(descriptor)

    def tell(self, news: News) -> None:
        """The first is the one that counts; what comes after it is for the log."""
        if self.has_begun and isinstance(news, Failed):
            _log.error("worker_failed", why=news.message)
            return
        self.has_begun = True
        with suppress(OSError):
            os.write(self.descriptor, line_of(news))


def _worked(worker: _Worker, lines: Iterator[bytes]) -> int:
    try:
        uvloop.run(watched(worker.run(lines)))
    except ConfigProblems as found:
        worker.news.tell(Failed("\n".join(map(str, found.problems)), MISTAKE))
        return MISTAKE
    except (CannotListen, EmbeddedRedisError, UnreadableData, OSError) as error:
        worker.news.tell(Failed(str(error), 1))
        return 1
    return 0


class _Worker(msgspec.Struct, frozen=True):
    begin: Begin
    news: _Messenger
    logs: Logs

    async def run(self, lines: Iterator[bytes]) -> None:
        """Raises ConfigProblems, and what `serve` tells in one line."""
        orders = Orders.heard(lines)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, orders.end.set)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what to reload is an order
        file = HandedFile(Path(self.begin.config), self.begin.content)
        settings, simulator_url = file.load(), self.begin.simulator_url
        role = role_of_worker(self.begin.redis_url)
        pointed = pointed_at(settings, simulator_url)
        async with opened(pointed, logs=self.logs, role=role) as here:
            process = here.process
            process.generation, process.file = self.begin.generation, file.in_force
            reloaded = reloading(process, settings, simulator_url)
            async with (
                telling(self._socket("metrics"), here.metrics.openmetrics),
                answering(self._socket("view"), lambda: _view(process)),
                serving_data(process, _listener(self.begin), orders.hurry),
                beside(_reload_on(orders, reloaded, file)),
            ):
                settle()
                self.news.tell(Ready(str(self._socket("metrics")), str(self._socket("view"))))
                await orders.end.wait()
        if orders.is_orphan:
            await asyncio.to_thread(self._clear)

    def _socket(self, what: str) -> Path:
        """Another for each start, so that none meets what a killed one left."""
        return Path(self.begin.directory) / f"{self.begin.worker}-{os.getpid()}.{what}"

    def _clear(self) -> None:
        """Nobody is there to remove the directory: the last worker does."""
        directory = Path(self.begin.directory)
        self._socket("last").unlink(missing_ok=True)
        (directory / LOG_TURNS).unlink(missing_ok=True)
        with suppress(OSError):
            directory.rmdir()


async def _view(process: Process) -> bytes:
    return view_of(process.healths_here())


def _listener(begin: Begin) -> socket.socket:
    """The inherited one, or one that shares its address."""
    if begin.listener is None:
        return bind(begin.host, begin.port, shared=True)
    listener = socket.socket(fileno=begin.listener)
    listener.settimeout(0)
    return listener


async def _reload_on(orders: Orders, process: Reloadable, file: HandedFile) -> None:
    while True:
        file.handed = await orders.reloads.get()
        await file.reload(process)
