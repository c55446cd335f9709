"""Settles what workers of this machine that are gone left in their spools.

Settling is idempotent by id, so that what they had settled themselves is not charged again. The
account remembers ids for two days, and none across a flush: what the archive has is left out here,
and what is older than that is put aside for a person to decide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec
import structlog

from app.adapters.accounts.settlements import Settlements
from app.adapters.accounts.spool import Leftover, Spooled, leftovers
from app.adapters.archive.reader import ArchiveReader
from app.adapters.background import background
from app.adapters.redis.account import REMEMBERED_S, AccountScript
from app.domain.ledger.ledger_row import LedgerRow, RowKind, UnreadableRow, decode
from app.ports import Clock

LOOK_S: Final = 5.0
#: How long one look tries to settle a part of a file; a tenant may not be seeded, or Redis be away.
PATIENCE_S: Final = 10.0
_AT_ONCE: Final = 1000
#: What is this much younger than what the account forgets is certainly remembered.
_MARGIN_S: Final = 3600.0

#: What a row is told by: its tenant, its id, and when it was made.
Identity = tuple[str, str, float]


class Replay(msgspec.Struct, frozen=True):
    """Looks after the spools below `archive`, the ledger's archive on this machine."""

    archive: Path
    script: AccountScript
    clock: Clock
    patience_s: float = PATIENCE_S

    @property
    def directory(self) -> Path:
        """Where the spools are."""
        return self.archive / "spool"

    async def keep_replaying(self) -> None:
        """Look for leftovers now and every few seconds, for ever."""
        while True:
            await self.replay()
            await asyncio.sleep(LOOK_S)

    async def replay(self) -> None:
        """Settle every leftover that there is, as far as Redis takes it."""
        for leftover in leftovers(self.directory):
            if await self._settled(leftover):
                leftover.remove()
                log = structlog.get_logger()
                log.warning("spool_replayed", file=str(leftover.path))

    async def _settled(self, leftover: Leftover) -> bool:
        """Whether nothing is left to do about this file."""
        known = await asyncio.to_thread(self._archived, leftover)
        lines = _once(leftover.lines(), known)
        late = 0
        while part := await asyncio.to_thread(lambda: list(islice(lines, _AT_ONCE))):
            fresh = [each for each in part if self._is_remembered(each)]
            late += len(part) - len(fresh)
            if not await self._settle(fresh):
                return False
        if late:
            aside = leftover.path.rename(leftover.path.with_suffix(".late"))
            structlog.get_logger().error("spool_too_late", file=str(aside), settlements=late)
        return not late

    async def _settle(self, part: Iterable[Spooled]) -> bool:
        queue = Settlements(self.script, self.clock)
        for each in part:
            queue.add(each.tenant, each.settlement)
        async with background("replay", queue.keep_settling):
            return await queue.settled(self.patience_s)

    def _is_remembered(self, line: Spooled) -> bool:
        return self.clock.unix() - line.at < REMEMBERED_S - _MARGIN_S

    def _archived(self, leftover: Leftover) -> Collection[Identity]:
        """Of what is in the file, that which the ledger's archive has already."""
        wanted = {identity for line in leftover.lines() if (identity := _identity(line))}
        if not wanted:
            return ()
        reader = ArchiveReader(self.archive, skip_damaged=True)
        rows = reader.rows(since=min(at for *_, at in wanted))
        return wanted.intersection(_of(row) for row in rows if row.kind is not RowKind.EXPIRED)


def _once(lines: Iterable[Spooled], known: Collection[Identity]) -> Iterator[Spooled]:
    """The lines, without those known, each once: an ending worker may have written some again."""
    seen: set[Identity] = set()
    for line in lines:
        identity = _identity(line)
        if identity is None or (identity not in known and identity not in seen):
            yield line
        if identity is not None:
            seen.add(identity)


def _identity(line: Spooled) -> Identity | None:
    """None where the row cannot be read; its account then tells a charge by its id."""
    try:
        row = decode(line.row.encode())
    except UnreadableRow:
        return None
    return line.tenant, row.id, row.at


def _of(row: LedgerRow) -> Identity:
    return row.tenant, row.id, row.at
