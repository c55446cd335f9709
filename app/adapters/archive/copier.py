"""Copies every tenant's ledger from Redis to the archive, and keeps short what Redis has of it.

The archive's own position says where to go on, so nothing is lost or doubled however the process
ends. Trimming leaves the entry at that position in the stream: a stream without it is not the one
that was archived, but one that was flushed or lost its last moments in a failover.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import msgspec
import structlog

from app.adapters.archive.archive import Archive
from app.adapters.archive.errors import ArchiveError
from app.adapters.archive.ledger_streams import LedgerStreams, Page, Trim
from app.adapters.archive.rollback import last_common
from app.adapters.archive.stream_id import START, parsed, unix_time
from app.errors import StoreUnavailable
from app.ports import Clock

INTERVAL_S: Final = 0.5
#: Rows that one round trip may bring, and the fewest it is reduced to where Redis is slow.
MOST_ROWS: Final = 2000
FEWEST_ROWS: Final = 64
TENANTS_AT_ONCE: Final = 32
#: Further pages that one round copies of those that have more.
PAGES_MORE: Final = 8
TRIM_EVERY_S: Final = 10.0
#: For the last round of a process that ends.
LAST_ROUND_S: Final = 2.0


class PartlyUnavailable(StoreUnavailable):
    """Some tenants' servers do not answer; the others' rows were copied."""


async def _nobody(_tenant: str) -> None:
    """Where nobody wants to know."""


class CopyPlan(msgspec.Struct, frozen=True):
    """Whose ledgers are copied, and how much of them Redis keeps once it is archived.

    `tenants` names all that may have rows, deleted ones until theirs are archived.
    `on_rolled_back` is told of each tenant whose stream lost what was archived, before its next row
    is copied, and again if it raises. It must not wait for the copier; reseeding is a task of its
    own, which calls `drain` first.
    """

    tenants: Callable[[], Collection[str]]
    on_rolled_back: Callable[[str], Awaitable[None]] = _nobody
    keep_s: float = 600.0
    keep_rows: int = 10_000


class LedgerCopier:
    """Copies twice a second for as long as its context is open, and once more at its end.

    Attributes:
        copied_total: rows archived since it was made.
        backlog: at most so many rows waited in Redis when it last looked.
    """

    def __init__(
        self, streams: LedgerStreams, archive: Archive, *, clock: Clock, plan: CopyPlan
    ) -> None:
        self._streams = streams
        self._archive = archive
        self._clock = clock
        self._plan = plan
        self._turn = asyncio.Lock()
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._rows = MOST_ROWS
        self._lost = 0
        self._trimmed_at = clock.now()
        self._complete_at = clock.now()
        self._trouble: str | None = None
        self.copied_total = 0
        self.backlog = 0

    @property
    def behind_s(self) -> float:
        """So many seconds ago is the moment up to which everything is archived."""
        return self._clock.now() - self._complete_at

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ending.set()
        if self._task:
            await self._task
        with suppress(StoreUnavailable, OSError, ArchiveError):  # told of by the round before
            async with asyncio.timeout(LAST_ROUND_S):
                await self.copy()

    async def copy(self) -> bool:
        """One round over all tenants; whether there is more already.

        Raises StoreUnavailable, OSError or ArchiveError; what was not archived stays in Redis.
        """
        async with self._turn:
            try:
                more = await self._copy_of(sorted(self._plan.tenants()))
            finally:
                if self._clock.now() - self._trimmed_at >= TRIM_EVERY_S:
                    await self._trim()
        self._complete_at = max(self._complete_at, self._clock.now() - self._age_of_oldest(more))
        return bool(more)

    async def drain(self, tenant: str) -> None:
        """Archive all that a tenant's stream has. Raises as `copy` does."""
        async with self._turn:
            while await self._copy_of([tenant]):
                pass

    async def trim(self) -> None:
        """Drop from Redis what is archived and not to be kept, as far as Redis answers."""
        async with self._turn:
            await self._trim()

    def _age_of_oldest(self, waiting: Collection[str]) -> float:
        """Seconds since the last row that was copied of the tenant that is behind most."""
        copied = (unix_time(self._archive.last_position(tenant)) for tenant in waiting)
        now = self._clock.unix()
        return max(0.0, now - min(copied, default=now))

    async def _run(self) -> None:
        while not self._ending.is_set():
            if not await self._round():
                with suppress(TimeoutError):
                    async with asyncio.timeout(INTERVAL_S):
                        await self._ending.wait()

    async def _round(self) -> bool:
        """Copy, whatever happens: a copier that ended would fill Redis unnoticed."""
        try:
            more = await self.copy()
        except Exception as error:  # noqa: BLE001  # see above: told, and tried again
            if not isinstance(error, PartlyUnavailable):
                self._rows = max(FEWEST_ROWS, self._rows // 2)
            self._note(type(error).__name__, str(error))
            return False
        self._rows = min(MOST_ROWS, self._rows * 2)
        self._note(None)
        return more

    async def _copy_of(self, tenants: Sequence[str]) -> Collection[str]:
        """A page of every tenant's rows, then larger ones of those that had more; who has still.

        Raises StoreUnavailable once those are copied whose server answers.
        """
        waiting: dict[str, int] = {}
        self._lost = 0
        for start in range(0, len(tenants), TENANTS_AT_ONCE):
            waiting |= await self._copy_some(tenants[start : start + TENANTS_AT_ONCE])
        for _ in range(PAGES_MORE if waiting else 0):
            busy = list(waiting)[:TENANTS_AT_ONCE]
            left = await self._copy_some(busy) if busy else {}
            waiting = {name: rows for name, rows in waiting.items() if name not in busy} | left
        self.backlog = sum(waiting.values())
        if self._lost:
            kind = PartlyUnavailable if self._lost < len(tenants) else StoreUnavailable
            raise kind("The gateway's store does not answer.")
        return waiting

    async def _copy_some(self, tenants: Sequence[str]) -> dict[str, int]:
        """Copy a page of each tenant's rows; those that have more, and at most how many."""
        count = max(1, self._rows // len(tenants))
        positions = {tenant: self._archive.last_position(tenant) for tenant in tenants}
        pages = await self._streams.pages(positions, count)
        self._lost += sum(not page.answered for page in pages)
        for page in pages:
            if page.rolled_back:
                await self._roll_back(page.tenant)
        batch = {page.tenant: page.entries for page in pages if page.entries}
        if batch:
            copied = await asyncio.to_thread(self._archive.append_all, batch)
            self.copied_total += copied
        left = {page.tenant: _left(page, count) for page in pages}
        return {tenant: rows for tenant, rows in left.items() if rows}

    async def _roll_back(self, tenant: str) -> None:
        """Go on from the last entry that the stream and the archive have in common."""
        await self._plan.on_rolled_back(tenant)
        position = await last_common(self._streams, self._archive, tenant)
        was = self._archive.last_position(tenant)
        await asyncio.to_thread(self._archive.reset, tenant, position)
        log = structlog.get_logger()
        log.error("ledger_rolled_back", tenant=tenant, archived=was, now=position)

    async def _trim(self) -> None:
        self._trimmed_at = self._clock.now()
        oldest = f"{max(0, int((self._clock.unix() - self._plan.keep_s) * 1000))}-0"
        trims = [
            Trim(tenant, position, min(position, oldest, key=parsed))
            for tenant in sorted(self._plan.tenants())
            if (position := self._archive.last_position(tenant)) != START
        ]
        for start in range(0, len(trims), TENANTS_AT_ONCE):
            some = trims[start : start + TENANTS_AT_ONCE]
            await self._streams.trim(some, keep_rows=self._plan.keep_rows)

    def _note(self, trouble: str | None, detail: str = "") -> None:
        """Log where it changed what keeps it from copying."""
        if trouble == self._trouble:
            return
        self._trouble = trouble
        log = structlog.get_logger()
        if trouble:
            log.error("ledger_not_copied", error=trouble, detail=detail)
        else:
            log.info("ledger_copied_again", copied_total=self.copied_total)


def _left(page: Page, count: int) -> int:
    """At most how many entries follow those of the page."""
    if page.rolled_back:
        return max(1, page.length)
    return max(1, page.length - len(page.entries)) if len(page.entries) >= count else 0
