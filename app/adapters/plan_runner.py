"""Makes plans in a process of their own, at the lowest priority, one at a time.

A replay is minutes of arithmetic that an interpreter's other threads would wait for. A process
leaves both the interpreter and, by its priority, the processor to requests, and gives all of its
memory back.
"""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from app.errors import AlreadyRunning
from app.planner.sizing.job import PlanAsk, PlanJob, PlanState

#: Requests that are held in memory, about half a gigabyte.
AT_MOST: Final = 1_000_000
#: A plan that takes longer is given up.
LONGEST_S: Final = 1800.0
_MOST_BYTES: Final = 64 * 1024 * 1024
_MOST_ERROR: Final = 500


class PlanRunner:
    """`current` is the plan under way, else the last one."""

    def __init__(self, command: Sequence[str], archive: Path, unix: Callable[[], float]) -> None:
        """`command` makes a plan by its options; `archive` is the ledger's."""
        self._command = (*command, f"--archive={archive}", f"--at-most={AT_MOST}")
        self._unix = unix
        self._task: asyncio.Task[None] | None = None
        self.current: PlanJob | None = None

    def start(self, ask: PlanAsk, by: str = "") -> PlanJob:
        """Begin a plan of somebody's. Raises AlreadyRunning."""
        if self._task is not None and not self._task.done():
            raise AlreadyRunning("A plan is being made: wait for it, or cancel it.")
        self.current = PlanJob(ask, self._unix(), by=by)
        self._task = asyncio.create_task(self._run(ask))
        return self.current

    async def cancel(self) -> PlanJob | None:
        """End the one under way; what the last one is now."""
        task = self._task
        if task is not None and not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        return self.current

    async def _run(self, ask: PlanAsk) -> None:
        try:
            async with asyncio.timeout(LONGEST_S):
                self._ended(**await self._made(ask))
        except asyncio.CancelledError:
            self._ended(state=PlanState.CANCELLED)
            raise
        except TimeoutError:
            said = f"It took more than {LONGEST_S:.0f} s: choose a shorter time."
            self._ended(state=PlanState.FAILED, error=said)
        except (OSError, ValueError) as error:
            self._ended(state=PlanState.FAILED, error=f"{type(error).__name__}: {error}")

    async def _made(self, ask: PlanAsk) -> dict[str, Any]:
        """What becomes of the job."""
        process = await asyncio.create_subprocess_exec(
            *self._command, *ask.arguments(), stdin=DEVNULL, stdout=PIPE, stderr=PIPE,
            limit=_MOST_BYTES,
        )  # fmt: skip
        try:
            assert process.stdout is not None  # noqa: S101  # a pipe was asked for
            said, found = await asyncio.gather(self._follow(process), process.stdout.read())
            if await process.wait() == 0:
                return {"state": PlanState.DONE, "told": orjson.loads(found)}
            return {"state": PlanState.FAILED, "error": said or "It ended without a word."}
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _follow(self, process: Process) -> str:
        """Its progress, line by line; the last line that is none."""
        said = ""
        assert process.stderr is not None  # noqa: S101  # as above
        async for line in process.stderr:
            text = line.decode(errors="replace").strip()
            if text.isdecimal():
                self._changed(replayed=int(text))
            elif text:
                said = text.removeprefix("spillgate: ")[:_MOST_ERROR]
        return said

    def _ended(self, **fields: Any) -> None:
        self._changed(ended_at=self._unix(), **fields)

    def _changed(self, **fields: Any) -> None:
        if self.current is not None:
            self.current = replace(self.current, **fields)
