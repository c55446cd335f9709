"""What is known of every deployment right now: asked to plan by, told what attempts taught."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace

from app.domain.capacity.capacity import Place
from app.domain.capacity.demand import Load
from app.domain.capacity.paygo_window import estimate
from app.domain.capacity.room import Room
from app.domain.capacity.spill import SpillReason
from app.domain.routing.attempt import Verdict
from app.domain.routing.health import Health, availability
from app.domain.routing.route import Affinity, Outlook, RoutePlan
from app.domain.routing.throttle import SizeHold
from app.domain.routing.warm_cache import WarmCaches
from app.ports import Capacity, HoldBoard

_ACCEPT: Final = Verdict.ACCEPT
_NO_ROOMS: Final[Mapping[str, Room]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Standing:
    """Holds, health, room, caches; a deployment's own word goes before what is believed of it."""

    holds: HoldBoard
    capacity: Capacity
    health: Health
    warm: WarmCaches
    draw: Callable[[], float]
    """Uniform numbers in [0, 1), to spread what was ejected together."""
    size_holds: dict[str, SizeHold] = field(default_factory=dict)
    """Of deployments that refuse by size, which Azure does under peak load."""

    def outlooks(
        self, tiers: Sequence[Sequence[str]], load: Load | None, now: float
    ) -> Mapping[str, Outlook]:
        """By deployment; nothing of those that nothing is known of. `load` None costs nothing.

        `now` is the moment that their rooms are to be compared with.
        """
        holds, capacity = self.holds.holds(), self.capacity
        found: dict[str, Outlook] = {}
        if not holds and not self.size_holds and not self.health.out:
            if load is not None:  # what is believed of their rooms is all that is known
                for name, room in capacity.rooms(chain.from_iterable(tiers), load, now).items():
                    found[name] = Outlook(room)
            return found
        for names in tiers:
            rooms = capacity.rooms(names, load, now) if load is not None else _NO_ROOMS
            found |= dict(self._outlooks(names, rooms, holds, load, now))
        return found

    def _outlooks(
        self,
        names: Sequence[str],
        rooms: Mapping[str, Room],
        holds: Mapping[str, float],
        load: Load | None,
        now: float,
    ) -> Iterator[tuple[str, Outlook]]:
        available = availability(names, self.health, now)
        for name in names:
            room, hold = rooms.get(name), holds.get(name, 0.0)
            held_until = self._held_until(name, load, hold=hold, room=room, now=now)
            room = _known(room, held_until, available.absent.get(name), now)
            factor = available.factors.get(name, 1.0)
            if room is not None or factor < 1:
                yield name, Outlook(room or Room(now), factor)

    def refusal(self, name: str, load: Load | None, now: float) -> Room | None:
        """Why a deployment is not to be asked now, whoever else is left; None: it may be asked."""
        rooms = self.capacity.rooms((name,), load, now) if load is not None else {}
        room, hold = rooms.get(name), self.holds.holds().get(name, 0.0)
        held_until = self._held_until(name, load, hold=hold, room=room, now=now)
        room = _known(room, held_until, None, now)
        return room if room is not None and room.firm and room.at > now else None

    def may_be_held(self, name: str) -> bool:
        """Whether anything is known of it that could be a hold now."""
        return bool(self.size_holds) or name in self.holds.holds()

    def affinity(self, tenant: str, key: bytes, now: float) -> Affinity | None:
        """Where prompts that begin so are likely to be cached; None without a key."""
        if not key:
            return None
        own = tenant.encode() + key
        return Affinity(own, self.warm.where(own, now))

    def take(self, deployment: str, plan: RoutePlan, now: float) -> Place | None:
        """Take what a request may need that is sent now; None where nothing is counted."""
        load = plan.load
        if load is None:
            return None
        if plan.affinity is not None:
            prompt = load.demand.prompt
            cached = self.warm.cached(plan.affinity.key, deployment, prompt, now)
            load = replace(load, demand=replace(load.demand, cached=cached))
        return self.capacity.take(deployment, load, now)

    def accepted(self, deployment: str, plan: RoutePlan, now: float) -> None:
        """A deployment reads the prompt, and has it cached from now on."""
        if plan.load is not None and plan.affinity is not None:
            self.warm.read(plan.affinity.key, deployment, plan.load.demand.prompt, now)

    def hold(self, deployment: str, until: float) -> None:
        """It asked not to be asked until then."""
        self.holds.hold(deployment, until)

    def hold_by_size(self, deployment: str, load: Load, until: float, now: float) -> None:
        """It refused a request for its size: hold those that are as large."""
        known, tokens = self.size_holds.get(deployment), estimate(load.demand)
        held = SizeHold(tokens, until) if known is None else known.tightened(tokens, until, now)
        self.size_holds[deployment] = held

    def probing(self, deployment: str, now: float) -> AbstractContextManager[None]:
        """Around an attempt: it is the probe of a deployment that waits for one."""
        return self.health.probing(deployment, now)

    def judged(self, deployment: str, verdict: Verdict, started: float, now: float) -> None:
        """An attempt that was begun at `started` came to this; a refusal says nothing of health."""
        if verdict is _ACCEPT:
            self.health.succeeded(deployment, now, started=started)
        elif verdict in {Verdict.FAILED, Verdict.MISCONFIGURED}:
            self.health.failed(deployment, now, started=started, jitter=self.draw())

    def ended(self, deployment: str, started: float, now: float, *, broken: bool) -> None:
        """An answer that had begun came to its end, or broke off."""
        if broken:
            self.health.broke(deployment, now, started=started, jitter=self.draw())
        else:
            self.health.completed(deployment)

    def _held_until(
        self, name: str, load: Load | None, *, hold: float, room: Room | None, now: float
    ) -> float:
        """The later of a deployment's hold, and a hold of requests of this size.

        A hold is over as soon as enough was given back for it: that is a fact, and no belief.
        """
        until, by_size = hold - (room.sooner_s if room else 0.0), self.size_holds.get(name)
        if by_size is None or load is None or not by_size.covers(estimate(load.demand), now):
            return until
        return max(until, by_size.until)


def _known(
    room: Room | None, held_until: float, failing_until: float | None, now: float
) -> Room | None:
    """A hold before all else, until there is room as well; one that is over says nothing."""
    used = room.utilization if room is not None else None
    if held_until > now:
        at, until = (room.at, room.until) if room is not None and room.firm else (now, now)
        earliest = max(held_until, until)
        return Room(max(held_until, at), SpillReason.HELD, used, earliest=earliest)
    if failing_until is not None and (room is None or room.at <= now or not room.firm):
        until = max(failing_until, math.nextafter(now, math.inf))
        return Room(until, SpillReason.UNHEALTHY, used, firm=False)
    return room
