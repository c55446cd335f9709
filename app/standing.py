"""What is known of every deployment right now: asked to plan by, told what attempts taught."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from app.domain.capacity import Place
from app.domain.demand import Load
from app.domain.room import Room
from app.domain.route import Outlook
from app.domain.spill import SpillReason
from app.errors import NoCapacity
from app.ports import Capacity, Clock, HoldBoard


class Standing:
    """Holds and room, in this order: a deployment's own word goes before what is believed of it."""

    def __init__(self, holds: HoldBoard, capacity: Capacity, clock: Clock) -> None:
        self._holds = holds
        self._capacity = capacity
        self._clock = clock

    def outlooks(
        self, names: Iterable[str], load: Load | None, now: float
    ) -> Mapping[str, Outlook]:
        """By deployment; nothing of those that nothing is known of. `load` None costs nothing.

        `now` is the moment that their rooms are to be compared with.
        """
        names = tuple(names)
        rooms = self._capacity.rooms(names, load, now) if load is not None else {}
        holds = self._holds.holds()
        found: dict[str, Outlook] = {}
        for name in names:
            room = _later(rooms.get(name), holds.get(name, 0.0), now)
            if room is not None:
                found[name] = Outlook(room)
        return found

    def take(self, deployment: str, load: Load | None) -> Place | None:
        """Take what a request may need that is sent now; None where nothing is counted."""
        if load is None:
            return None
        return self._capacity.take(deployment, load, self._clock.now())

    def hold(self, deployment: str, until: float) -> None:
        """It asked not to be asked until then."""
        self._holds.hold(deployment, until)


def _later(room: Room | None, held_until: float, now: float) -> Room | None:
    """A hold that is over says nothing; one that ends before there is room says less than that."""
    if held_until <= now or (room is not None and room.at >= held_until):
        return room
    return Room(held_until, SpillReason.HELD, room.utilization if room else None)


def no_capacity(wait_s: float) -> NoCapacity:
    """Every deployment is held or full; the first has room in so many seconds, if ever."""
    wait = max(0.0, wait_s) if math.isfinite(wait_s) else None
    message = "Every deployment of this model is at capacity. Please retry after the given time."
    return NoCapacity(message, retry_after_s=wait)
