"""The gateway's own router: a shadow bucket per replica, which tell each other what they take."""

from __future__ import annotations

from typing import Final, NamedTuple

from app.domain.capacity.capacity import CapacityTold, Place
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.peers import DeploymentNews
from app.domain.capacity.provisioned import Provisioned, PtuCapacity
from app.domain.capacity.room import Room
from app.domain.capacity.shares import Claim
from app.domain.capacity.wait import Wait
from app.domain.routing.warm_cache import WarmCaches
from app.planner.strategy import Headers, Site, Target, Usage
from app.planner.traffic import Request

_PTU: Final = "ptu"
_MILLISECOND: Final = 0.001
_MEAN_GAIN: Final = 0.1


class Said(NamedTuple):
    """A message to the other replicas: news of the bucket, or a hold."""

    replica: str
    news: DeploymentNews | None
    held_until: float


class ShadowRouter:
    """Asks the PTU when its own bucket has room and no hold is known.

    `fair`: tenants have shares of the PTU, as they do in the gateway; else all are one.
    """

    def __init__(self, site: Site[Said], *, fair: bool) -> None:
        belief = site.belief
        capacity = PtuCapacity(belief.tokens_per_s, belief.output_ratio, belief.cached_weight)
        self._name = str(site.replica)
        self._fair = fair
        self._send = site.send
        self._ptu = Provisioned(capacity, self._name, 0.0)
        self._warm = WarmCaches()
        self._places: dict[int, Place] = {}
        self._told: dict[int, CapacityTold] = {}
        self._held_until = 0.0
        self._mean_output = 256.0

    def choose(self, request: Request, now: float) -> Target:
        load = self._load(request, now)
        target: Target = "paygo"
        room = self._ptu.room(load, now)
        if self._has_room(room, now):
            self._places[request.id] = self._ptu.take(load, now)
            self._warm.read(_key(request), _PTU, request.prompt, now)
            target = "ptu"
        self._tell(now)
        return target

    def answered(self, request: Request, headers: Headers, now: float) -> None:
        told, wait = CapacityTold(headers.utilization), headers.refused_for
        if wait is None and not request.stream:
            self._told[request.id] = told  # it was told after all of the answer was made
        elif wait is None:
            self._places[request.id].accepted(told, now)
        else:
            self._held_until = max(self._held_until, now + wait)
            self._places.pop(request.id).refused(told, Wait(wait, _grain(wait)), now)
        self._tell(now)

    def completed(self, request: Request, usage: Usage, now: float) -> None:
        if usage.target == _PTU:
            self._mean_output += _MEAN_GAIN * (usage.output - self._mean_output)
        place = self._places.pop(request.id, None)
        if place is not None:
            place.settle(Demand(usage.input, usage.output, usage.cached), now)
            if (told := self._told.pop(request.id, None)) is not None:
                place.accepted(told, now)
        self._tell(now)

    def heard(self, message: Said, now: float) -> None:
        self._held_until = max(self._held_until, message.held_until)
        if message.news is not None:
            self._ptu.hear(message.replica, message.news, now)

    def _has_room(self, room: Room, now: float) -> bool:
        return now >= self._held_until - room.sooner_s and room.at <= now

    def _load(self, request: Request, now: float) -> Load:
        output = round(self._mean_output) if request.cap is None else request.cap
        cached = self._warm.cached(_key(request), _PTU, request.prompt, now)
        claim = Claim(str(request.tenant) if self._fair else "all")
        return Load(claim, Demand(request.prompt, output, cached))

    def _tell(self, now: float) -> None:
        news = self._news(now)
        if news is not None:
            self._send(Said(self._name, news, self._held_until))

    def _news(self, now: float) -> DeploymentNews | None:
        return self._ptu.news(now)


def _key(request: Request) -> bytes:
    return request.conversation.to_bytes(8, "big", signed=True)


def _grain(wait_s: float) -> float:
    """A whole number of seconds may have been rounded up to one."""
    return 1.0 if wait_s == round(wait_s) else _MILLISECOND
