"""The time to come back that a refusal tells is the earliest possible admission, and never earlier.

As far as is known then: nobody else comes meanwhile, and what runs uses what was reserved for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.capacity.capacity import CapacityTold
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.peers import DeploymentNews
from app.domain.capacity.provisioned import Provisioned, PtuCapacity, PtuPlace
from app.domain.capacity.room import Room
from app.domain.capacity.shares import Claim, RequestClass
from app.domain.capacity.spill import SpillReason
from app.domain.capacity.wait import Wait
from app.domain.routing.deployment import Target
from app.domain.routing.route import Choices, Outlook, RoutePlan, plan_route

CAPACITY = PtuCapacity(100.0, 4.0)
WITHIN_S = 0.25
#: What is believed for longer than Azure was silent is tried all the same.
SOON_S = 15.0
CLAIMS = [
    Claim("guaranteed", 0.3),
    Claim("larger", 0.5, request_class=RequestClass.INTERACTIVE),
    Claim("none"),
    Claim("batch", weight=5, request_class=RequestClass.BATCH),
]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens to a PTU; `amount` is a part of a large request, or of a refusal."""

    after_s: float
    what: str
    claim: Claim
    amount: float


steps = st.builds(
    Step,
    after_s=st.sampled_from([0.0, 0.01, 0.7]) | st.floats(0, 1),
    what=st.sampled_from(["take", "take", "ask", "accepted", "told", "refused", "ends", "peer"]),
    claim=st.sampled_from(CLAIMS),
    amount=st.floats(0.01, 0.5),
)
histories = st.lists(steps, min_size=1, max_size=40)


class Lived:
    """A PTU with a history, as one replica knows it."""

    def __init__(self, history: Sequence[Step]) -> None:
        self.now = 0.0
        self.ptu = Provisioned(CAPACITY, "one", 0.0)
        self._open: list[PtuPlace] = []
        self._peer = 0.0
        for step in history:
            self.now += step.after_s
            self._live(step)

    def _live(self, step: Step) -> None:
        load = Load(step.claim, Demand(round(2000 * step.amount), 0))
        match step.what:
            case "take" | "ask":
                self.ptu.room(load, self.now)
                if step.what == "take":
                    self._open.append(self.ptu.take(load, self.now))
            case "peer":
                self._hear(step)
            case _:
                if self._open:
                    self._answer(self._open.pop(0), step)

    def _hear(self, step: Step) -> None:
        seconds = 20 * step.amount
        self._peer += seconds
        taken = {step.claim.tenant: seconds}
        news = DeploymentNews(self._peer, seconds, 1, taken, [step.claim])
        self.ptu.hear("two", news, self.now)

    def _answer(self, place: PtuPlace, step: Step) -> None:
        demand = place.load.demand
        match step.what:
            case "accepted":
                place.accepted(CapacityTold(), self.now)
                self._open.append(place)
            case "told":
                place.accepted(CapacityTold(2 * step.amount), self.now)
                self._open.append(place)
            case "refused":
                place.refused(CapacityTold(), Wait(10 * step.amount, 0.001), self.now)
            case _:
                place.settle(Demand(round(demand.prompt * step.amount), 0), self.now)

    def fill(self, load: Load, now: float) -> None:
        """Others take what there is, until there is none for this request."""
        while self.ptu.room(load, now).at <= now:
            self.ptu.take(Load(load.claim, Demand(500, 0)), now)

    def room(self, load: Load, at: float) -> Room:
        """What is said at a later time if nothing happens until then."""
        return deepcopy(self.ptu).room(load, at)


loads = st.builds(Load, st.sampled_from(CLAIMS), st.just(Demand(100, 50)))


def planned(ptus: Sequence[Lived], held: Sequence[float], load: Load, at: float) -> RoutePlan:
    """The plan of a request for a model that these PTUs alone serve."""
    outlooks = {
        str(number): Outlook(_later(one.room(load, at), until, at))
        for number, (one, until) in enumerate(zip(ptus, held, strict=True))
    }
    choices = Choices((tuple(map(Target, outlooks)),))
    return plan_route(choices, outlooks, now=at, draw=lambda: 0.5, load=load)


def _later(room: Room, held_until: float, at: float) -> Room:
    """What the standing makes of a hold and a belief: the later of both."""
    is_held = held_until > at and (held_until > room.until or not room.firm)
    return Room(held_until, SpillReason.HELD) if is_held else room


@given(st.lists(histories, min_size=1, max_size=3), st.lists(st.floats(0, 60), max_size=3), loads)
def test_a_plan_that_is_empty_says_when_one_is_not(
    each: list[list[Step]], held_s: list[float], load: Load
) -> None:
    """Over all PTUs that could serve, each full, or held, or both; whatever others are owed."""
    ptus = [Lived(history) for history in each]
    now = max(one.now for one in ptus)
    held = [now + wait for wait in (*held_s, 0.0, 0.0, 0.0)][: len(ptus)]
    for one in ptus:
        one.fill(load, now)
    told = planned(ptus, held, load, now)
    assume(not told.candidates and told.until - now < SOON_S)
    assert planned(ptus, held, load, told.until).candidates
    early = max(now, told.until - WITHIN_S)
    before = planned(ptus, held, load, early)
    # What was believed long ago may be tried all the same, without being expected to help.
    assert before.last_resort
    assert before.until > early
