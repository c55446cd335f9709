"""A router that knows all that can be known: how near to the goal does that come?

It sees the true bucket whenever the PTU answers it, and knows to the token what it sends. It knows
of the traffic past the gateway what can be known beforehand: how much of it comes at which time of
day, and how large its requests are. What it cannot know is when the next one comes. From these it
works out how likely a refusal is, by living through many ways in which things may have gone since
the last answer, and asks where that is little enough for what it would gain.

With its `risk` it trades round trips for utilisation as well as can be, one request at a time: of
two requests it forgoes the one that is likelier refused for what it brings. So what it cannot reach
at any risk is out of reach of rules that have less to go by. Not counted is that to ask also tells
something.
"""

from __future__ import annotations

from heapq import heappop, heappush
from math import inf
from random import Random
from typing import Final

from app.planner.oracle import OracleAtAnswers, Seen
from app.planner.strategy import Foreign, Site, Target
from app.planner.traffic import Request

#: Ways in which things may have gone; a chance is known to some hundredths.
_WORLDS: Final = 50
_MINUTE: Final = 60.0


class World:
    """One way in which things may have gone since the PTU was last heard of."""

    __slots__ = ("_at", "_depth_s", "_ends", "_foreign", "over")

    def __init__(self, foreign: Foreign, depth_s: float) -> None:
        self._foreign = foreign
        self._depth_s = depth_s
        self.begin(-depth_s, 0.0)

    def begin(self, over: float, at: float) -> None:
        """It is so much over full now. Whatever else is under way is not known any more."""
        self.over, self._at = over, at
        self._ends: list[tuple[float, float]] = []  # of requests under way, and what they give back

    def live(self, until: float, random: Random) -> None:
        """Drain; let others' requests come, be admitted where there is room, and end."""
        while self._at < until:
            comes = self._next(random)
            ends = self._ends[0][0] if self._ends else inf
            self._drain(min(comes, ends, until))
            if ends <= self._at:
                self.over -= heappop(self._ends)[1]
            elif comes <= self._at and self.over <= 0:
                size = random.choice(self._foreign.sizes)
                self.over += size.adds
                heappush(self._ends, (self._at + size.lasts, size.gives_back))

    def _next(self, random: Random) -> float:
        """When another one comes: whatever has passed, the wait is as long on average."""
        rate = self._foreign.rate(self._at)
        return self._at + random.expovariate(rate) if rate else inf

    def _drain(self, now: float) -> None:
        self.over = max(-self._depth_s, self.over - (now - self._at))
        self._at = now


class ForeseeingRouter(OracleAtAnswers):
    """`risk`: the chance of a refusal that it takes at most to fill a whole minute of capacity."""

    def __init__(self, site: Site[Seen], *, risk: float) -> None:
        super().__init__(site)
        self._risk_per_s = risk / _MINUTE
        self._random = Random(site.replica)  # noqa: S311  # repeatable, no secret
        foreign, depth_s = site.truth.foreign(), site.truth.depth_s
        self._worlds = [World(foreign, depth_s) for _ in range(_WORLDS)]

    def choose(self, request: Request, now: float) -> Target:
        adds = self._site.truth.adds(request)
        if self._chance(now) > min(self._risk_per_s * adds, 1.0 - 1.0 / _WORLDS):
            return "paygo"
        self._tell(Seen(adds, now, is_all=False))
        return "ptu"

    def heard(self, message: Seen, _now: float) -> None:
        for world in self._worlds:
            if message.is_all:
                world.begin(message.over, message.at)
            else:
                world.live(message.at, self._random)
                world.over += message.over

    def _chance(self, now: float) -> float:
        """Of being refused."""
        for world in self._worlds:
            world.live(now, self._random)
        return sum(world.over > 0 for world in self._worlds) / _WORLDS
