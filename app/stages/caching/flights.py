"""Identical requests at the same time: one asks upstream, the others wait for its answer.

Where there is nothing to keep of it, because it failed, was refused, or its client left, one of
those that waited asks next and the others wait for that one. After the second each asks for itself:
what failed twice may fail for all, and they are not to queue for it.

Of one worker; requests on other workers ask for themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import is_
from typing import Final

from app.domain.cache.entry import Entry

#: A tenant and a fingerprint.
Key = tuple[str, bytes]
#: What is replaced when a tenant's answers are evicted, or the tenant itself is. Compared by
#: identity: a tenant that was made again may equal the one before.
Generation = tuple[object, ...]

#: So many are waited for, one after the other.
_MOST_LEADERS: Final = 2


class Flight:
    """One request that is answered upstream, on behalf of those that wait."""

    def __init__(self, generation: Generation = ()) -> None:
        self.generation: Final = generation
        self._landed: asyncio.Future[Entry | None] = asyncio.get_running_loop().create_future()

    def land(self, entry: Entry | None) -> None:
        """Tell those that wait; None: there is nothing to be kept."""
        if not self._landed.done():
            self._landed.set_result(entry)

    async def landed(self, patience_s: float) -> Entry | None:
        """The answer; None where there is none within so many seconds."""
        done, _ = await asyncio.wait({self._landed}, timeout=patience_s)
        return self._landed.result() if done else None


class Flights:
    """Those of this worker; at most `most` at once, further requests do not wait for each other."""

    def __init__(
        self,
        *,
        patience_s: float,
        generation: Callable[[str], Generation] = lambda _tenant: (),
        most: int = 10_000,
    ) -> None:
        """Nobody waits for longer than `patience_s` seconds in all.

        `generation` is the present one of a tenant's answers: a flight that began under another is
        not joined, and its answer is given to nobody.
        """
        self._patience_s: Final = patience_s
        self._generation: Final = generation
        self._most: Final = most
        self._flights: dict[Key, Flight] = {}

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._flights)

    async def answer(self, key: Key) -> Entry | None:
        """What an identical request is answered; None: whoever asks is to ask upstream.

        That is so at once where none is under way. A caller that gets None and leads does so
        without awaiting anything in between, so that of many that waited one does.
        """
        ends = asyncio.get_running_loop().time() + self._patience_s
        for _ in range(_MOST_LEADERS):
            flight = self._flights.get(key)
            left = ends - asyncio.get_running_loop().time()
            if flight is None or left <= 0 or not self._is_current(key, flight):
                return None
            entry = await flight.landed(left)
            if entry is not None:
                return entry if self._is_current(key, flight) else None
        return None

    @contextmanager
    def leading(self, key: Key) -> Iterator[Flight]:
        """Others wait for this one for as long as it is inside; it has landed when it leaves."""
        flight = Flight(self._generation(key[0]))
        if self._is_free(key):
            self._flights[key] = flight
        try:
            yield flight
        finally:
            if self._flights.get(key) is flight:
                del self._flights[key]
            flight.land(None)

    def _is_free(self, key: Key) -> bool:
        known = self._flights.get(key)
        if known is None:
            return len(self._flights) < self._most
        return not self._is_current(key, known)

    def _is_current(self, key: Key, flight: Flight) -> bool:
        return all(map(is_, flight.generation, self._generation(key[0])))
