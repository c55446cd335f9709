"""How much sooner than it said a provisioned deployment lets in again.

A refusal tells when the bucket will have drained to full by itself. What is given back afterwards
leaves it at once, so that the time comes sooner by what would have drained in it. All replicas know
of all refusals, and of all that is given back; each tells its own refusals again whenever something
has come back since.
"""

from __future__ import annotations

from typing import NamedTuple


class Waits(NamedTuple):
    """Of one replica's refusals, until the latest: as told, and less what was given back since.

    Seconds from now on in a message, else times.
    """

    told: float
    due: float


class Refusals:
    """All replicas', as one knows them; `now` is seconds of one clock that never runs backwards."""

    __slots__ = ("_replica", "_waits")

    def __init__(self, replica: str) -> None:
        self._replica = replica
        self._waits: dict[str, Waits] = {}

    def refused(self, told: float, due: float, now: float) -> None:
        """This replica was asked to wait until `told`, of which some had been given back before."""
        known = self._waits.get(self._replica)
        if known is not None and known.told > now:
            told, due = max(known.told, told), max(known.due, due)
        self._waits[self._replica] = Waits(told, due)

    def returned(self, seconds: float, now: float) -> bool:
        """So much was given back, in seconds of draining; whether others are to be told again."""
        if not self._waits:
            return False
        live = {name: waits for name, waits in self._waits.items() if waits.told > now}
        self._waits = {name: Waits(told, due - seconds) for name, (told, due) in live.items()}
        return self._replica in self._waits

    def sooner_s(self, now: float) -> float:
        """A hold that follows from these refusals ends so much sooner."""
        if not self._waits:
            return 0.0
        live = [waits for waits in self._waits.values() if waits.told > now]
        if not live:
            return 0.0
        return max(waits.told for waits in live) - max(waits.due for waits in live)

    def own(self, now: float) -> Waits | None:
        """This replica's, to be told: seconds from now on."""
        waits = self._waits.get(self._replica)
        if waits is None or waits.told <= now:
            return None
        return Waits(waits.told - now, waits.due - now)

    def hear(self, sender: str, waits: Waits, now: float) -> None:
        """Another replica's, as it tells them now."""
        self._waits[sender] = Waits(now + waits.told, now + waits.due)
