from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.simulator.ptu_bucket import LearnedOutput, PtuBucket

RATE = 100.0
WINDOW = 60.0
DEPTH = RATE * WINDOW

amounts = st.floats(0, 20_000)
pauses = st.floats(0, 200)


def bucket() -> PtuBucket:
    return PtuBucket(tokens_per_s=RATE, window_s=WINDOW, now=0.0)


def test_a_request_of_any_size_is_admitted_while_there_is_any_room() -> None:
    """Azure admits on the utilisation so far, not on what the request will add."""
    full = bucket()

    assert full.admit(DEPTH, 0.0)
    assert full.utilization(0.0) == 1.0
    assert full.admit(10 * DEPTH, 0.0), "at exactly 100 % one more is admitted"
    assert not full.admit(1, 0.0)


def test_the_wait_is_the_time_until_back_under_full() -> None:
    """Retry-After is neither early, which costs another refusal, nor late."""
    over = bucket()
    over.admit(DEPTH + 500, 0.0)

    wait = over.wait(0.0)

    assert wait == pytest.approx(5.0)
    assert not over.admit(1, wait - 0.01)
    assert over.admit(1, wait + 0.01)


def test_an_estimate_is_corrected_both_ways() -> None:
    """Completion gives back what was not used and takes what was used beyond."""
    corrected = bucket()
    corrected.admit(3000, 0.0)

    corrected.correct(-1000, 0.0)
    assert corrected.utilization(0.0) == pytest.approx(2000 / DEPTH)
    corrected.correct(500, 0.0)
    assert corrected.utilization(0.0) == pytest.approx(2500 / DEPTH)


class BucketHistory(RuleBasedStateMachine):
    """Any sequence of requests, corrections and pauses."""

    def __init__(self) -> None:
        super().__init__()
        self.bucket = bucket()
        self.now = 0.0
        self.added = 0.0

    @rule(amount=amounts)
    def request(self, amount: float) -> None:
        before = self.bucket.utilization(self.now)
        admitted = self.bucket.admit(amount, self.now)

        assert admitted == (before <= 1.0)
        self.added += amount if admitted else 0.0

    @rule(part=st.floats(-1, 1))
    def correct(self, part: float) -> None:
        self.bucket.correct(part * 1000, self.now)
        self.added += max(0.0, part * 1000)

    @rule(seconds=pauses)
    def pass_time(self, seconds: float) -> None:
        before = self.bucket.utilization(self.now)
        self.now += seconds

        drained = before - self.bucket.utilization(self.now)
        assert drained == pytest.approx(min(before, seconds / WINDOW))

    @invariant()
    def holds_no_more_than_was_added(self) -> None:
        assert 0 <= self.bucket.utilization(self.now) * DEPTH <= self.added + 1e-6

    @invariant()
    def waiting_helps(self) -> None:
        wait = self.bucket.wait(self.now)
        assert (wait > 0) == (self.bucket.utilization(self.now) > 1.0)


TestBucketHistory = BucketHistory.TestCase


@given(lengths=st.lists(st.integers(1, 4000), min_size=1, max_size=200))
def test_the_learned_output_stays_among_what_was_seen(lengths: list[int]) -> None:
    """The estimate for uncapped requests follows the answers and never leaves their range."""
    learned = LearnedOutput(start=lengths[0])
    for length in lengths:
        learned.observe(length)

    assert min(lengths) <= learned.tokens <= max(lengths)
