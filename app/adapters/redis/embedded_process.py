"""The embedded server as a process: its command, its start until it answers, its end."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from app.adapters.redis.embedded_errors import EmbeddedRedisFailed

START_TIMEOUT_S: Final = 30.0
STOP_TIMEOUT_S: Final = 5.0
POLL_INTERVAL_S: Final = 0.01

# The server needs none of the owner's environment, which holds secrets.
PASSED_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR", "TZ")

# Asks the kernel for SIGTERM (15) at the parent's death (PR_SET_PDEATHSIG, 1), makes sure that the
# parent did not die before that, and becomes the server. The signal follows the thread that
# started the process, so the context belongs to a loop that lives as long as the process.
LINUX_LAUNCHER: Final = """
import ctypes, os, sys
parent, *command = sys.argv[1:]
ctypes.CDLL(None).prctl(1, 15)
os.getppid() == int(parent) or os._exit(1)
os.execv(command[0], command)
"""


class ServerFiles(msgspec.Struct, frozen=True):
    """What the server has in its directory. `lock` is an open descriptor that holds the lock."""

    directory: Path
    socket: Path
    log: Path
    lock: int


async def start_server(
    server: Path, search: Path | None, files: ServerFiles, *, timeout_s: float = START_TIMEOUT_S
) -> Process:
    """The server, once it answers; EmbeddedRedisFailed when it ends or stays silent instead."""
    process = await _spawn(server_command(server, search, files.directory, files.socket), files)
    try:
        async with asyncio.timeout(timeout_s):
            await _answers(process, files)
    except BaseException as error:
        await stop_server(process)
        if isinstance(error, TimeoutError):
            reason = f"did not answer within {timeout_s:g} s"
            raise EmbeddedRedisFailed(reason, files.log) from error
        raise
    return process


async def _spawn(command: list[str], files: ServerFiles) -> Process:
    """A session of its own keeps Ctrl-C from the server, which would stop before its owner."""
    with files.log.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *bound_to_parent(command),
            stdin=DEVNULL,
            stdout=log,
            stderr=STDOUT,
            env={name: os.environ[name] for name in PASSED_ENVIRONMENT if name in os.environ},
            start_new_session=True,
            pass_fds=(files.lock,),
        )


def bound_to_parent(command: list[str], system: str = sys.platform) -> list[str]:
    """The command, ended by the kernel when this process dies; macOS has no such service."""
    if system != "linux":
        return command
    return [sys.executable, "-I", "-S", "-c", LINUX_LAUNCHER, str(os.getpid()), *command]


def server_command(server: Path, search: Path | None, directory: Path, socket: Path) -> list[str]:
    """No TCP port, no snapshots; writes are on disk within a second."""
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(directory),
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
    }
    if search:
        options["loadmodule"] = str(search)
    return [
        str(server),
        *(part for name, value in options.items() for part in (f"--{name}", value)),
    ]


async def _answers(process: Process, files: ServerFiles) -> None:
    while not await _pong(files.socket):
        if process.returncode is not None:
            reason = f"ended at its start with status {process.returncode}"
            raise EmbeddedRedisFailed(reason, files.log)
        await asyncio.sleep(POLL_INTERVAL_S)


async def _pong(socket: Path) -> bool:
    """Whether it serves: while it still reads its data it answers, but not with PONG."""
    try:
        reader, writer = await asyncio.open_unix_connection(socket)
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return await reader.readline() == b"+PONG\r\n"
    except OSError:
        return False
    finally:
        writer.close()


async def stop_server(process: Process, *, timeout_s: float = STOP_TIMEOUT_S) -> None:
    """Ask it to finish its file, then insist; gone when this returns, even if cancelled."""
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
