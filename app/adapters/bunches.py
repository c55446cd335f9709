"""Receipts are told in bunches: observers take less time for many than for one after the other.

What an observer needs is in the processor's caches for all receipts of a bunch; between any two
requests it has to be fetched again, which takes twice the time of the work itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from app.domain.ledger.completion import Receipt
from app.ports import Observer

#: For so long a receipt waits for others, in seconds.
GATHER_S: Final = 0.05
#: So many are told at once: about half a millisecond, in which no request is served.
MOST: Final = 32


class Bunches:
    """An Observer that tells others soon; see `in_bunches`."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        #: Who is told.
        self.told = observers
        self._waiting: list[Receipt] = []
        self._due: asyncio.TimerHandle | None = None

    def observe(self, receipt: Receipt) -> None:
        """Have it told."""
        self._waiting.append(receipt)
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(GATHER_S, self.tell)
        elif len(self._waiting) >= MOST:
            self.tell()

    def tell(self) -> None:
        """Tell what waits, now."""
        if self._due is not None:
            self._due.cancel()
            self._due = None
        receipts, self._waiting = self._waiting, []
        for observer in self.told:
            observe = observer.observe
            for receipt in receipts:
                observe(receipt)


@contextmanager
def in_bunches(observers: Sequence[Observer]) -> Iterator[Bunches]:
    """They have been told of everything when the scope is left."""
    bunches = Bunches(observers)
    try:
        yield bunches
    finally:
        bunches.tell()
