"""Who is entitled to what, and how much room a tenant leaves for others."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.domain.capacity.shadow_bucket import DEPTH, MOST_MARGIN
from app.domain.capacity.shares import (
    CLASS_ACTIVE_S,
    CLASS_STEP,
    CREDIT_S,
    DEBT_S,
    MOST_HEADROOM,
    MOST_LEFT,
    WEIGHED_REQUESTS,
    WEIGHED_S,
    Claim,
    RequestClass,
    Shares,
)

BIG, SMALL = Claim("big", 0.7), Claim("small", 0.3)
BATCH, CRITICAL = RequestClass.BATCH, RequestClass.CRITICAL
claims = st.builds(
    Claim,
    st.sampled_from("abcdefgh"),
    st.just(0.0) | st.floats(0.0, 1.0),
    st.floats(0.0, 100.0),
    st.sampled_from(RequestClass),
)
#: A claim that is made, what is then taken or given back, and the seconds until the next.
steps = st.lists(st.tuples(claims, st.floats(-50, 50), st.floats(0, 30)), min_size=1, max_size=30)


def shared(*claims: Claim, now: float = 0.0) -> Shares:
    shares = Shares(now)
    ask(shares, *claims, now=now)
    return shares


def ask(shares: Shares, *claims: Claim, now: float) -> None:
    for claim in claims:
        shares.asked(claim, now)


def lived(history: list[tuple[Claim, float, float]]) -> tuple[Shares, float]:
    """A deployment that all of this has happened to, and what time it is now."""
    shares, now = Shares(0.0), 0.0
    for claim, taken, seconds in history:
        shares.asked(claim, now)
        shares.took(claim.tenant, taken)
        now += seconds
    return shares, now


def flood(shares: Shares, claim: Claim, *, now: float) -> None:
    """Take until it is as far behind as one can be."""
    shares.asked(claim, now)
    shares.took(claim.tenant, 1000.0)


@given(st.lists(claims, min_size=1, max_size=20))
def test_entitlements_of_those_that_ask_come_to_one(asking: list[Claim]) -> None:
    """Never to more; to less only where all that is left is for tenants without weight."""
    shares = shared(*asking)
    last = {claim.tenant: claim for claim in asking}
    parts = shares.parts(0.0)
    assert parts.keys() == last.keys()
    assert all(part >= 0 for part in parts.values())
    guaranteed = sum(claim.guarantee for claim in last.values())
    if guaranteed >= 1 or sum(claim.weight for claim in last.values()) > 0:
        assert sum(parts.values()) == pytest.approx(1)
    else:
        assert sum(parts.values()) == pytest.approx(guaranteed)


def test_guarantees_of_more_than_one_are_scaled() -> None:
    """Each gets in proportion; nothing is left for weights."""
    shares = shared(Claim("a", 0.9), Claim("b", 0.6), Claim("c", weight=50))
    assert shares.parts(0.0) == pytest.approx({"a": 0.6, "b": 0.4, "c": 0})


def test_weights_share_what_is_guaranteed_to_nobody() -> None:
    """On top of guarantees, and alone where there are none."""
    shares = shared(Claim("a", 0.4, weight=1), Claim("b", weight=2))
    assert shares.parts(0.0) == pytest.approx({"a": 0.6, "b": 0.4})
    assert shared(Claim("b", weight=2)).parts(0.0) == {"b": 1.0}


def test_a_claim_that_changes_counts_at_once() -> None:
    """An operator's change is in force with the next request."""
    shares = shared(BIG, SMALL)
    shares.asked(Claim("small", 0.6), 1.0)
    assert shares.parts(1.0) == pytest.approx({"big": 0.7 / 1.3, "small": 0.6 / 1.3})


def test_who_is_silent_for_as_long_as_credit_goes_back_is_forgotten() -> None:
    """Others are entitled to its part until it asks again, and it has all its credit then."""
    shares = shared(BIG, SMALL)
    flood(shares, SMALL, now=0.0)
    shares.asked(BIG, CREDIT_S - 0.1)
    assert "small" in shares.parts(CREDIT_S - 0.1)
    shares.asked(BIG, CREDIT_S + 1)
    assert shares.parts(CREDIT_S + 1) == {"big": 1.0}
    flood(shares, BIG, now=CREDIT_S + 1)
    shares.asked(SMALL, CREDIT_S + 2)
    assert shares.headroom(SMALL, CREDIT_S + 2) == 0
    assert shares.headroom(BIG, CREDIT_S + 2) > 0.3 * CREDIT_S


def test_it_is_known_when_somebody_else_last_asked() -> None:
    """Whoever asked in between, and however often."""
    shares = Shares(0.0)
    assert shares.others_asked_at("big") == float("-inf")
    for claim, now in ((BIG, 1.0), (BIG, 2.0), (SMALL, 3.0), (SMALL, 4.0), (BIG, 5.0)):
        shares.asked(claim, now)
    assert shares.others_asked_at("big") == 4.0
    assert shares.others_asked_at("small") == 5.0
    assert shares.others_asked_at("c") == 5.0


def test_when_nobody_asks_any_more_nobody_has_a_part() -> None:
    """An idle deployment does not show its last traffic for ever."""
    shares = shared(BIG, SMALL)
    shares.asked(BIG, 10.0)
    assert shares.parts(CREDIT_S + 1) == {"big": 1.0}
    assert shares.parts(CREDIT_S + 11) == {}


def test_whose_part_is_not_taken_is_lent_but_for_the_room_that_is_its_own() -> None:
    """The room left for a silent owner is a part of the bucket, which is full beside it."""
    shares = shared(BIG, SMALL)
    flood(shares, BIG, now=0.0)
    room = 0.3 * (CREDIT_S + DEBT_S)
    assert shares.headroom(BIG, 0.0) == pytest.approx(room)
    for second in range(1, int(CREDIT_S)):
        shares.asked(BIG, second)
        shares.took("big", 1.0)  # all that drains
        assert shares.headroom(BIG, second) <= room + 1e-9


def test_room_is_left_until_one_is_level_with_the_others() -> None:
    """Who took its part and who took nothing differ by what the latter may still take."""
    shares = shared(BIG, SMALL)
    shares.took("big", 7.0)  # ten seconds of its part
    assert shares.headroom(BIG, 0.0) == pytest.approx(3.0)
    assert shares.headroom(SMALL, 0.0) == 0
    shares.took("small", 3.0)
    assert shares.headroom(BIG, 0.0) == pytest.approx(0)
    shares.took("small", -1.5)  # given back
    assert shares.headroom(BIG, 0.0) == pytest.approx(1.5)


def test_who_takes_what_was_idle_is_soon_level_again() -> None:
    """It falls behind by some seconds at most, however much it took."""
    shares = shared(BIG)
    flood(shares, BIG, now=0.0)
    shares.asked(BIG, DEBT_S + CREDIT_S)
    shares.asked(SMALL, DEBT_S + CREDIT_S)
    assert shares.headroom(BIG, DEBT_S + CREDIT_S) == pytest.approx(0)


@given(steps, claims, st.floats(0, 1000))
def test_who_takes_and_gives_back_is_where_it_was(
    history: list[tuple[Claim, float, float]], claim: Claim, amount: float
) -> None:
    """However far behind it is: it is charged no more than it falls back, and paid no more back."""
    shares, now = lived([*history, (claim, 0.0, 0.0)])
    before = shares.headroom(claim, now)
    charged = shares.took(claim.tenant, amount)
    assert charged <= amount + 1e-9
    shares.took(claim.tenant, -charged)
    assert shares.headroom(claim, now) == pytest.approx(before, abs=1e-6)


def test_who_is_as_far_behind_as_can_be_is_charged_nothing() -> None:
    """What it takes then is no more debt; the request that is not refused pays what it used."""
    shares = shared(BIG, SMALL)
    flood(shares, BIG, now=0.0)
    room = shares.headroom(BIG, 0.0)
    assert shares.took("big", 60.0) == 0
    assert shares.headroom(BIG, 0.0) == room
    assert shares.took("nobody", 1.0) == 0


def test_in_an_idle_deployment_nobody_leaves_anything() -> None:
    """Where all take less than their parts, all have all credit."""
    shares = shared(BIG, SMALL, Claim("c"))
    for second in range(1, 200):
        ask(shares, BIG, SMALL, Claim("c"), now=second)
        shares.took("big", 0.6)
        assert shares.headroom(BIG, second) <= 0.3 * 1.0


def test_for_a_part_by_weight_little_room_is_left() -> None:
    """It is worth less than a burst of somebody else."""
    one, other = Claim("one"), Claim("other")
    shares = shared(one, other)
    flood(shares, one, now=0.0)
    assert shares.headroom(one, 0.0) == pytest.approx(0.5 * WEIGHED_S)


def served(shares: Shares, *, size: float, seconds: float = 600.0) -> None:
    """Requests of one size are over that used so many seconds of capacity in sum."""
    for _ in range(int(seconds / size)):
        shares.served(size)


def test_by_weight_alone_room_is_left_for_a_few_requests() -> None:
    """However many tenants wait, however long they have been silent."""
    flooding, *others = claims = [Claim(str(each)) for each in range(20)]
    shares = shared(*claims)
    flood(shares, flooding, now=0.0)
    assert shares.headroom(flooding, 0.0) == pytest.approx(len(others) / 20 * WEIGHED_S)
    served(shares, size=0.02)
    assert shares.headroom(flooding, 0.0) == pytest.approx(WEIGHED_REQUESTS * 0.02, rel=0.01)
    served(shares, size=8.0)
    assert shares.headroom(flooding, 0.0) == pytest.approx(len(others) / 20 * WEIGHED_S)


def test_room_for_a_guarantee_follows_no_sizes() -> None:
    """It was promised, whatever others ask."""
    shares = shared(BIG, SMALL)
    served(shares, size=0.02)
    flood(shares, BIG, now=0.0)
    assert shares.headroom(BIG, 0.0) == pytest.approx(0.3 * (CREDIT_S + DEBT_S))


def test_many_small_requests_do_not_hide_the_large_ones_that_others_wait_for() -> None:
    """A tenth of the capacity goes to them, and so much does their size count."""
    one, other = Claim("one"), Claim("other")
    shares = shared(one, other)
    flood(shares, one, now=0.0)
    for _ in range(60):
        served(shares, size=0.02, seconds=9.0)
        shares.served(1.0)
    assert shares.headroom(one, 0.0) > WEIGHED_REQUESTS * 0.1


@given(st.lists(st.floats(0.0, 1e6), max_size=30), steps, claims)
def test_whatever_sizes_are_what_is_left_stays_within_its_bounds(
    sizes: list[float], history: list[tuple[Claim, float, float]], claim: Claim
) -> None:
    """What is left is never below nothing, nor above what it is at most."""
    shares, now = lived(history)
    for size in sizes:
        shares.served(size)
    assert 0 <= shares.headroom(claim, now) <= MOST_HEADROOM + 1e-9


def test_without_a_part_one_leaves_what_all_others_are_owed() -> None:
    """Guarantees leave nothing for who has none, but what nobody wants."""
    spare = Claim("spare")
    shares = shared(Claim("whole", 1.0), spare)
    shares.took("spare", 0.001)
    assert shares.headroom(spare, 0.0) == MOST_LEFT


def test_lower_classes_leave_room_to_each_higher_one_that_asks() -> None:
    """They spill first, in their order."""
    ladder = [Claim(str(each), request_class=each) for each in RequestClass]
    shares = shared(*ladder)
    assert [shares.headroom(claim, 0.0) for claim in ladder] == [
        CLASS_STEP * higher for higher in (3, 2, 1, 0)
    ]
    assert shares.headroom(ladder[0], CLASS_ACTIVE_S) == 0


def test_higher_classes_leave_room_to_lower_ones_guarantees_alone() -> None:
    """What a class has by weight it has after those above it; a guarantee is one in any class."""
    top = Claim("top", request_class=CRITICAL)
    shares = shared(top, Claim("low", request_class=BATCH))
    flood(shares, top, now=0.0)
    assert shares.headroom(top, 0.0) == 0
    shares.asked(Claim("low", 0.2, request_class=BATCH), 0.0)
    assert shares.headroom(top, 0.0) == pytest.approx(0.2 * (CREDIT_S + DEBT_S))


def test_who_has_credit_of_a_guarantee_leaves_nothing_to_higher_classes() -> None:
    """The class orders loans, not what is guaranteed."""
    low = Claim("low", 0.2, request_class=BATCH)
    shares = shared(low, Claim("top", request_class=CRITICAL))
    assert shares.headroom(low, 0.0) == 0
    flood(shares, low, now=0.0)
    assert shares.headroom(low, 0.0) >= CLASS_STEP


def test_capacity_that_was_not_there_is_not_earned() -> None:
    """A capacity believed too large leaves differences between tenants as they are."""
    shares = shared(BIG, SMALL)
    flood(shares, BIG, now=0.0)
    for second in range(1, 1000):
        ask(shares, BIG, SMALL, now=second)
        shares.took("big", 0.35)
        shares.took("small", 0.15)
        shares.revealed(0.5)  # half of it was somebody else's
    assert shares.headroom(BIG, 1000.0) > 0.25 * (CREDIT_S + DEBT_S)


@given(steps, claims)
def test_headroom_is_never_negative_and_leaves_most_of_the_bucket(
    history: list[tuple[Claim, float, float]], claim: Claim
) -> None:
    """So that an empty deployment has room for everybody, even under caution."""
    shares, now = lived(history)
    assert 0 <= shares.headroom(claim, now) <= MOST_HEADROOM + 1e-9
    assert MOST_HEADROOM + MOST_MARGIN < DEPTH


@given(steps, claims, st.floats(0, 100), st.floats(0, 100))
def test_while_nobody_asks_less_and_less_room_is_left(
    history: list[tuple[Claim, float, float]], claim: Claim, sooner: float, more: float
) -> None:
    """Credit that is complete does not grow, and the others' does."""
    shares, now = lived([*history, (claim, 0.0, 0.0)])
    later = shares.headroom(claim, now + sooner + more)
    assert later <= shares.headroom(claim, now + sooner) + 1e-9


@given(steps, claims, st.floats(0, 120))
@example(
    [
        (Claim("a", weight=0.0, request_class=BATCH), 0.0, 0.0),
        (Claim("b", request_class=BATCH), 29.0, 4.457316262488032),
        (Claim("c", request_class=BATCH), 0.0, 0.0),
    ],
    Claim("b", 0.9736447637196437, 0.0, BATCH),
    60.0,
)
def test_the_time_of_room_is_the_earliest(
    history: list[tuple[Claim, float, float]], claim: Claim, level: float
) -> None:
    """At the told time there is room but for a rounding, a quarter of a second before none."""
    shares, now = lived([*history, (claim, 0.0, 0.0)])

    def room_at(headroom: float) -> float:
        return max(now, now + level + headroom - 60)

    at = shares.room_at(claim, now, room_at, shares.headroom(claim, now))

    def has_room(then: float) -> bool:
        return room_at(shares.headroom(claim, then)) <= then + 1e-9

    assert has_room(at)
    assert at <= now or not has_room(max(now, at - 0.25))


@pytest.mark.parametrize(("big", "small"), [*product((0.5, 3.0), (0.1, 0.2, 0.3, 3.0))])
def test_what_drains_is_shared_by_entitlement(big: float, small: float) -> None:
    """Each gets what it asks for up to its part, and what others leave beyond."""
    got = _drained({BIG: big, SMALL: small})
    fair_small = min(small, max(0.3, 1 - big))
    assert got["small"] == pytest.approx(fair_small, abs=0.02)
    assert got["big"] == pytest.approx(min(big, 1 - fair_small), abs=0.02)


def test_of_three_classes_the_highest_is_served_and_the_lowest_spills() -> None:
    """Equal weights do not make a batch job take from a critical one."""
    ladder = {
        Claim("critical", request_class=CRITICAL): 0.6,
        Claim("standard"): 0.6,
        Claim("batch", request_class=BATCH): 0.6,
    }
    got = _drained(ladder)
    assert got["critical"] == pytest.approx(0.6, abs=0.02)
    assert got["standard"] == pytest.approx(0.4, abs=0.02)
    assert got["batch"] == pytest.approx(0.0, abs=0.02)


def _drained(asking: dict[Claim, float]) -> dict[str, float]:
    """Parts of what drained of a full bucket, asked in small requests at a steady rate."""
    shares, level, step, size = Shares(0.0), 60.0, 0.02, 0.1
    due = dict.fromkeys(asking, 0.0)
    got = {claim.tenant: 0.0 for claim in asking}
    steps, warm = 45_000, 25_000
    for number in range(steps):
        now = number * step
        level = max(0.0, level - step)
        for claim, rate in asking.items():
            due[claim] += rate * step
            while due[claim] >= size:
                due[claim] -= size
                shares.asked(claim, now)
                if level + shares.headroom(claim, now) <= 60:
                    level += size
                    shares.took(claim.tenant, size)
                    got[claim.tenant] += size if number >= warm else 0.0
    return {tenant: taken / ((steps - warm) * step) for tenant, taken in got.items()}
