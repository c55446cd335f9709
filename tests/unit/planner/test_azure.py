from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.planner.azure import Paygo, PromptCache, Ptu, PtuFacts, Speed
from app.planner.traffic import Request

# 100 tokens a second, 6,000 deep.
FACTS = PtuFacts(tokens_per_s=100.0)


def request(prompt: int = 100, *, cap: int | None = 0, prefix: int = 0, talk: int = 0) -> Request:
    return Request(0, 0, talk, prompt, prefix, cap, stream=True)


def full_ptu(facts: PtuFacts = FACTS, *, over: int = 0) -> Ptu:
    """At time 0 full, and `over` tokens more."""
    ptu = Ptu(facts)
    depth = round(facts.tokens_per_s * facts.depth_s)
    assert ptu.offer(request(depth), 0.0)
    if over:
        assert ptu.offer(request(over), 0.0)
    return ptu


def test_a_request_is_admitted_while_the_bucket_is_at_most_full_whatever_its_size() -> None:
    """Utilisation before the request decides; 100 % is not too much, anything over it is."""
    ptu = full_ptu()
    assert ptu.offer(request(1_000_000), 0.0)
    assert ptu.offer(request(1), 0.0) is None


def test_oracles_see_how_full_it_is_and_what_a_request_would_add() -> None:
    """In seconds of its capacity; looking changes nothing."""
    ptu = full_ptu(over=300)
    assert ptu.over(1.0) == pytest.approx(2.0)
    assert ptu.adds(request(1000, cap=50), 1.0) == pytest.approx(12.0)
    assert ptu.over(1.0) == pytest.approx(2.0)
    assert Ptu(FACTS).over(0.0) == -60.0


def test_a_refusal_takes_nothing_and_says_when_there_is_room() -> None:
    """The time until utilisation is back at 100 %, in whole milliseconds, rounded up."""
    ptu = full_ptu(over=1)
    level = ptu.level
    assert ptu.offer(request(), 0.0) is None
    assert ptu.level == level
    assert ptu.retry_after(0.0) == pytest.approx(0.010)
    assert ptu.retry_after(0.0049) == pytest.approx(0.006)
    assert ptu.offer(request(), 0.0099) is None
    assert ptu.offer(request(), 0.0101)


def test_a_deployment_without_milliseconds_rounds_up_to_seconds() -> None:
    """`retry-after` alone: never less than a second, never too early."""
    facts = PtuFacts(tokens_per_s=100.0, whole_seconds=True)
    assert full_ptu(facts, over=1).retry_after(0.0) == 1.0
    assert full_ptu(facts, over=250).retry_after(0.0) == 3.0


def test_a_request_takes_its_uncached_prompt_and_its_weighted_cap() -> None:
    """Prompt less what is cached, plus ratio times the cap; cached tokens may weigh something."""
    for weight, expected in ((0.0, 4_000 - 2_048 + 4 * 50), (0.1, 4_000 - 0.9 * 2_048 + 4 * 50)):
        ptu = Ptu(PtuFacts(tokens_per_s=100.0, cached_weight=weight))
        assert ptu.offer(request(2_100), 0.0)
        job = ptu.offer(request(4_000, cap=50, prefix=2_100), 1.0)
        assert job is not None
        assert job.cached == 2_048
        assert job.taken == pytest.approx(expected)


def test_without_a_cap_azure_takes_what_it_has_learnt() -> None:
    """256 tokens at first; then towards what answers had."""
    ptu = Ptu(FACTS)
    first = ptu.offer(request(1, cap=None), 0.0)
    assert first is not None
    assert first.taken == 1 + 4 * 256
    ptu.complete(first, 56, 0.0)
    second = ptu.offer(request(1, cap=None), 0.0)
    assert second is not None
    assert second.taken == 1 + 4 * 236


def test_completion_puts_what_was_used_in_place_of_the_estimate() -> None:
    """Both ways: a short answer gives room back, one longer than learnt takes more."""
    ptu = Ptu(FACTS)
    short, long = ptu.offer(request(0, cap=500), 0.0), ptu.offer(request(0, cap=None), 0.0)
    assert short is not None
    assert long is not None
    ptu.complete(short, 100, 0.0)
    assert ptu.level == 4 * 100 + 4 * 256
    ptu.complete(long, 300, 0.0)
    assert ptu.level == 4 * 100 + 4 * 300


def test_the_bucket_drains_all_the_time_and_not_below_empty() -> None:
    """By capacity times seconds."""
    ptu = full_ptu()
    assert ptu.utilization(30.0) == 0.5
    assert ptu.utilization(60.0) == 0.0
    assert ptu.utilization(600.0) == 0.0
    assert ptu.drained == pytest.approx(6_000)


def test_the_depth_is_how_long_a_full_bucket_takes_to_drain() -> None:
    """Half as deep is full with half as much."""
    ptu = Ptu(PtuFacts(tokens_per_s=100.0, depth_s=30.0))
    assert ptu.offer(request(3_000), 0.0)
    assert ptu.utilization(0.0) == 1.0


def test_the_header_is_rounded_or_not_there() -> None:
    """A tenth of a percent is all that is told; None where the header is off."""
    ptu = Ptu(FACTS)
    assert ptu.offer(request(1234), 0.0)
    assert ptu.utilization(0.0) == 0.206
    assert Ptu(PtuFacts(tokens_per_s=100.0, tells_utilization=False)).utilization(0.0) is None


steps = st.lists(
    st.tuples(
        st.floats(0, 20),
        st.integers(0, 4_000),
        st.one_of(st.none(), st.integers(0, 500)),
        st.integers(0, 500),
        st.booleans(),
    ),
    max_size=60,
)


@given(steps)
def test_no_token_is_lost_or_made(
    story: list[tuple[float, int, int | None, int, bool]],
) -> None:
    """What was taken and corrected is what drained and what is left, less what was forfeited."""
    ptu, now, booked = Ptu(FACTS), 0.0, 0.0
    running = []
    for pause, prompt, cap, output, ends in story:
        now += pause
        job = ptu.offer(request(prompt, cap=cap), now)
        if job is not None:
            booked += job.taken
            running.append((job, output))
        if ends and running:
            done, length = running.pop(0)
            ptu.complete(done, length, now)
            booked += ptu.weight(done, length) - done.taken
        assert booked == pytest.approx(ptu.drained + ptu.level - ptu.forfeited, abs=1e-6)
        assert ptu.level >= 0
        assert ptu.drained <= FACTS.tokens_per_s * now + 1e-6


def test_prefixes_are_cached_from_1024_tokens_in_steps_of_128_for_ten_minutes() -> None:
    """Each conversation for itself, and only what this deployment has seen."""
    cache = PromptCache()
    assert cache.read(request(1_300, prefix=1_200), 0.0) == 0
    assert cache.read(request(1_500, prefix=1_300), 1.0) == 1_280
    assert cache.read(request(1_500, prefix=1_023), 2.0) == 0
    assert cache.read(request(9_000, prefix=8_000), 3.0) == 1_408
    assert cache.read(request(9_000, prefix=8_000, talk=1), 3.0) == 0
    assert cache.read(request(9_000, prefix=8_000), 604.0) == 0


def test_the_cache_forgets_old_conversations_as_it_grows() -> None:
    """A long run does not fill memory, and what is still cached is not lost by that."""
    cache = PromptCache()
    for talk in range(20_000):
        cache.read(request(2_000, talk=talk), 0.0)
    cache.read(request(2_000, talk=20_001), 1_000.0)
    assert len(cache) == 1
    assert cache.read(request(2_100, prefix=2_000, talk=20_001), 1_001.0) == 1_920


def test_pay_as_you_go_serves_everything_and_keeps_the_bill() -> None:
    """Prompt, cached and answer tokens are summed up; its cache is its own."""
    paygo = Paygo()
    assert paygo.serve(request(2_000), 10, 0.0) == 0
    assert paygo.serve(request(2_500, prefix=2_000), 20, 1.0) == 1_920
    assert (paygo.input, paygo.cached, paygo.output) == (4_500, 1_920, 30)


def test_longer_answers_take_longer() -> None:
    """First token, reading, writing."""
    assert Speed(0.2, 0.001, 0.01).takes(100, 50) == pytest.approx(0.2 + 0.1 + 0.5)
