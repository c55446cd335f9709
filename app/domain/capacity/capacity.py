"""What one deployment has room for: what is told of it, and what keeps count of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.peers import DeploymentNews
from app.domain.capacity.room import Room
from app.domain.capacity.wait import Wait


class WindowTold(msgspec.Struct, frozen=True, gc=False):
    """What an answer said of one counter; None where it said nothing usable."""

    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None


class CapacityTold(msgspec.Struct, frozen=True, gc=False):
    """What an answer's headers say: 1.0 is all of a PTU; counters are `tokens`, `requests`."""

    utilization: float | None = None
    windows: Mapping[str, WindowTold] = {}


class Place(Protocol):
    """What one request takes of one deployment, from the moment it is sent; times in seconds."""

    def accepted(self, told: CapacityTold, now: float) -> None:
        """It was let in."""
        ...

    def refused(self, told: CapacityTold, wait: Wait | None, now: float) -> None:
        """It was refused for want of capacity; None: without saying for how long."""
        ...

    def settle(self, used: Demand | None, now: float) -> None:
        """It is over and used this much; None: nothing."""
        ...


class DeploymentCapacity(Protocol):
    """One deployment's."""

    def room(self, load: Load, now: float) -> Room:
        """When there is room for a request of this tenant and class, which asks hereby."""
        ...

    def take(self, load: Load, now: float) -> Place:
        """Take what the request may need."""
        ...

    def utilization(self, now: float) -> float:
        """The used part of the capacity, 1.0 being all."""
        ...

    def news(self, now: float) -> DeploymentNews | None:
        """What other replicas should know since this was last asked; None: nothing."""
        ...

    def hear(self, sender: str, news: DeploymentNews, now: float) -> None:
        """What another replica did and learnt."""
        ...
