"""Runs a private Redis for one machine: bound to a unix socket, its data kept in a directory.

The server lives exactly as long as the context that opened it. It is stopped at exit; on Linux the
kernel also stops it when this process dies without saying so. Its data directory is locked for as
long as the server itself runs, because two servers would share one append-only file unnoticed.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec
import structlog

from app.adapters.redis.embedded_binaries import Binaries, installed_binaries
from app.adapters.redis.embedded_errors import (
    EmbeddedRedisBusy,
    EmbeddedRedisError,
    EmbeddedRedisFailed,
    EmbeddedRedisUnavailable,
)
from app.adapters.redis.embedded_process import ServerFiles, start_server, stop_server

POLL_INTERVAL_S: Final = 0.01

# A server whose owner was killed still writes its file to the end before it lets go.
LOCK_TIMEOUT_S: Final = 2.0

#: Before one that ended is started again; and again, where that failed.
AGAIN_S: Final = 1.0
AGAIN_AFTER_FAILURE_S: Final = 10.0

# `sun_path` holds 108 bytes on Linux and 104 on macOS, the closing zero included.
MAX_SOCKET_PATH_BYTES: Final = 103


class EmbeddedRedis(msgspec.Struct, frozen=True):
    """A server that answers. `search_note` says why it is without search, where it is."""

    url: str
    search: bool
    search_note: str


@asynccontextmanager
async def embedded_redis(
    directory: Path, *, binaries: Binaries | None = None
) -> AsyncIterator[EmbeddedRedis]:
    """Start a server on the data in `directory`, which is made if missing; stop it at exit.

    One that ends by itself is started again, at the same URL.

    Raises:
        EmbeddedRedisUnavailable: no server is installed.
        EmbeddedRedisBusy: another process has a server on this directory.
        EmbeddedRedisFailed: the server ended, or did not answer within 30 s.
        OSError: the directory cannot be made or written.
    """
    binaries = binaries or installed_binaries()
    if binaries.server is None:
        raise EmbeddedRedisUnavailable
    directory = _made(directory)
    async with _locked(directory) as lock:
        with socket_path(directory) as socket:
            files = ServerFiles(directory, socket, directory / "redis.log", lock)
            process, search_note = await _start(binaries.server, binaries, files)
            kept = _Kept(binaries.server, binaries, files, process)
            keeping = asyncio.create_task(kept.keep())
            try:
                url = f"unix://{quote(str(socket))}"
                yield EmbeddedRedis(url, search=not search_note, search_note=search_note)
            finally:
                keeping.cancel()
                try:
                    await asyncio.wait({keeping})  # whatever it was starting has ended
                finally:
                    await stop_server(kept.process)


@dataclass(slots=True)
class _Kept:
    """A server that is started again where it ends by itself: killed, or out of memory."""

    server: Path
    binaries: Binaries
    files: ServerFiles
    process: Process

    async def keep(self) -> None:
        """For ever."""
        log = structlog.get_logger()
        while True:
            status = await self.process.wait()
            log.error("embedded_redis_ended", status=status, log=str(self.files.log))
            pause_s, is_back = AGAIN_S, False
            while not is_back:
                await asyncio.sleep(pause_s)
                pause_s, is_back = AGAIN_AFTER_FAILURE_S, await self._has_started()
            log.info("embedded_redis_back")

    async def _has_started(self) -> bool:
        try:
            self.process, _ = await _start(self.server, self.binaries, self.files)
        except (EmbeddedRedisError, OSError) as error:
            structlog.get_logger().error("embedded_redis_not_back", why=str(error))
            return False
        return True


async def _start(server: Path, binaries: Binaries, files: ServerFiles) -> tuple[Process, str]:
    """The answering server and why it has no search; a module that fails costs only that."""
    if binaries.search is None:
        return await start_server(server, None, files), binaries.search_note
    try:
        return await start_server(server, binaries.search, files), ""
    except EmbeddedRedisFailed:
        process = await start_server(server, None, files)
        return process, f"the search module did not load: see {files.log}"


@contextmanager
def socket_path(directory: Path) -> Iterator[Path]:
    """A path for the socket: in the directory, or in a private one where that path is too long."""
    path = directory / "redis.sock"
    if len(os.fsencode(path)) <= MAX_SOCKET_PATH_BYTES:
        yield path
        return
    short = Path(tempfile.mkdtemp(prefix="spillgate-"))
    try:
        yield short / path.name
    finally:
        shutil.rmtree(short, ignore_errors=True)


@asynccontextmanager
async def _locked(directory: Path) -> AsyncIterator[int]:
    """Hold the directory's lock; the server inherits it and keeps it for as long as it lives."""
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        await _take(lock, directory)
        yield lock
    finally:
        os.close(lock)


async def _take(lock: int, directory: Path) -> None:
    clock = asyncio.get_running_loop().time
    deadline = clock() + LOCK_TIMEOUT_S
    while not _taken(lock):
        if clock() > deadline:
            raise EmbeddedRedisBusy(directory, os.pread(lock, 64, 0).decode())
        await asyncio.sleep(POLL_INTERVAL_S)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"process {os.getpid()}".encode(), 0)


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory.resolve()
