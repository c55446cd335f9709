"""Identical requests at the same time: one asks upstream, the others wait for its answer.

Of one worker; requests on other workers ask for themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app.domain.cache.entry import Entry

#: A tenant and a fingerprint.
Key = tuple[str, bytes]


class Flight:
    """One request that is answered upstream, on behalf of those that wait."""

    def __init__(self) -> None:
        self._landed: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()

    def land(self, entry: Entry | None) -> None:
        """Tell those that wait; None: there is nothing to be kept, each asks for itself."""
        if not self._landed.done():
            self._landed.set_result(entry)

    async def landed(self, patience_s: float) -> Entry | None:
        """The answer; None where there is none within so many seconds."""
        done, _ = await asyncio.wait({self._landed}, timeout=patience_s)
        return self._landed.result() if done else None


class Flights:
    """Those of this worker; at most `most` at once, further requests do not wait for each other."""

    def __init__(self, *, patience_s: float, most: int = 10_000) -> None:
        """Nobody waits for longer than `patience_s` seconds."""
        self._patience_s: Final = patience_s
        self._most: Final = most
        self._flights: dict[Key, Flight] = {}

    async def answer(self, key: Key) -> Entry | None:
        """What an identical request is answered; None at once where there is none under way."""
        flight = self._flights.get(key)
        return None if flight is None else await flight.landed(self._patience_s)

    @contextmanager
    def leading(self, key: Key) -> Iterator[Flight]:
        """Others wait for this one for as long as it is inside; it has landed when it leaves."""
        flight = Flight()
        is_first = key not in self._flights and len(self._flights) < self._most
        if is_first:
            self._flights[key] = flight
        try:
            yield flight
        finally:
            flight.land(None)
            if is_first:
                del self._flights[key]
