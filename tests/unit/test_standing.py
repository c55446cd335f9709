"""What is known of deployments, put together: holds, beliefs, health, and when there is room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from app.domain.capacity.capacity import CapacityTold, Place
from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.paygo_window import PaygoCapacity
from app.domain.capacity.provisioned import PtuCapacity
from app.domain.capacity.room import Room
from app.domain.capacity.shares import Claim
from app.domain.capacity.spill import SpillReason
from app.domain.capacity.wait import Wait
from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Target
from app.domain.routing.health import Health
from app.domain.routing.route import Affinity, Choices, Outlook, RoutePlan, plan_route
from app.domain.routing.warm_cache import WarmCaches
from app.standing import Standing
from tests.fakes.clock import FakeClock
from tests.fakes.holds import FakeHoldBoard

LOAD = Load(Claim("acme"), Demand(1000, 0))
#: Fills a PTU of 100 tokens a second for ten seconds more than its minute.
FLOOD = Load(Claim("acme"), Demand(7000, 0))


class Scene:
    """Two PTUs and a pay-as-you-go deployment, of which nothing is known yet."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.holds = FakeHoldBoard(self.clock)
        self.health = Health()
        ptu = PtuCapacity(100.0, 4.0)
        book = CapacityBook("one")
        book.follow({"ptu": ptu, "ptu-b": ptu, "paygo": PaygoCapacity(tpm=6000)}, self.now)
        self.standing = Standing(self.holds, book, self.health, WarmCaches(), lambda: 0.0)

    @property
    def now(self) -> float:
        return self.clock.now()

    def outlook(self, name: str = "ptu", *, load: Load | None = LOAD) -> Outlook | None:
        """Of a deployment that is a tier of its own."""
        return self.standing.outlooks(((name,),), load, self.now).get(name)

    def fill(self, name: str = "ptu") -> None:
        """Its room is used up."""
        assert self.standing.take(name, RoutePlan((), load=FLOOD), self.now) is not None

    def fail(self, *names: str) -> None:
        for name in names:
            for _ in range(5):
                self.standing.judged(name, Verdict.FAILED, self.now, self.now)

    def plan(self, *names: str) -> RoutePlan:
        """Of these deployments in one tier."""
        choices = Choices((tuple(map(Target, names)),))
        found = self.standing.outlooks(choices.names, LOAD, self.now)
        return plan_route(choices, found, now=self.now, draw=lambda: 0.5, load=LOAD)


def test_who_has_room_is_open() -> None:
    """And where nothing is counted, or nothing known, nothing is said."""
    scene = Scene()
    outlook = scene.outlook()
    assert outlook is not None
    assert outlook.room.at <= scene.now
    assert scene.outlook(load=None) is None
    assert scene.outlook("unknown") is None
    assert scene.standing.refusal("ptu", LOAD, scene.now) is None


def test_a_hold_goes_before_a_belief() -> None:
    """Whatever room there seems to be; and a request that costs nothing is held, too."""
    scene = Scene()
    scene.standing.hold("ptu", scene.now + 5)
    for load in (LOAD, None):
        held = scene.outlook(load=load)
        assert held is not None
        assert (held.room.reason, held.room.until) == (SpillReason.HELD, scene.now + 5)
        refusal = scene.standing.refusal("ptu", load, scene.now)
        assert refusal is not None
        assert refusal.reason is SpillReason.HELD
    scene.clock.advance(5)
    outlook = scene.outlook()
    assert outlook is not None
    assert outlook.room.at <= scene.now


def test_of_a_hold_and_a_belief_the_later_says_until_when() -> None:
    """Who comes back when the hold ends, and finds it full, was told too early."""
    scene = Scene()
    scene.fill()
    full = scene.outlook()
    assert full is not None
    assert full.room.reason is SpillReason.PREDICTED
    scene.standing.hold("ptu", scene.now + 1)
    held = scene.outlook()
    assert held is not None
    assert held.room.until >= full.room.until > scene.now + 9
    scene.standing.hold("ptu", scene.now + 50)
    later = scene.outlook()
    assert later is not None
    assert later.room.until == scene.now + 50


def test_a_hold_ends_when_what_it_waited_for_was_given_back() -> None:
    """A huge request filled the PTU, and was given up: that is a fact, and no belief."""
    scene = Scene()
    plan = RoutePlan((), load=Load(LOAD.claim, Demand(10, 2500)))
    huge, small = (scene.standing.take("ptu", plan, scene.now) for _ in range(2))
    assert huge is not None
    assert small is not None
    small.refused(CapacityTold(), Wait(40.0, 0.001), scene.now)
    scene.standing.hold("ptu", scene.now + 40)
    scene.clock.advance(1)
    huge.settle(Demand(10, 2000), scene.now)
    held = scene.outlook()
    assert held is not None
    assert held.room.reason is SpillReason.HELD
    assert 19 <= held.room.until - scene.now < 19.5
    huge.settle(Demand(10, 0), scene.now)
    assert scene.standing.refusal("ptu", LOAD, scene.now) is None


class OneRoom:
    """Of any deployment this is believed, and nothing else."""

    def __init__(self, room: Room) -> None:
        self.room = room

    def rooms(self, names: Iterable[str], load: Load, now: float) -> Mapping[str, Room]:
        return dict.fromkeys(names, self.room)

    def take(self, _name: str, _load: Load, _now: float) -> Place | None:
        return None


@given(
    held_s=st.floats(0.01, 300),
    sooner_s=st.just(0.0) | st.floats(0, 300),
    room_s=st.floats(0, 300),
    firm=st.booleans(),
    passed_s=st.floats(0, 300),
)
def test_a_hold_ends_sooner_by_what_came_back_and_by_nothing_else(
    *, held_s: float, sooner_s: float, room_s: float, firm: bool, passed_s: float
) -> None:
    """Whatever room is believed, vague or not: neither a plan nor a last look lets anybody in."""
    clock, began = FakeClock(), FakeClock().now()
    room = Room(began + room_s, SpillReason.PREDICTED, firm=firm, sooner_s=sooner_s)
    holds = FakeHoldBoard(clock)
    standing = Standing(holds, OneRoom(room), Health(), WarmCaches(), lambda: 0.0)
    standing.hold("ptu", began + held_s)
    clock.advance(passed_s)
    now, ends = clock.now(), began + held_s - sooner_s
    planned = standing.outlooks((("ptu",),), LOAD, now)["ptu"].room
    refused = standing.refusal("ptu", LOAD, now)
    if now < ends:
        assert planned.until >= ends
        assert planned.firm
        assert refused is not None
        assert refused.until >= ends
        assert standing.may_be_held("ptu")
    else:
        assert planned.until <= max(now, room.until)


def test_a_vague_belief_says_nothing_beside_a_hold() -> None:
    """Once the hold is over a used-up counter would be asked, if nobody else were left."""
    scene = Scene()
    scene.fill("paygo")
    scene.standing.hold("paygo", scene.now + 1)
    held = scene.outlook("paygo")
    assert held is not None
    assert held.room.until == scene.now + 1


def test_who_fails_is_out_but_might_be_asked() -> None:
    """Other than who is held; so a failure alone refuses nobody."""
    scene = Scene()
    scene.fail("ptu")
    out = scene.outlook()
    assert out is not None
    assert out.room.reason is SpillReason.UNHEALTHY
    assert out.room.at > scene.now
    assert not out.room.firm
    assert scene.standing.refusal("ptu", LOAD, scene.now) is None


def test_at_most_half_of_a_tier_is_kept_out() -> None:
    """Those that stay may be asked, at the part of their weight that a ramp begins with."""
    scene = Scene()
    scene.fail("ptu", "ptu-b")
    found = scene.standing.outlooks((("ptu", "ptu-b"),), LOAD, scene.now)
    (factor,) = [each.factor for each in found.values() if each.room.at <= scene.now]
    assert factor == scene.health.policy.ramp_from


def test_a_refusal_by_size_holds_what_is_as_large() -> None:
    """Smaller requests go on, and narrow what is held if they are refused as well."""
    scene = Scene()
    scene.standing.hold_by_size("paygo", LOAD, scene.now + 20, scene.now)
    small = Load(LOAD.claim, Demand(999, 0))
    assert scene.standing.refusal("paygo", LOAD, scene.now) is not None
    assert scene.standing.refusal("paygo", small, scene.now) is None
    assert scene.standing.refusal("paygo", None, scene.now) is None
    scene.standing.hold_by_size("paygo", small, scene.now + 10, scene.now)
    assert scene.standing.refusal("paygo", small, scene.now) is not None


def test_any_hold_may_concern_a_request() -> None:
    """Its own, which is over at its time; or one by size, of whomever."""
    scene = Scene()
    assert not scene.standing.may_be_held("ptu")
    scene.standing.hold("paygo", scene.now + 1)
    assert scene.standing.may_be_held("paygo")
    assert not scene.standing.may_be_held("ptu")
    scene.standing.hold_by_size("paygo", LOAD, scene.now + 1, scene.now)
    assert scene.standing.may_be_held("ptu")


def test_of_a_hold_and_a_hold_by_size_the_later_says_until_when() -> None:
    """Who comes back when the one is over would find the other."""
    for by_size_s, all_s in ((1, 40), (40, 1)):
        scene = Scene()
        scene.standing.hold_by_size("paygo", LOAD, scene.now + by_size_s, scene.now)
        scene.standing.hold("paygo", scene.now + all_s)
        outlook, refusal = scene.outlook("paygo"), scene.standing.refusal("paygo", LOAD, scene.now)
        assert outlook is not None
        assert refusal is not None
        assert outlook.room.until == refusal.until == scene.now + 40
        assert outlook.room.reason is SpillReason.HELD


def test_a_hold_by_size_lasts_until_there_is_room_as_well() -> None:
    """As any hold does."""
    scene = Scene()
    scene.fill()
    scene.standing.hold_by_size("ptu", LOAD, scene.now + 1, scene.now)
    held = scene.outlook()
    assert held is not None
    assert held.room.until > scene.now + 9


def test_holds_are_read_once_for_a_plan() -> None:
    """They are a mapping of all deployments, and a plan looks at a hundred of them."""
    scene = Scene()
    read = scene.holds.reads
    scene.standing.outlooks((("ptu", "ptu-b"), ("paygo",)), LOAD, scene.now)
    assert scene.holds.reads == read + 1


def test_broken_answers_count_until_one_is_complete() -> None:
    """Five in a row."""
    scene = Scene()
    for broken in (True, True, True, True, False, True, True, True, True):
        scene.standing.ended("ptu", scene.now, scene.now, broken=broken)
    assert scene.health.all_well()
    scene.standing.ended("ptu", scene.now, scene.now, broken=True)
    assert not scene.health.all_well()


def test_a_conversation_goes_where_it_was_read() -> None:
    """Keys are each tenant's own; without one there is no affinity."""
    scene = Scene()
    assert scene.standing.affinity("acme", b"", scene.now) is None
    affinity = scene.standing.affinity("acme", b"talk", scene.now)
    assert affinity is not None
    assert affinity.warm is None
    plan = RoutePlan((), load=Load(LOAD.claim, Demand(3000, 0)), affinity=affinity)
    scene.standing.accepted("ptu-b", plan, scene.now)
    assert scene.standing.affinity("acme", b"talk", scene.now) == Affinity(affinity.key, "ptu-b")
    other = scene.standing.affinity("rival", b"talk", scene.now)
    assert other is not None
    assert other.warm is None
