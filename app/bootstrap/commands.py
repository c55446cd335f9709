"""What the command line starts, each until it is told to end."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
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
from app.api.server import CannotListen
from app.bootstrap.process import FileInForce, running
from app.bootstrap.simulation import (
    NotSimulated,
    Reloadable,
    Simulated,
    pointed_at,
    simulated_deployments,
)
from app.cli.check import utc_today, warnings
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
    for warning in warnings(settings, utc_today()):
        print(warning, file=sys.stderr)  # noqa: T201  # before there is anything to log about
    serve = _serve_simulated if simulate else _serve
    return run(serve(settings, file, logs))


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
        uvloop.run(_watched(main))
    except (CannotListen, EmbeddedRedisError, OSError) as error:
        return _fail(str(error), 1)
    return 0


async def _watched(main: Coroutine[Any, Any, None]) -> None:
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
        self._loaded = self._version()  # first: what changes while it is read is read again
        self._settings = listening_on(load(self._path, environment()), self._addresses)
        self.in_force.digest = self._loaded[1] if self._loaded else b""
        return self._settings

    async def reload(self, process: Reloadable) -> None:
        """Put it in force if that works; else the last good one stays."""
        before, self.in_force.is_last = self.in_force.digest, False
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
        self.in_force.digest = before

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
            return self._path.resolve(strict=True), sha256(self._path.read_bytes()).digest()
        except OSError:
            return None


def until_told(*signals: signal.Signals) -> asyncio.Event:
    """An event that the given signals set."""
    told = asyncio.Event()
    for number in signals or (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


@asynccontextmanager
async def beside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run work for as long as the block; whichever fails ends both and comes out as itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
            yield
            for task in tasks:
                task.cancel()
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None  # one line can tell of one only


@dataclass(frozen=True, slots=True)
class _Signals:
    """What a gateway is told; heard from the start, so that an early SIGHUP does not end it."""

    end: asyncio.Event
    hangup: asyncio.Event

    @classmethod
    def heard(cls) -> _Signals:
        return cls(until_told(), until_told(signal.SIGHUP))


async def _serve(settings: Settings, file: ConfigFile, logs: Logs) -> None:
    told = _Signals.heard()
    async with running(settings, logs=logs) as process:
        process.file = file.in_force
        _log.info("serving", data=process.data_url, admin=process.admin_url)
        await _until(told, process, file)


async def _serve_simulated(settings: Settings, file: ConfigFile, logs: Logs) -> None:
    told = _Signals.heard()
    deployments = simulated_deployments(settings, load_catalog())
    async with (
        serve_simulator(deployments, seed=settings.simulator.seed) as simulator_url,
        running(pointed_at(settings, simulator_url), logs=logs) as process,
    ):
        process.file = file.in_force
        _log.info("serving, all deployments simulated", data=process.data_url,
                  admin=process.admin_url, simulator=simulator_url)  # fmt: skip
        await _until(told, Simulated(process, settings, simulator_url), file)


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
