"""Receipts are told in bunches: observers take less time for many than for one after the other.

What an observer needs is in the processor's caches for all receipts of a bunch; between any two
requests it has to be fetched again, which takes twice the time of the work itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from app.domain.ledger.completion import Receipt
from app.ports import Observer

#: For so long a receipt waits for others, in seconds.
GATHER_S: Final = 0.05
#: So many make a bunch.
MOST: Final = 32
#: Of it one observer is told so many at once, about a tenth of a millisecond in which no request is
#: served; and the next ones after so many seconds, which most requests are over in.
PART: Final = 16
PAUSE_S: Final = 0.001


class Bunches:
    """An Observer that tells others soon; see `in_bunches`."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        #: Who is told.
        self.told = observers
        self._waiting: list[Receipt] = []
        self._due: asyncio.TimerHandle | None = None
        self._goes_on = False  # a part will be told
        self._parts: deque[tuple[Observer, list[Receipt]]] = deque()

    def observe(self, *receipts: Receipt) -> None:
        """Have them told."""
        self._waiting += receipts
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(GATHER_S, self._begin)
        elif len(self._waiting) >= MOST:
            self._begin()

    def tell(self) -> None:
        """Tell what waits, now."""
        self._gather()
        while self._parts:
            self._tell_part()

    def _begin(self) -> None:
        """Tell what waits, part after part; what is left of the bunch before, now."""
        while self._parts:
            self._tell_part()
        self._gather()
        if not self._goes_on:
            self._go_on()

    def _go_on(self) -> None:
        self._goes_on = bool(self._parts)
        if self._parts:
            asyncio.get_running_loop().call_later(PAUSE_S, self._go_on)
            self._tell_part()

    def _gather(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        receipts, self._waiting = self._waiting, []
        for observer in self.told:
            for begin in range(0, len(receipts), PART):
                self._parts.append((observer, receipts[begin : begin + PART]))

    def _tell_part(self) -> None:
        observer, receipts = self._parts.popleft()
        observer.observe(*receipts)


@contextmanager
def in_bunches(observers: Sequence[Observer]) -> Iterator[Bunches]:
    """They have been told of everything when the scope is left."""
    bunches = Bunches(observers)
    try:
        yield bunches
    finally:
        bunches.tell()
