"""Keeping an archive, and succeeding whoever kept it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from app.adapters.archive.errors import ArchiveBusy, ArchiveError
from app.bootstrap.derived import Derived
from app.bootstrap.keeping import Held, Keeper, keeping

PATIENCE_S = 20.0


@dataclass
class Shelf:
    """An archive that is busy, damaged, slow to open, or to be had; and what became of it."""

    busy: bool = False
    broken: bool = False
    slow: bool = False
    tries: int = 0
    said: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Held]:
        """As `held` does."""
        self.tries += 1
        if self.busy:
            raise ArchiveBusy(Path("archive"), "process 7")
        if self.broken:
            raise ArchiveError("a line cannot be read")
        try:
            if self.slow:
                self.said.append("opening")
                await asyncio.Event().wait()
            self.said.append("opened")
            yield Held(cast("Any", "kept"), Derived())
            await asyncio.sleep(0)  # the last round
            self.said.append("copied the last")
        finally:
            self.said.append("closed")

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[Keeper]:
        """By a process that tries again at once."""
        async with keeping(self.opened, pause_s=(0.005, 0.01), failed_pause_s=0.01) as keeper:
            yield keeper

    async def tried(self, more: int = 3) -> None:
        """Wait until it was tried so many times more."""
        goal = self.tries + more
        async with asyncio.timeout(PATIENCE_S):
            while self.tries < goal:
                await asyncio.sleep(0.001)


async def holds(keeper: Keeper) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while keeper.held is None:
            await asyncio.sleep(0.001)


async def test_a_free_archive_is_kept_before_anything_else_begins() -> None:
    """And until the scope ends."""
    shelf = Shelf()
    async with shelf.kept() as keeper:
        assert keeper.held is not None
        assert shelf.said == ["opened"]
    assert keeper.held is None
    assert shelf.said == ["opened", "copied the last", "closed"]


async def test_one_that_cannot_be_used_ends_the_start() -> None:
    """A gateway that could never archive should not come up."""
    with pytest.raises(ArchiveError, match="a line cannot be read"):
        async with Shelf(broken=True).kept():
            pytest.fail("it is not kept")


async def test_a_busy_one_is_taken_over_once_it_is_free() -> None:
    """And is left with a last round, not in the middle of one."""
    shelf = Shelf(busy=True)
    async with shelf.kept() as keeper:
        await shelf.tried()
        assert keeper.held is None
        shelf.busy = False
        await holds(keeper)
    assert keeper.held is None
    assert shelf.said == ["opened", "copied the last", "closed"]


async def test_what_goes_wrong_with_taking_over_is_tried_again() -> None:
    """A full disk may have room later."""
    shelf = Shelf(busy=True)
    async with shelf.kept() as keeper:
        await shelf.tried()
        shelf.busy, shelf.broken = False, True
        await shelf.tried()
        assert keeper.held is None
        shelf.broken = False
        await holds(keeper)
    assert shelf.said[-2:] == ["copied the last", "closed"]


async def test_who_is_about_to_take_over_does_not_hold_up_the_end() -> None:
    """Accounts of a large archive take a while to seed: what is opened by then is closed."""
    shelf = Shelf(busy=True)
    async with asyncio.timeout(PATIENCE_S):
        async with shelf.kept():
            shelf.busy, shelf.slow = False, True
            while not shelf.said:
                await asyncio.sleep(0.001)
    assert shelf.said == ["opening", "closed"]


async def test_an_error_in_the_scope_passes_through_a_successor() -> None:
    """What befalls a process while it keeps the archive is not the archive's."""
    shelf = Shelf(busy=True)

    async def troubled() -> None:
        async with shelf.kept() as keeper:
            shelf.busy = False
            await holds(keeper)
            raise RuntimeError("elsewhere")

    with pytest.raises(RuntimeError, match="elsewhere"):
        await troubled()
    assert shelf.said == ["opened", "copied the last", "closed"]
