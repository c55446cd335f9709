"""How far the archive is with what Redis has, as the process that keeps it knows."""

from __future__ import annotations

from typing import Final

import msgspec

from app.adapters.archive.archive import Archive
from app.adapters.archive.copier import LedgerCopier
from app.ports import Clock

#: For so long after its end a period waits for rows that are still in Redis.
MOST_WAIT_S: Final = 3600.0


class ArchiveProgress(msgspec.Struct, frozen=True):
    """Of one archive; times are Unix seconds."""

    archive: Archive
    copier: LedgerCopier
    clock: Clock

    def complete_until(self) -> float:
        """When it last had all that Redis had."""
        return self.clock.unix() - self.copier.behind_s

    def moment(self) -> float:
        """The time as far as it is archived; behind by an hour at most."""
        return max(self.complete_until(), self.clock.unix() - MOST_WAIT_S)
