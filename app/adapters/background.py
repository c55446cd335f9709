"""Work that goes on for as long as a scope is open, whatever befalls it.

A task that ends by an exception says nothing until somebody awaits it, and nobody awaits one that
is meant to run for ever: settlements would pile up, holds would expire, unnoticed.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from pathlib import Path
from traceback import extract_tb
from typing import Final

import structlog

#: Between an unexpected end and the next beginning.
PAUSE_S: Final = 1.0

#: All names that are given to `background`: closed, for they are a metric's label.
WORKS: Final = (
    "accounts",
    "anomalies",
    "answers",
    "archive",
    "asking workers",
    "audit log",
    "batch",
    "budget_alerts",
    "cache memory",
    "capacity",
    "certificates",
    "cluster",
    "comparison",
    "data format",
    "directory",
    "ejections",
    "event loop lag",
    "explanations",
    "holds",
    "ledger drift",
    "lineages",
    "logs",
    "looking after workers",
    "lowered limits",
    "measured errors",
    "replay",
    "replicas",
    "seeding",
    "semantic cache",
    "semantic cache in force",
    "semantic index",
    "usage export: otlp",
)

#: Of the scope that is open around the one who begins works; each process of several has its own.
_COUNTED: Final[ContextVar[Counter[str] | None]] = ContextVar("background works", default=None)

#: Runs until it is cancelled. It may be begun again at any time, so it keeps nothing in its frame.
Work = Callable[[], Awaitable[None]]


class Background:
    """The works of one scope; `failures_total` counts how often one ended by itself."""

    def __init__(self, name: str, pause_s: float) -> None:
        self._name = name
        self._pause_s = pause_s
        self._told: set[tuple[str, str]] = set()  # one for each line that can fail: bounded
        self.failures_total = 0
        self._counted = _COUNTED.get()
        if self._counted is not None:
            self._counted[name] += 0

    async def run(self, work: Work) -> None:
        """Keep it going until this is cancelled."""
        while True:
            error: BaseException | None = None
            try:
                await work()
            except asyncio.CancelledError as given_up:
                if _is_cancelled():
                    raise
                error = given_up  # what it waited for, not the work
            except Exception as failure:  # noqa: BLE001  # see above: told, and begun again
                error = failure
            if _is_cancelled():
                raise asyncio.CancelledError  # which `wait_for` may swallow (Python 3.11)
            self._note(error)
            await asyncio.sleep(self._pause_s)

    def _note(self, error: BaseException | None) -> None:
        """Count it, and tell where it happened, once; not its words, which may hold secrets."""
        self.failures_total += 1
        if self._counted is not None:
            self._counted[self._name] += 1
        trouble = ("ended", "") if error is None else (type(error).__name__, _place(error))
        if trouble not in self._told:
            self._told.add(trouble)
            log = structlog.get_logger()
            log.error("background_work_failed", work=self._name, error=trouble[0], at=trouble[1])


@contextmanager
def counting_failures() -> Iterator[Counter[str]]:
    """By name, how often works ended by themselves that are begun inside; at 0 from their begin.

    Also works that tasks begin which were made inside. Counts go on after the scope is left.
    """
    outer, counted = _COUNTED.get(), Counter[str]()
    _COUNTED.set(counted)
    try:
        yield counted
    finally:
        # Not by a token: a fixture of tests may be left in another context than it was entered in.
        _COUNTED.set(outer)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or bool(task.cancelling())


def _place(error: BaseException) -> str:
    """File and line of where it was raised."""
    frame = extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


@asynccontextmanager
async def background(
    name: str, *works: Work, pause_s: float = PAUSE_S
) -> AsyncIterator[Background]:
    """Run endless works in the scope; on leaving they are cancelled and have ended.

    One that ends is logged by `name`, once for each trouble, and begun again after `pause_s`
    seconds.
    """
    running = Background(name, pause_s)
    tasks = [asyncio.create_task(running.run(work), name=name) for work in works]
    try:
        yield running
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
