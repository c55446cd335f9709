"""A worker as a process of its own: a new interpreter, told by a pipe what to do.

It holds the other end of that pipe: when the process that started it dies, however, the pipe closes
and the worker ends. No lock, thread or descriptor is shared as by a fork, and the command line
holds nothing but a number and a path.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

import msgspec

import app
from app.adapters.workers.messages import Begin, Failed, News, Order, line_of, news_of

#: For one whose pipe has closed: a worker ends itself a moment before.
RELEASE_S: Final = 12.0


async def start_worker(begin: Begin, environment: Mapping[str, str]) -> WorkerProcess:
    """A process that was told how to begin; a session of its own keeps Ctrl-C from it."""
    process = await asyncio.create_subprocess_exec(
        *command_of(begin),
        stdin=PIPE,
        stdout=PIPE,
        env=with_code(environment),
        start_new_session=True,
        pass_fds=() if begin.listener is None else (begin.listener,),
    )
    worker = WorkerProcess(process, begin.worker)
    worker.tell(begin)
    return worker


def command_of(begin: Begin) -> Sequence[str]:
    """Of the same interpreter; a module `app` in the working directory is not taken for ours.

    Without the columns of code, which mark the place in a line of a traceback: 0.4 MB.
    """
    shown = ("worker", "--number", str(begin.worker), "--config", begin.config)  # to who looks
    without = ("-X", "no_debug_ranges")
    return (sys.executable, "-P", *without, "-m", "app.bootstrap.worker_process", *shown)


def with_code(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, in which an interpreter finds the code that runs here."""
    code = str(Path(next(iter(app.__path__))).parent)
    paths = [code, *filter(None, [environment.get("PYTHONPATH")])]
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)}


class WorkerProcess:
    """A Worker."""

    def __init__(self, process: Process, number: int) -> None:
        """Made by `start_worker`."""
        self._process = process
        self._number = number
        self._orders = cast("asyncio.StreamWriter", process.stdin)  # both are pipes
        self._news = cast("asyncio.StreamReader", process.stdout)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    async def begun(self) -> News:
        """Its first news."""
        line = await self._news.readline()
        with suppress(msgspec.MsgspecError):
            return news_of(line)
        status = await self.ended()
        how = f"by signal {-status}" if status < 0 else f"with status {status}"
        return Failed(f"worker {self._number} ended at its start {how}", 1)

    async def ended(self) -> int:
        """Its exit code, or a signal's number as a negative one."""
        return await self._process.wait()

    def tell(self, order: Order) -> None:
        """Lines wait in memory until it reads them."""
        if self._process.returncode is None and not self._orders.is_closing():
            self._orders.write(line_of(order))

    def kill(self) -> None:
        """By the kernel."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def release(self) -> None:
        """Close its pipe; kill it where that does not end it in time, or this is cancelled."""
        self._orders.close()
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(RELEASE_S):
                    await self.ended()
        finally:
            if self._process.returncode is None:
                self.kill()
                await self.ended()
