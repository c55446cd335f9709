"""The replay decides as the router's own bucket does."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.domain.capacity.provisioned import PtuCapacity
from app.domain.capacity.shadow_bucket import ShadowBucket
from app.planner.sizing.replay import Replayed, Weighed, replay, weighed
from app.planner.sizing.traffic import Recorded

CAPACITY = PtuCapacity(tokens_per_s=100.0, output_ratio=4.0)

#: All within PROBE_AFTER_S: then the bucket would ask Azure, which has not spoken here.
_TIMES = st.floats(0, 200).map(lambda at: round(at, 3))
_TOKENS = st.integers(0, 4000)
REQUESTS = st.lists(
    st.builds(
        lambda at, duration, prompt, part, output, cap: Recorded(
            at, duration, prompt, int(prompt * part), output, cap
        ),
        _TIMES,
        st.floats(0, 90).map(lambda seconds: round(seconds, 2)),
        _TOKENS,
        st.floats(0, 1),
        _TOKENS,
        st.none() | _TOKENS,
    ),
    min_size=1,
    max_size=60,
)


def by_the_bucket(traffic: Weighed, ptus: int, tokens_per_s: float) -> list[int]:
    """What a ShadowBucket lets in that hears of nothing but its own requests."""
    bucket, served = ShadowBucket(0.0), [0] * len(traffic.requests)
    rate = ptus * tokens_per_s
    for now, event in zip(traffic.times, traffic.events, strict=True):
        if event >= 0:
            if bucket.room_at(now) <= now:
                served[event] = 1
                bucket.take(traffic.reserved[event] / rate, now)
        elif served[~event]:
            bucket.correct((traffic.used[~event] - traffic.reserved[~event]) / rate, now)
    return served


@given(REQUESTS, st.integers(1, 5), st.sampled_from([5.0, 20.0, 100.0]))
def test_that_it_serves_what_the_bucket_lets_in(
    requests: list[Recorded], ptus: int, tokens_per_s: float
) -> None:
    """Request by request, whatever overlaps."""
    traffic = weighed(requests, CAPACITY)
    found = replay(traffic, ptus, tokens_per_s)
    assert list(found.served) == by_the_bucket(traffic, ptus, tokens_per_s)


@given(REQUESTS)
def test_that_every_request_begins_and_ends_once(requests: list[Recorded]) -> None:
    """Its end never before its beginning; times never run backwards."""
    traffic = weighed(requests, CAPACITY)
    assert sorted(traffic.times) == list(traffic.times)
    place = {event: number for number, event in enumerate(traffic.events)}
    assert len(place) == 2 * len(requests)
    assert all(place[each] < place[~each] for each in range(len(requests)))


def _told(*sizes: tuple[float, int, int, int | None]) -> Weighed:
    made = (Recorded(at, 10.0, prompt, 0, output, cap) for at, prompt, output, cap in sizes)
    return weighed(made, CAPACITY)


def test_the_worked_example_of_the_docs() -> None:
    """One PTU of 100 tokens a second holds 6,000; capped at 500, a request reserves 3,000.

    Two of them fill it to 6,000: the third spills. The first two end at 10 s with 1,000 tokens used
    each: 4,000 are given back, and 1,000 have drained. So at 11 s there are 900, and the fourth is
    let in.
    """
    capped = (1000, 0, 500)
    traffic = _told((0.0, *capped), (0.0, *capped), (0.0, *capped), (11.0, *capped))
    found = replay(traffic, 1, 100.0)
    assert list(found.served) == [1, 1, 0, 1]
    assert (found.spilled, found.used(traffic)) == (1, 3000.0)


def test_that_the_margin_is_what_a_gateway_keeps_free() -> None:
    """Azure itself lets in whoever comes to a bucket that is just full."""
    capped = (1000, 0, 500)
    traffic = _told((0.0, *capped), (0.0, *capped), (0.0, *capped))
    assert list(replay(traffic, 1, 100.0, margin=0.0).served) == [1, 1, 1]


def test_that_no_ptus_serve_nothing() -> None:
    """All of it spills."""
    traffic = _told((0.0, 1000, 0, 500))
    assert replay(traffic, 0, 100.0) == Replayed(0, 0.0, bytearray(1))


def test_that_an_uncapped_answer_is_expected_to_be_as_others_were() -> None:
    """At first 256 tokens; a tenth of the way to each that was seen."""
    traffic = _told((0.0, 0, 1256, None), (1.0, 0, 0, None))
    assert list(traffic.reserved) == [4 * 256.0, 4 * 356.0]


def test_that_cached_tokens_weigh_what_their_model_says() -> None:
    """Nothing on most, a tenth on newer ones."""
    request = Recorded(0.0, 1.0, 1000, 400, 10, 10)
    light, heavy = PtuCapacity(100.0, 4.0), PtuCapacity(100.0, 4.0, cached_weight=0.1)
    assert list(weighed([request], light).used) == [640.0]
    assert list(weighed([request], heavy).used) == [680.0]
