from __future__ import annotations

from pickle import dumps

import msgspec
import pytest

from app.domain.capacity.capacity import CapacityTold
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.peers import DeploymentNews
from app.domain.capacity.provisioned import Provisioned, PtuCapacity
from app.domain.capacity.shares import Claim
from app.domain.capacity.spill import SpillReason
from app.domain.capacity.wait import Wait

# A hundred tokens a second, of which an answer's weigh four.
CAPACITY = PtuCapacity(100.0, 4.0)
NOTHING_TOLD = CapacityTold()


def load(prompt: int, output: int = 0, tenant: str = "all") -> Load:
    return Load(Claim(tenant), Demand(prompt, output))


def begun(name: str = "one") -> Provisioned:
    return Provisioned(CAPACITY, name, 0.0)


def seconds(ptu: Provisioned, now: float) -> float:
    return ptu.utilization(now) * 60


def test_an_answers_tokens_weigh_more_and_cached_ones_nothing() -> None:
    """As the sizing page has it; some models charge a part of what is cached."""
    demand = Demand(prompt=3000, output=500, cached=1000)
    assert CAPACITY.seconds(demand) == pytest.approx(40.0)
    assert PtuCapacity(100.0, 4.0, cached_weight=0.1).seconds(demand) == pytest.approx(41.0)


def test_there_is_room_until_it_is_full() -> None:
    """Then from the time on at which enough has drained."""
    ptu = begun()
    assert ptu.room(load(9000), 0.0).at == 0.0
    ptu.take(load(9000), 0.0)
    room = ptu.room(load(1), 0.0)
    assert room.reason is SpillReason.PREDICTED
    assert 30 <= room.at <= 30.25
    assert room.utilization == pytest.approx(1.5)
    assert ptu.room(load(1), room.at + 0.001).at <= room.at + 0.001


def test_what_was_not_used_comes_back_at_the_end() -> None:
    """2,000 of 4,000 tokens were reserved for an answer of 500."""
    ptu = begun()
    place = ptu.take(load(2000, 500), 0.0)
    place.accepted(NOTHING_TOLD, 0.0)
    place.settle(Demand(2000, 100), 0.0)
    assert seconds(ptu, 0.0) == pytest.approx(24.0)


def test_where_requests_are_small_hardly_any_room_is_left_to_others() -> None:
    """A flood fills the bucket to some requests below its brim, beside a tenant of equal weight."""
    ptu, flooding = begun(), load(10, tenant="flood")
    for step in range(3000):  # five minutes of requests of a tenth of a second
        ptu.take(flooding, step / 10).settle(flooding.demand, step / 10)
    now = 300.0
    ptu.room(load(1, tenant="other"), now)
    while ptu.room(flooding, now).reason is SpillReason.NONE:
        ptu.take(flooding, now).settle(flooding.demand, now)
    assert 59 <= seconds(ptu, now) <= 59.8


def test_a_request_is_of_one_size_however_often_it_is_settled() -> None:
    """Its use is counted when it is over, and corrected after."""
    once, again = begun(), begun()
    for ptu, times in ((once, 1), (again, 9)):
        ptu.room(load(1, tenant="other"), 0.0)
        place = ptu.take(load(5800, tenant="flood"), 0.0)
        for _ in range(times):
            place.settle(Demand(5800, 0), 0.0)
        ptu.take(load(1, tenant="flood"), 0.0).settle(Demand(1, 0), 0.0)
    asking = load(1, tenant="flood")
    assert once.room(asking, 0.0) == again.room(asking, 0.0)


def test_settling_again_corrects_again() -> None:
    """A later count takes the place of an earlier one."""
    ptu = begun()
    place = ptu.take(load(2000, 500), 0.0)
    place.settle(Demand(2000, 100), 0.0)
    place.settle(Demand(2000, 200), 0.0)
    assert seconds(ptu, 0.0) == pytest.approx(28.0)


def test_what_was_never_served_comes_back_whole() -> None:
    """The caller went away before Azure answered."""
    ptu = begun()
    ptu.take(load(2000), 0.0).settle(None, 0.0)
    assert seconds(ptu, 0.0) == pytest.approx(0.0)


def test_a_refused_request_took_nothing_and_tells_the_level() -> None:
    """It is over full by the time it said; settling it afterwards changes nothing."""
    ptu = begun()
    place = ptu.take(load(2000), 0.0)
    place.refused(NOTHING_TOLD, Wait(2.0, 0.001), 0.0)
    place.settle(None, 0.0)
    assert seconds(ptu, 0.0) == pytest.approx(62.0, abs=0.01)
    assert ptu.room(load(1), 0.0).at >= 2.0


def test_the_header_has_azures_estimate_in_it() -> None:
    """Azure found 1,000 tokens cached of which nothing was known: they are not given back twice."""
    ptu = begun()
    place = ptu.take(load(2000, 500), 0.0)
    place.accepted(CapacityTold(utilization=0.5), 0.0)
    assert seconds(ptu, 0.0) == pytest.approx(30.0)
    place.settle(Demand(2000, 500, cached=1000), 0.0)
    assert seconds(ptu, 0.0) == pytest.approx(30.0)


def told(sender: Provisioned, now: float = 0.0) -> DeploymentNews:
    """As it comes over the wire."""
    news = sender.news(now)
    assert news is not None
    return msgspec.msgpack.decode(msgspec.msgpack.encode(news), type=DeploymentNews)


def test_replicas_count_each_others_requests() -> None:
    """What one takes and gives back is less room for the other."""
    one, other = begun("one"), begun("other")
    place = one.take(load(4000, 500), 0.0)
    other.hear("one", told(one), 0.0)
    assert seconds(other, 0.0) == pytest.approx(60.0)
    place.settle(Demand(4000, 0), 0.0)
    other.hear("one", told(one), 0.0)
    assert seconds(other, 0.0) == pytest.approx(40.0)


def test_replicas_tell_each_other_what_azure_revealed() -> None:
    """The other's own request, which the first has not heard of, comes on top."""
    one, other = begun("one"), begun("other")
    other.take(load(100), 0.0)
    one.hear("other", told(other), 0.0)
    other.hear("one", told(one), 0.0)
    other.take(load(500), 0.0)
    one.take(load(100), 0.0).refused(NOTHING_TOLD, Wait(4.0, 0.001), 0.0)
    other.hear("one", told(one), 0.0)
    assert seconds(other, 0.0) >= 64.0 + 5.0 - 0.01


@pytest.mark.parametrize("given_up_at", [0.003, 0.09], ids=["before", "after"])
def test_what_a_refusal_was_owed_to_ends_its_hold(given_up_at: float) -> None:
    """Another replica's huge request is given up before, or after, the refusal is heard of."""
    one, other = begun("one"), begun("other")
    for ptu, heard in ((one, other), (other, one)):
        ptu.room(load(10), 0.0)
        heard.hear(ptu.replica, told(ptu), 0.0)
    huge, small = one.take(load(10, 2500), 0.0), other.take(load(100), 0.001)
    steps = {
        given_up_at: lambda: huge.settle(Demand(10, 0), given_up_at),
        0.05: lambda: small.refused(NOTHING_TOLD, Wait(40.0, 0.001), 0.05),
    }
    for now in (0.003, 0.05, 0.09):
        steps.get(now, lambda: None)()
        tell_each_other(one, other, now + 0.004)
    for ptu in (one, other):
        room = ptu.room(load(10), 0.11)
        assert 40.05 - room.sooner_s <= room.at == 0.11


def tell_each_other(one: Provisioned, other: Provisioned, now: float) -> None:
    """Until nobody has anything to tell any more."""
    while (news := one.news(now)) or (back := other.news(now)):
        if news:
            other.hear(one.replica, news, now)
        else:
            assert back is not None
            one.hear(other.replica, back, now)


def test_a_request_that_is_refused_gives_nothing_back() -> None:
    """Azure has never had it."""
    one, other = begun("one"), begun("other")
    first, second = one.take(load(100), 0.0), one.take(load(2000), 0.0)
    first.refused(NOTHING_TOLD, Wait(5.0, 0.001), 0.0)
    second.refused(NOTHING_TOLD, Wait(5.0, 0.001), 0.0)
    other.hear("one", told(one), 0.0)
    assert one.room(load(1), 0.0).sooner_s == other.room(load(1), 0.0).sooner_s == 0


def test_what_was_not_charged_is_told_to_have_come_back_all_the_same() -> None:
    """The tenant was as far behind as one can be; the room is there for all."""
    one, other = begun("one"), begun("other")
    for tenant in ("all", "rival"):
        one.room(load(100, tenant=tenant), 0.0)
    place, *_ = [one.take(load(2000), 0.0) for _ in range(3)][::-1]
    other.hear("one", told(one), 0.0)
    assert seconds(other, 0.0) == pytest.approx(60.0)
    place.settle(None, 0.0)
    other.hear("one", told(one), 0.0)
    assert seconds(other, 0.0) == pytest.approx(40.0)


def test_tenants_that_are_gone_leave_nothing_behind() -> None:
    """Whatever their number: a gateway runs for months."""
    ptu = begun()
    visit(ptu, range(200))
    kept = len(dumps(ptu))
    visit(ptu, range(200, 1000))
    assert len(dumps(ptu)) <= 1.2 * kept


def visit(ptu: Provisioned, seconds: range) -> None:
    """A tenant each second, that never comes again."""
    for now in seconds:
        each = load(100, tenant=f"tenant-{now:04}")
        ptu.room(each, now)
        ptu.take(each, now).settle(Demand(100, 0), now)
        ptu.news(now)


def test_a_tenant_is_charged_what_it_used() -> None:
    """An estimate that was not charged, as it was behind already, is not paid back either."""
    ptu = begun()
    flooding, owner = load(100), Load(Claim("owner", 0.7), Demand(100, 0))
    for each in (flooding, owner):
        ptu.room(each, 0.0)
    ptu.take(load(9000), 0.0).settle(None, 1.0)
    for _ in range(10):
        ptu.take(load(1000), 1.0).settle(Demand(1000, 0), 1.0)
    before = ptu.room(flooding, 200.0).at
    ptu.room(flooding, 1.0)
    ptu.take(load(9000), 1.0).settle(Demand(1, 0), 1.0)
    assert ptu.room(flooding, 200.0).at == before


def test_nothing_is_told_where_nothing_happened() -> None:
    """And what was told is not told again."""
    ptu = begun()
    assert ptu.news(0.0) is None
    ptu.take(load(100), 0.0)
    assert ptu.news(0.0) is not None
    assert ptu.news(0.0) is None


def test_who_has_just_begun_is_told_what_is_believed() -> None:
    """By all that hear of it for the first time."""
    now = 30.0
    old, new = begun("old"), Provisioned(CAPACITY, "new", now)
    old.take(load(5000), now)
    old.news(now)
    new.room(load(1), now)
    old.hear("new", told(new, now), now)
    new.hear("old", told(old, now), now)
    assert seconds(new, now) == pytest.approx(50.0)


def test_who_has_just_begun_is_told_even_where_nobody_asks_it() -> None:
    """It makes itself known to the older one; else what that took before stays unheard of."""
    now = 30.0
    old, new = begun("old"), Provisioned(CAPACITY, "new", now)
    old.take(load(5000), now)
    old.news(now)
    old.take(load(600), now)
    new.hear("old", told(old, now), now)
    old.hear("new", told(new, now), now)
    new.hear("old", told(old, now), now)
    assert seconds(new, now) == pytest.approx(56.0)
    assert [ptu.news(now) for ptu in (old, new)] == [None, None]


def test_of_two_that_began_together_one_tells_what_it_believes() -> None:
    """While news are on their way the one that hears grows older: both would think they are."""
    one, two = begun("one"), Provisioned(CAPACITY, "two", 0.01)
    for ptu in (one, two):
        ptu.take(load(600), 0.02)
    from_one, from_two = told(one, 0.03), told(two, 0.03)
    one.hear("two", from_two, 0.05)
    two.hear("one", from_one, 0.05)
    told_by = [ptu.news(0.06) for ptu in (one, two)]
    assert [news is not None and news.belief is not None for news in told_by] == [True, False]


def test_who_has_just_begun_tells_no_belief_of_its_own() -> None:
    """It has heard of nothing yet; adopted by the others, that would be an empty bucket."""
    now = 30.0
    old, new = begun("old"), Provisioned(CAPACITY, "new", now)
    old.take(load(5000), now)
    old.news(now)
    old.take(load(600), now)
    new.hear("old", told(old, now), now)
    new.take(load(100), now)
    old.hear("new", told(new, now), now)
    assert seconds(old, now) == pytest.approx(57.0)
    new.hear("old", told(old, now), now)
    assert seconds(new, now) == pytest.approx(57.0)


def test_who_begins_anew_is_told_what_is_believed() -> None:
    """After a reload that changed the deployment; once."""
    one, other = begun("one"), begun("other")
    other.hear("one", told_of(one, 0.0), 0.0)
    other.take(load(5000), 1.0)
    other.news(1.0)
    again = Provisioned(CAPACITY, "one", 2.0)
    other.hear("one", told_of(again, 2.0), 2.0)
    again.hear("other", told(other, 2.0), 2.0)
    assert seconds(again, 2.0) == pytest.approx(49.0)
    other.hear("one", told_of(again, 3.0), 3.0)
    assert other.news(3.0) is None


def told_of(ptu: Provisioned, now: float) -> DeploymentNews:
    """What it tells after a tenant has asked."""
    ptu.room(load(1), now)
    return told(ptu, now)


def bounded(now: float = 0.0) -> Provisioned:
    """No request may take more than half of the bucket while others ask."""
    ptu = Provisioned(CAPACITY, "one", now)
    ptu.largest_s = 30.0
    return ptu


def test_a_huge_request_is_held_back_while_others_ask() -> None:
    """It would leave them nothing for a minute; for want of others it is sent all the same."""
    ptu = bounded()
    ptu.room(load(100, tenant="other"), 0.0)
    room = ptu.room(load(3001), 10.0)
    assert (room.reason, room.at, room.firm) == (SpillReason.SIZE, 60.0, False)
    assert room.until == 10.0
    assert ptu.room(load(3000), 10.0).at == 10.0
    assert ptu.room(load(3001, tenant="other"), 11.0).reason is SpillReason.SIZE


def test_who_has_it_alone_may_take_all_of_it() -> None:
    """A minute after anybody else has asked, and where there is no such bound."""
    ptu = bounded()
    assert ptu.room(load(9000), 0.0).at == 0.0
    ptu.room(load(100, tenant="other"), 1.0)
    assert ptu.room(load(9000), 60.9).reason is SpillReason.SIZE
    assert ptu.room(load(9000), 61.0).at == 61.0
    free = begun()
    free.room(load(100, tenant="other"), 0.0)
    assert free.room(load(9000), 0.0).at == 0.0


def test_a_full_one_has_no_room_for_a_huge_request_either() -> None:
    """Then its size is not the reason, and it comes back when there is room."""
    ptu = bounded()
    ptu.take(load(9000, tenant="other"), 0.0)
    ptu.room(load(1, tenant="other"), 0.0)
    room = ptu.room(load(3001), 0.0)
    assert (room.reason, room.firm) == (SpillReason.PREDICTED, True)
