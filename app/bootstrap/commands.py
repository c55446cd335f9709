"""What the command line starts, each until it is told to end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvloop

from app.adapters.logs import Logs, configure_logs
from app.adapters.redis.data_format import UnreadableData
from app.adapters.redis.embedded_errors import EmbeddedRedisError
from app.adapters.workers.supervisor import WorkerFailed
from app.api.listener import CannotListen
from app.bootstrap.config_file import ConfigFile
from app.bootstrap.loop import beside, until_told, watched
from app.bootstrap.process import Process
from app.bootstrap.running import running
from app.bootstrap.scaled import Handed, scaled
from app.bootstrap.settled import settle, share_arenas
from app.bootstrap.simulation import (
    Reloadable,
    pointed_at,
    reloading,
    simulated_deployments,
)
from app.cli.check import usable_cpus, warnings
from app.cli.start import MISTAKE, Addresses, utc_today
from app.settings import ConfigProblems, Settings, environment, load, load_catalog

_log = structlog.get_logger()


def serve(config: Path, addresses: Addresses, simulate: bool) -> int:  # noqa: FBT001  # from the command line
    """Run the gateway on a config file, its deployments simulated if asked."""
    share_arenas()
    with configure_logs() as logs:
        return _served(ConfigFile(config, addresses), logs, simulate=simulate)


def _served(file: ConfigFile, logs: Logs, *, simulate: bool) -> int:
    try:
        settings = file.load()
    except ConfigProblems as found:
        return _fail("\n".join(map(str, found.problems)), MISTAKE)
    if settings.admin is None:
        message = "admin.key is not configured: the admin API needs an owner; there is no default"
        return _fail(message, MISTAKE)
    for warning in warnings(settings, utc_today(), usable_cpus()):
        print(warning, file=sys.stderr)  # noqa: T201  # before there is anything to log about
    return run(_serving(settings, file, logs, simulate=simulate))


def simulate(config: Path, host: str, port: int) -> int:
    """Stand in for the deployments of a config file."""
    try:
        settings = load(config, environment())
    except ConfigProblems as found:
        return _fail("\n".join(map(str, found.problems)), MISTAKE)
    with configure_logs():
        return run(_simulate(settings, host, port))


def run(main: Coroutine[Any, Any, None]) -> int:
    """Run to the end on uvloop; what keeps it from starting becomes one line and exit code 1."""
    try:
        uvloop.run(watched(main))
    except (CannotListen, EmbeddedRedisError, UnreadableData, OSError) as error:
        return _fail(str(error), 1)
    except WorkerFailed as failed:
        return _fail(str(failed), failed.code)
    return 0


class _Signals(msgspec.Struct, frozen=True):
    """What a gateway is told; heard from the start, so that an early SIGHUP does not end it."""

    end: asyncio.Event
    hangup: asyncio.Event

    @classmethod
    def heard(cls) -> _Signals:
        return cls(until_told(), until_told(signal.SIGHUP))


async def _serving(settings: Settings, file: ConfigFile, logs: Logs, *, simulate: bool) -> None:
    told = _Signals.heard()
    if simulate:
        from app.simulator.server import serve_simulator  # noqa: PLC0415  # only where asked for

        deployments = simulated_deployments(settings, load_catalog())
        async with serve_simulator(deployments, seed=settings.simulator.seed) as simulator_url:
            await _serve(_Start(settings, file, logs, simulator_url), told)
    else:
        await _serve(_Start(settings, file, logs), told)
    _log.info("stopped")


class _Start(msgspec.Struct, frozen=True):
    """What a gateway is started with; `simulator_url` stands in for its deployments."""

    settings: Settings
    file: ConfigFile
    logs: Logs
    simulator_url: str | None = None

    @property
    def pointed(self) -> Settings:
        return pointed_at(self.settings, self.simulator_url)

    def reloading(self, gateway: Reloadable) -> Reloadable:
        return reloading(gateway, self.settings, self.simulator_url)

    def tell(self, process: Process, **more: int) -> None:
        """Say that it serves, and where."""
        settle()
        if self.simulator_url is None:
            _log.info("serving", data=process.data_url, admin=process.admin_url, **more)
            return
        _log.info("serving, all deployments simulated", data=process.data_url,
                  admin=process.admin_url, simulator=self.simulator_url, **more)  # fmt: skip


async def _serve(start: _Start, told: _Signals) -> None:
    if start.settings.listen.workers > 1:
        await _serve_scaled(start, told)
        return
    async with running(start.pointed, logs=start.logs) as process:
        process.file = start.file.in_force
        start.tell(process)
        await _until(told, start.reloading(process), start.file)


async def _serve_scaled(start: _Start, told: _Signals) -> None:
    handed = Handed(start.file.path, start.file.in_force, start.simulator_url)
    async with scaled(start.pointed, handed, start.logs) as gateway:
        gateway.process.file = start.file.in_force

        async def tell() -> None:
            await gateway.supervisor.all_served.wait()
            start.tell(gateway.process, workers=start.settings.listen.workers)

        async with beside(tell()):
            await _until(told, start.reloading(gateway), start.file)
        told.end.clear()  # again: there is hurry
        await gateway.drain(told.end)


async def _until(told: _Signals, process: Reloadable, file: ConfigFile) -> None:
    """Keep the file in force until told to end."""
    async with beside(file.follow(process), _reload_on(told.hangup, process, file)):
        await told.end.wait()


async def _simulate(settings: Settings, host: str, port: int) -> None:
    from app.simulator.server import serve_simulator  # noqa: PLC0415  # `serve` does without

    told = until_told()
    deployments = simulated_deployments(settings, load_catalog())
    serving = serve_simulator(deployments, host=host, port=port, seed=settings.simulator.seed)
    async with serving as url:
        for deployment in deployments:
            print(f"{deployment.name}: {url}/{deployment.name}")  # noqa: T201  # what was asked for
        await told.wait()


async def _reload_on(hangup: asyncio.Event, process: Reloadable, file: ConfigFile) -> None:
    while True:
        await hangup.wait()
        hangup.clear()
        await file.reload(process)


def _fail(message: str, code: int) -> int:
    print(message, file=sys.stderr)  # noqa: T201  # the command's own words
    return code
