"""The end of an archive, read on from where it was left."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Final

from app.adapters.archive.following import BEGINNING, Place, following
from app.adapters.archive.segment import segments
from app.domain.ledger.ledger_row import LedgerRow

#: Rows that are kept.
MOST: Final = 2000
#: Bytes of the last file that are read at first.
_TAIL: Final = 1024 * 1024


class RecentRows:
    """The last rows of the archive in a directory, also while another process writes to it."""

    def __init__(self, directory: Path) -> None:
        """Nothing is read before somebody looks."""
        self._directory = directory
        self._place: Place | None = None
        self._rows: deque[LedgerRow] = deque(maxlen=MOST)
        self._turn = Lock()

    def look(self) -> Sequence[LedgerRow]:
        """The last rows, oldest first; none where there is no archive. Blocks."""
        with self._turn:
            if not self._directory.is_dir():
                return ()
            place = self._place or self._near_the_end()
            for behind, row in following(self._directory, place):
                place = behind
                if row is not None:
                    self._rows.append(row)
            self._place = place
            return tuple(self._rows)

    def _near_the_end(self) -> Place:
        """At the beginning of a line: what is before it is not read."""
        found = segments(self._directory)
        if not found:
            return BEGINNING
        last = found[-1]
        if last.path.suffix == ".gz" or (size := last.path.stat().st_size) <= _TAIL:
            return Place(last.number)
        with last.path.open("rb") as file:
            file.seek(size - _TAIL)
            file.readline()
            return Place(last.number, file.tell())
