"""What the command line starts, each until it is told to end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import structlog
import uvloop
from watchfiles import awatch

from app.adapters.logs import Logs, configure_logs
from app.adapters.logs.configure import loop_trouble
from app.adapters.redis.embedded_errors import EmbeddedRedisError
from app.adapters.workers.supervisor import WorkerFailed
from app.api.server import CannotListen
from app.bootstrap.beside import beside
from app.bootstrap.process import FileInForce, Process, running
from app.bootstrap.scaled import Handed, scaled
from app.bootstrap.simulation import (
    NotSimulated,
    Reloadable,
    Simulated,
    pointed_at,
    simulated_deployments,
)
from app.cli.check import usable_cpus, utc_today, warnings
from app.cli.commands import MISTAKE, Addresses
from app.settings import ConfigProblems, Settings, environment, load, load_catalog
from app.settings.retirement import Retirement, retirements
from app.simulator.server import serve_simulator

_LOOK_MS: Final = 1000

_log = structlog.get_logger()


def serve(config: Path, addresses: Addresses, simulate: bool) -> int:  # noqa: FBT001  # from the command line
    """Run the gateway on a config file, its deployments simulated if asked."""
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
    except (CannotListen, EmbeddedRedisError, OSError) as error:
        return _fail(str(error), 1)
    except WorkerFailed as failed:
        return _fail(str(failed), failed.code)
    return 0


async def watched(main: Coroutine[Any, Any, None]) -> None:
    """Have the loop tell of what nobody awaits as everything else is told."""
    asyncio.get_running_loop().set_exception_handler(loop_trouble)
    await main


def listening_on(settings: Settings, addresses: Addresses) -> Settings:
    """The settings with the addresses that were given on the command line."""
    given = {
        "host": addresses.host,
        "port": addresses.port,
        "admin_host": addresses.admin_host,
        "admin_port": addresses.admin_port,
        "workers": addresses.workers,
    }
    changed = {name: value for name, value in given.items() if value is not None}
    return settings.model_copy(update={"listen": settings.listen.model_copy(update=changed)})


class ConfigFile:
    """The configuration's file, with the addresses that the command line puts over it."""

    def __init__(
        self, path: Path, addresses: Addresses, today: Callable[[], date] = utc_today
    ) -> None:
        """Nothing is read yet."""
        self._path = path
        self._addresses = addresses
        self._today = today
        self._loaded: tuple[Path, bytes] | None = None
        self._settings: Settings | None = None
        self._told: list[Retirement] = []
        self.in_force = FileInForce()

    def load(self) -> Settings:
        """Read it. Raises ConfigProblems."""
        self._loaded = self._version()
        content = self._loaded[1] if self._loaded else None  # None: let it say why
        settings = load(self._path, environment(), content)
        self._settings = listening_on(settings, self._addresses)
        self.in_force.content = content or b""
        self.in_force.digest = sha256(self.in_force.content).digest()
        return self._settings

    async def reload(self, process: Reloadable) -> None:
        """Put it in force if that works; else the last good one stays."""
        before = self.in_force.digest, self.in_force.content
        self.in_force.is_last = False
        try:
            await process.reload(self.load())
        except ConfigProblems as found:
            problems = [str(problem) for problem in found.problems]
            _log.error("config not reloaded", problems=problems)
        except NotSimulated as refused:
            _log.error("config not reloaded", problems=[str(refused)])
        except Exception:  # noqa: BLE001  # whatever it was, requests are served as before
            _log.exception("config not reloaded")
        else:
            self.in_force.is_last = True
            return
        self.in_force.digest, self.in_force.content = before

    @property
    def path(self) -> Path:
        """Where it is."""
        return self._path

    async def follow(self, process: Reloadable) -> None:
        """Reload whenever the file is another or says something else.

        Its directory is watched, because mounted files are replaced rather than written, and what
        changes there need not have its name: Kubernetes swaps a directory that it links to. What
        is not seen, such as a change in a linked directory, is found within about a second.

        Deployments that retire soon are logged at the start, after a change, and once a day.
        """
        self._tell_retirements()
        watching = awatch(
            self._path.parent, recursive=False, rust_timeout=_LOOK_MS, yield_on_timeout=True
        )
        async for _ in watching:
            if await asyncio.to_thread(self._version) != self._loaded:
                await self.reload(process)
            self._tell_retirements()

    def _tell_retirements(self) -> None:
        """Once for each day and state of the file: days that are left are a part of them."""
        found = retirements(self._settings, self._today()) if self._settings else []
        for each in found if found != self._told else ():
            tell = _log.error if each.is_over else _log.warning
            event = "deployment retired" if each.is_over else "deployment retires"
            day = each.day.isoformat()
            tell(event, deployment=each.deployment, day=day, days_left=each.days_left)
        self._told = found

    def _version(self) -> tuple[Path, bytes] | None:
        """Where the file really is and what it says; None if it cannot be read."""
        try:
            return self._path.resolve(strict=True), self._path.read_bytes()
        except OSError:
            return None


class HandedFile(ConfigFile):
    """The file as another process has read it: `handed` is what it said."""

    def __init__(self, path: Path, handed: bytes) -> None:
        """Nothing is loaded yet."""
        super().__init__(path, Addresses())
        self.handed = handed

    def _version(self) -> tuple[Path, bytes]:
        return self._path, self.handed


def until_told(*signals: signal.Signals) -> asyncio.Event:
    """An event that the given signals set."""
    told = asyncio.Event()
    for number in signals or (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


@dataclass(frozen=True, slots=True)
class _Signals:
    """What a gateway is told; heard from the start, so that an early SIGHUP does not end it."""

    end: asyncio.Event
    hangup: asyncio.Event

    @classmethod
    def heard(cls) -> _Signals:
        return cls(until_told(), until_told(signal.SIGHUP))


async def _serving(settings: Settings, file: ConfigFile, logs: Logs, *, simulate: bool) -> None:
    told = _Signals.heard()
    if not simulate:
        await _serve(_Start(settings, file, logs), told)
        return
    deployments = simulated_deployments(settings, load_catalog())
    async with serve_simulator(deployments, seed=settings.simulator.seed) as simulator_url:
        await _serve(_Start(settings, file, logs, simulator_url), told)


@dataclass(frozen=True, slots=True)
class _Start:
    """What a gateway is started with; `simulator_url` stands in for its deployments."""

    settings: Settings
    file: ConfigFile
    logs: Logs
    simulator_url: str | None = None

    @property
    def pointed(self) -> Settings:
        url = self.simulator_url
        return self.settings if url is None else pointed_at(self.settings, url)

    def reloading(self, gateway: Reloadable) -> Reloadable:
        url = self.simulator_url
        return gateway if url is None else Simulated(gateway, self.settings, url)

    def tell(self, process: Process, **more: int) -> None:
        """Say that it serves, and where."""
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
