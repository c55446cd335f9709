"""The configuration's file: read, put in force, and followed wherever it is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Final

import structlog

from app.bootstrap.process import FileInForce
from app.bootstrap.simulation import NotSimulated, Reloadable
from app.cli.start import Addresses, utc_today
from app.settings import ConfigProblems, Problem, Settings, environment, load
from app.settings.retirement import Retirement, retirements

_LOOK_MS: Final = 1000

_log = structlog.get_logger()


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


def _owned(settings: Settings, path: Path) -> Settings:
    """Those that a start takes, too. Raises ConfigProblems where the admin API has no owner."""
    if settings.admin is None:
        message = "is missing: the admin API needs an owner; there is no default"
        raise ConfigProblems((Problem(str(path), 1, 1, "admin.key", message),))
    return settings


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
        self._turn = asyncio.Lock()
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
        """Put it in force if that works; else the last good one stays.

        One at a time, from reading to being in force: what is said to be in force then is.
        """
        async with self._turn:
            await self._reload(process)

    async def _reload(self, process: Reloadable) -> None:
        before = self.in_force.digest, self.in_force.content
        self.in_force.is_last = False
        try:
            await process.reload(_owned(self.load(), self._path))
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
        from watchfiles import awatch  # noqa: PLC0415  # only where a file is followed

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
