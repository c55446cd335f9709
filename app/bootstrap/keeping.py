"""Who keeps the ledger's archive: one process at a time, and when that one ends, another."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from app.adapters.archive.errors import ArchiveBusy
from app.adapters.background import background
from app.settings import Ledger, Settings

if TYPE_CHECKING:  # the archive's adapters are for who keeps it
    from app.bootstrap.archiving import Archiving, Kept
    from app.bootstrap.derived import Derived

#: How often who does not keep the archive tries to: well within the time that accounts wait for a
#: server to be compared with it (`lineage.GRACE_S`), and not all processes at once. Seconds.
PAUSE_S: Final = (0.5, 1.5)
#: And after something else went wrong, which may have cost the reading of a file.
FAILED_PAUSE_S: Final = 5.0


class Held(msgspec.Struct, frozen=True):
    """What its keeper has."""

    kept: Kept
    derived: Derived


#: Opens all of it, for as long as a scope is. Raises ArchiveBusy while another process has it.
Opening = Callable[[], AbstractAsyncContextManager[Held]]


@asynccontextmanager
async def held(archiving: Archiving, settings: Settings) -> AsyncIterator[Held]:
    """The archive, and what is made of it. Raises ArchiveError or OSError."""
    from app.bootstrap.derived import Source, made_of_archive  # noqa: PLC0415  # as above

    async with archiving.opened(settings.ledger or Ledger()) as kept:
        source = Source(kept.progress, archiving.keys, archiving.store.batch)
        async with made_of_archive(source, settings) as derived:
            yield Held(kept, derived)


@dataclass(slots=True)
class Keeper:
    """What this process has of the archive; `held` is None while another one keeps it."""

    held: Held | None = None

    @asynccontextmanager
    async def holding(self, opening: Opening) -> AsyncIterator[None]:
        """Keep it for as long as the scope is open. Raises what `opening` does."""
        async with opening() as opened:
            self.held = opened
            try:
                yield
            finally:
                self.held = None


@asynccontextmanager
async def keeping(
    opening: Opening,
    *,
    pause_s: tuple[float, float] = PAUSE_S,
    failed_pause_s: float = FAILED_PAUSE_S,
) -> AsyncIterator[Keeper]:
    """Keep the archive from now on or, where another process does, once that one has ended.

    Raises what `opening` does at first, but for ArchiveBusy. What it raises later is logged, and it
    is tried again.
    """
    keeper = Keeper()
    async with AsyncExitStack() as opened:
        try:
            await opened.enter_async_context(keeper.holding(opening))
        except ArchiveBusy as busy:
            structlog.get_logger().info("archive_kept_by_another", detail=str(busy))
            successor = _Successor(keeper, opening, pause_s)
            await opened.enter_async_context(_succeeding(successor, failed_pause_s))
        yield keeper


@asynccontextmanager
async def _succeeding(successor: _Successor, failed_pause_s: float) -> AsyncIterator[None]:
    async with background("archive", successor.keep_trying, pause_s=failed_pause_s):
        try:
            yield
        finally:
            await successor.leave()


@dataclass(slots=True)
class _Successor:
    """Takes the archive over.

    One that holds it leaves in peace, as its last rows are copied then; one that is only about to
    is cancelled.
    """

    keeper: Keeper
    opening: Opening
    pause_s: tuple[float, float]
    _ending: asyncio.Event = field(default_factory=asyncio.Event)
    _left: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep_trying(self) -> None:
        """Wait for it, then hold it until told to leave."""
        while not self._ending.is_set():
            await asyncio.sleep(random.uniform(*self.pause_s))  # noqa: S311  # no secret
            with suppress(ArchiveBusy):
                await self._hold()

    async def leave(self) -> None:
        """Hold it no more."""
        self._ending.set()
        if self.keeper.held is not None:
            await self._left.wait()

    async def _hold(self) -> None:
        try:
            async with self.keeper.holding(self.opening):
                self._left.clear()  # which it was after tries before
                structlog.get_logger().info("archive_taken_over")
                await self._ending.wait()
        finally:
            self._left.set()
