"""Starts a program on cores of its own, waits until it answers, and ends it."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from loadtest.bench.machine import can_precede

_READY_S: Final = 120.0
_END_S: Final = 10.0
_LOOK_S: Final = 0.05
_END_OF_LOG: Final = 800

# Pins itself, goes before others where it is to, asks the kernel for SIGTERM (15) at the parent's
# death (PR_SET_PDEATHSIG, 1), and becomes the program.
_LAUNCHER: Final = """
import ctypes, os, sys
parent, cores, first, *command = sys.argv[1:]
os.sched_setaffinity(0, map(int, cores.split(",")))
first and os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
ctypes.CDLL(None).prctl(1, 15)
os.getppid() == int(parent) or os._exit(1)
os.execvp(command[0], command)
"""


class NotStarted(Exception):
    """A program ended, or did not answer in time; says which, with the end of its log."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is started. `log` gets what it prints; `environment` is added to this process's.

    What is `first` runs before all that is not and shares its cores: it stands for another machine.
    """

    name: str
    command: Sequence[str]
    cores: Sequence[int]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    first: bool = False


@contextmanager
def running(program: Program, ready: Callable[[], bool]) -> Iterator[subprocess.Popen[bytes]]:
    """Run it while the context lasts. Raises NotStarted."""
    with program.log.open("wb") as log:
        process = subprocess.Popen(  # noqa: S603  # what the benchmark is made of
            pinned(program.command, program.cores, first=program.first),
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=program.directory,
            env={**os.environ, **program.environment},
            start_new_session=True,
        )
        try:
            _until_ready(program, process, ready)
            yield process
        finally:
            _end(process)


def end_on_term() -> None:
    """Have TERM end this process by an exception, so that what it started is ended, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def pinned(command: Sequence[str], cores: Sequence[int], *, first: bool = False) -> list[str]:
    """The command, on these cores, and ended with this process; `first`, where may be, as there."""
    where = ",".join(map(str, cores))
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), where]
    return [*launcher, "first" if first and can_precede() else "", *command]


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def answers(port: int, path: str = "/", *, status: int = 200) -> Callable[[], bool]:
    """Whether what listens there answers so."""

    def asked() -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == status
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return asked


def accepts(port: int) -> Callable[[], bool]:
    """Whether somebody listens there."""

    def asked() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            return False
        return True

    return asked


def _until_ready(
    program: Program, process: subprocess.Popen[bytes], ready: Callable[[], bool]
) -> None:
    until = time.monotonic() + _READY_S
    while not ready():
        if process.poll() is not None or time.monotonic() > until:
            how = "did not answer in time" if process.returncode is None else "ended"
            said = program.log.read_text(errors="replace")[-_END_OF_LOG:]
            raise NotStarted(f"{program.name} {how}: {said}")
        time.sleep(_LOOK_S)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, then insist, and leave nothing of its session behind."""
    process.terminate()
    try:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
