from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.capacity.shadow_bucket import (
    DEPTH,
    LEAST_MARGIN,
    MOST_MARGIN,
    PROBE_AFTER_S,
    ShadowBucket,
)
from app.domain.capacity.wait import Wait


def level(bucket: ShadowBucket, now: float) -> float:
    return bucket.utilization(now) * DEPTH


def full(now: float = 0.0, over: float = 0.0) -> ShadowBucket:
    bucket = ShadowBucket(now)
    bucket.take(DEPTH + over, now)
    return bucket


def margin(bucket: ShadowBucket, now: float) -> float:
    """What is kept free a second after the last news; fills the bucket."""
    bucket.take((DEPTH - level(bucket, now)) / bucket.scale, now)
    return (bucket.room_at(now + 1) - now - 1) * bucket.pace + bucket.pace


class Azure:
    """The true bucket, in seconds of the configured capacity; see the planner's for a whole one."""

    def __init__(self, capacity: float, depth: float = DEPTH) -> None:
        self.capacity, self.depth, self.level, self._at = capacity, depth, 0.0, 0.0

    def wait(self, now: float) -> float:
        self.level = max(0.0, self.level - self.capacity * (now - self._at))
        self._at = now
        return max(0.0, (self.level - self.depth * self.capacity) / self.capacity)

    def utilization(self) -> float:
        return self.level / self.depth / self.capacity


def refusals(azure: Azure, *, header: bool, requests: int) -> list[int]:
    """Which of so many requests were refused where more is asked for than there is."""
    bucket, rng, refused, now = ShadowBucket(0.0), Random(3), [], 0.0
    for number in range(requests):
        now += rng.expovariate(0.5)
        seconds = rng.uniform(1, 6)
        if bucket.room_at(now) > now:
            continue
        added, mark = bucket.take(seconds, now), bucket.mark()
        if (wait := azure.wait(now)) > 0:
            bucket.undo(seconds, now)
            bucket.refused(mark, Wait(wait, 0.001), now)
            refused.append(number)
            continue
        azure.level += seconds
        if header:
            bucket.told(azure.utilization(), mark, now)
        else:
            bucket.accepted(mark, added, now)
    return refused


def test_it_drains_while_time_passes() -> None:
    """By a second a second, and never below nothing."""
    bucket = ShadowBucket(0.0)
    bucket.take(10.0, 0.0)
    assert level(bucket, 4.0) == pytest.approx(6.0)
    assert level(bucket, 100.0) == 0.0


def test_a_request_of_any_size_has_room_until_it_is_full() -> None:
    """As Azure does it: it is what is there already that counts."""
    bucket = ShadowBucket(0.0)
    bucket.take(DEPTH - 1, 0.0)
    assert bucket.room_at(0.0) == 0.0
    bucket.take(50.0, 0.0)
    assert bucket.room_at(0.0) == pytest.approx(49.0 + LEAST_MARGIN)


def test_others_room_is_left_to_them() -> None:
    """With a headroom of twenty it is full at forty."""
    bucket = ShadowBucket(0.0)
    bucket.take(45.0, 0.0)
    assert bucket.room_at(0.0) == 0.0
    assert bucket.room_at(0.0, headroom=20.0) == pytest.approx(5.0 + LEAST_MARGIN)


def test_a_refusal_tells_the_level() -> None:
    """Whoever waits for 7 s is 7 s over full."""
    bucket = ShadowBucket(0.0)
    bucket.take(3.0, 0.0)
    bucket.undo(3.0, 0.05)
    assert bucket.refused(bucket.mark(), Wait(7.0, 0.001), 0.05)
    assert level(bucket, 0.05) == pytest.approx(DEPTH + 7, abs=0.01)


def test_a_time_in_whole_seconds_is_an_interval() -> None:
    """A belief that is within the second stays as it is; one below moves up to its edge."""
    within, below = full(over=6.5), full(over=2.0)
    for bucket in (within, below):
        bucket.refused(bucket.mark(), Wait(7.0, 1.0), 0.0)
    assert level(within, 0.0) == pytest.approx(DEPTH + 6.5)
    assert level(below, 0.0) == pytest.approx(DEPTH + 6)


def test_a_refusal_without_a_time_says_that_it_is_full() -> None:
    """Less was believed; more would have stayed."""
    bucket = ShadowBucket(0.0)
    assert bucket.refused(bucket.mark(), None, 0.0)
    assert level(bucket, 0.0) == DEPTH
    assert not full(over=5).refused(bucket.mark(), None, 0.0)


def test_the_header_tells_the_level() -> None:
    """Both ways."""
    for believed in (5.0, 50.0):
        bucket = ShadowBucket(0.0)
        bucket.take(believed, 0.0)
        assert bucket.told(0.5, bucket.mark(), 0.0)
        assert level(bucket, 0.0) == pytest.approx(DEPTH / 2)


def test_evidence_from_before_is_an_interval() -> None:
    """What was taken or came back since may be in the header or not: both beliefs may be right."""
    bucket = ShadowBucket(0.0)
    bucket.take(10.0, 0.0)
    mark = bucket.mark()
    bucket.take(20.0, 0.0)
    bucket.correct(-5.0, 0.0)
    for told, believed in ((10 / DEPTH, 25), (30 / DEPTH, 25), (40 / DEPTH, 35)):
        bucket.told(told, mark, 0.0)
        assert level(bucket, 0.0) == pytest.approx(believed)


def test_being_let_in_says_that_it_was_not_full() -> None:
    """Before the request's own part."""
    bucket = full(over=20)
    own = bucket.take(4.0, 0.0)
    bucket.accepted(bucket.mark(), own, 0.0)
    assert level(bucket, 0.0) <= DEPTH + 4


@pytest.mark.parametrize(("capacity", "depth"), [(0.8, 60), (1.25, 60), (1, 30), (1, 120)])
def test_it_learns_another_capacity_or_depth_from_the_header(capacity: float, depth: float) -> None:
    """After the first hundred requests next to none is refused."""
    refused = refusals(Azure(capacity, depth), header=True, requests=2000)
    assert len([number for number in refused if number > 100]) <= 2


def test_it_learns_a_smaller_capacity_from_refusals_alone() -> None:
    """Of the second thousand requests not one in fifty is refused."""
    refused = refusals(Azure(0.8), header=False, requests=2000)
    assert refused
    assert len([number for number in refused if number >= 1000]) < 20


def test_it_finds_out_without_a_header_that_there_is_more_than_configured() -> None:
    """Being let in at the brim is evidence: nine tenths of what there is are used."""
    azure, bucket, rng, now, sent = Azure(1.5), ShadowBucket(0.0), Random(3), 0.0, 0.0
    for _ in range(6000):
        now += rng.expovariate(1.0)
        if bucket.room_at(now) > now:
            continue
        added, mark = bucket.take(3.0, now), bucket.mark()
        if (wait := azure.wait(now)) > 0:
            bucket.undo(3.0, now)
            bucket.refused(mark, Wait(wait, 0.001), now)
            continue
        azure.level += 3.0
        sent += 3.0 * (now > 2000)
        bucket.accepted(mark, added, now)
    assert sent > 0.9 * 1.5 * (now - 2000)


def test_traffic_that_nobody_tells_of_widens_the_margin_for_a_while() -> None:
    """After bursts from nowhere it keeps more free, and all of it is used again when they stop."""
    bucket, now = ShadowBucket(0.0), 0.0
    for surprise in (8.0, 9.0, 0.0, 7.0):
        now += 5.0
        bucket.told(min(0.9, (level(bucket, now) + surprise) / DEPTH), bucket.mark(), now)
    wary = margin(bucket, now)
    for _ in range(200):
        now += 5.0
        bucket.told(level(bucket, now) / DEPTH, bucket.mark(), now)
        bucket.take(5.0 * bucket.pace, now)
    assert wary > MOST_MARGIN / 2
    assert margin(bucket, now) < 0.5


def test_another_replica_believes_the_same() -> None:
    """What it took itself and the other had not heard of comes on top."""
    one, other = ShadowBucket(0.0), ShadowBucket(0.0)
    one.take(10.0, 0.0)
    one.told(0.5, one.mark(), 0.0)
    other.adopt(one.belief(), 2.0, 0.0)
    assert other.scale == one.scale > 1
    assert level(other, 0.0) == pytest.approx(DEPTH / 2 + 2 * one.scale)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["take", "give", "told", "refused", "accepted", "refused blindly"]),
        st.floats(0, 100),
        st.floats(0, 60),
    ),
    max_size=30,
)


def played(events: list[tuple[str, float, float]]) -> tuple[ShadowBucket, float]:
    bucket, now = ShadowBucket(0.0), 0.0
    for what, amount, passed in events:
        mark = bucket.mark()
        now += passed
        if what == "take":
            bucket.take(amount, now)
        elif what == "give":
            bucket.correct(-amount, now)
        elif what == "told":
            bucket.told(amount / 50, mark, now)
        elif what == "accepted":
            bucket.accepted(mark, 1.0, now)
        else:
            bucket.refused(mark, Wait(amount, 1.0) if what == "refused" else None, now)
        assert bucket.utilization(now) >= 0
    return bucket, now


@given(EVENTS)
def test_the_level_is_never_negative(events: list[tuple[str, float, float]]) -> None:
    """Whatever is taken, given back and told."""
    played(events)


@given(EVENTS, st.floats(0, 40))
def test_who_asks_again_when_told_to_has_room_then_and_not_before(
    events: list[tuple[str, float, float]], headroom: float
) -> None:
    """The time to come back is exact by what is believed, the growing margin included."""
    bucket, now = played(events)
    at = bucket.room_at(now, headroom)
    if at > now + 0.01:
        assert bucket.room_at(at - 0.005, headroom) > at - 0.005
    assert bucket.room_at(at + 1e-6, headroom) == at + 1e-6


@given(EVENTS, st.floats(0, 40), st.floats(0, 10))
def test_a_look_for_room_is_the_time_of_room(
    events: list[tuple[str, float, float]], headroom: float, more: float
) -> None:
    """Who has room has it at once, and whoever leaves less has it, too."""
    bucket, now = played(events)
    if bucket.has_room(now, headroom + more):
        assert bucket.has_room(now, headroom)
    if bucket.has_room(now, headroom):
        assert bucket.room_at(now, headroom) == now
    elif bucket.earliest_at(now, headroom) > now:  # neither odd nor silent for long
        assert bucket.room_at(now, headroom) > now


def surprised(bucket: ShadowBucket, wait_s: float, now: float) -> None:
    """A request is refused that was not believed to be."""
    bucket.take(1.0, now)
    mark = bucket.mark()
    bucket.undo(1.0, now)
    bucket.refused(mark, Wait(wait_s, 0.001), now)


@pytest.mark.parametrize("level", [1.0, 10.0, 30.0])
def test_after_a_refusal_out_of_the_blue_it_is_asked_when_azure_said(level: float) -> None:
    """By one request, who can go elsewhere or not; the margin is for what is known to happen."""
    bucket = ShadowBucket(0.0)
    bucket.take(level, 0.0)
    surprised(bucket, 0.3, 0.05)
    at = bucket.room_at(0.06)
    assert at == bucket.earliest_at(0.06)
    assert 0.35 <= at <= 0.35 + 0.25
    assert bucket.room_at(0.06, headroom=5.0) > at + 4
    mark, added = bucket.mark(), bucket.take(0.0, at)
    assert bucket.room_at(at) > at + 1, "a second one waits for the first one's answer"
    bucket.told(level / DEPTH, mark, at + 0.05)
    assert added == 0
    assert bucket.room_at(at + 0.05) == at + 0.05


def test_after_refusals_in_a_row_others_keep_a_margin() -> None:
    """Something is not known; who has no choice asks when Azure said, which is exact."""
    bucket = ShadowBucket(0.0)
    for now in (0.0, 20.0):
        bucket.take(1.0, now)
        surprised(bucket, 0.3, now)
    assert 20.3 <= bucket.earliest_at(20.1) <= 20.3 + 0.25
    assert bucket.room_at(20.1) >= bucket.earliest_at(20.1) + 1


def test_a_belief_that_nothing_confirms_is_no_reason_to_refuse_by() -> None:
    """Ten seconds after Azure last revealed something."""
    bucket = ShadowBucket(0.0)
    mark = bucket.mark()
    bucket.told(2.0, mark, 1.0)
    assert bucket.earliest_at(10.9) > 10.9
    assert bucket.is_fresh(10.9)
    assert not bucket.is_fresh(11.0)


def test_what_was_counted_since_it_was_empty_is_reason_to_refuse_by() -> None:
    """For as long as a word of Azure's: it holds at least as much, whoever else takes of it."""
    bucket = full(over=10.0)
    bucket.utilization(80.0)  # it ran empty at 70
    bucket.take(2 * DEPTH, 85.0)
    assert bucket.is_fresh(89.9)
    assert not bucket.is_fresh(95.0)


def test_an_answer_that_agrees_is_news_too() -> None:
    """Even where so much was under way that it tells next to nothing of the level."""
    bucket = full()
    mark = bucket.mark()
    bucket.take(5.0, 1.0)
    assert not bucket.told(1.0, mark, 1.0)
    assert bucket.is_fresh(10.5)


@pytest.mark.parametrize("revealed", [87.4, 1e306])
def test_nothing_is_believed_that_no_refusal_could_tell(revealed: float) -> None:
    """Whatever an answer says: of what cannot be, no more than the longest wait stays."""
    bucket = ShadowBucket(0.0)
    bucket.take(1.0, 0.0)
    bucket.told(revealed, bucket.mark(), 0.0)
    assert level(bucket, 0.0) <= DEPTH + PROBE_AFTER_S
    bucket.told(0.3, bucket.mark(), 1.0)
    assert level(bucket, 1.0) == pytest.approx(18.0)


def test_one_request_asks_what_azure_has_not_spoken_of_for_long() -> None:
    """However full it is believed to be: one each time, until there is a word."""
    bucket = ShadowBucket(0.0)
    bucket.take(5000.0, 0.0)
    bucket.accepted(bucket.mark(), 5000.0, 0.0)
    probed_at = bucket.room_at(1.0)
    assert probed_at == bucket.earliest_at(1.0) == PROBE_AFTER_S
    assert bucket.room_at(probed_at, headroom=30.0) == probed_at
    added = bucket.take(1.0, probed_at)
    assert bucket.room_at(probed_at + 1) == 2 * PROBE_AFTER_S
    bucket.accepted(bucket.mark(), added, probed_at + 1)
    assert bucket.room_at(probed_at + 1) < probed_at + 3


def test_who_was_refused_has_been_spoken_to() -> None:
    """By Azure, or by another replica that was."""
    one, other = full(over=PROBE_AFTER_S + 60), full(over=PROBE_AFTER_S + 60)
    one.refused(one.mark(), Wait(PROBE_AFTER_S, 0.001), 250.0)
    other.adopt(one.belief(), 0.0, 250.0)
    for bucket in (one, other):
        assert bucket.room_at(PROBE_AFTER_S) >= 250 + PROBE_AFTER_S - 1
