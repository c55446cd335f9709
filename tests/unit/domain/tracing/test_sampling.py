"""Which requests are traced."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from app.domain.call.trace import Caller, TraceContext
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.tracing.sampling import Sampler, SamplingPolicy, is_chosen, is_telling
from tests.fakes.receipts import receipt

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ALL, NONE = "0" * 31 + "1", "f" * 32  # in every part of all traces but the empty one; in none


def sampler(**policy: Any) -> Sampler:
    return Sampler(SamplingPolicy(**policy), random.Random(7).randbytes)


def test_about_as_many_are_sampled_as_the_ratio_says() -> None:
    """Of traces that begin here, whose ids are drawn at random."""
    chooses = sampler(ratio=0.1)
    chosen = sum(chooses.begin(None, 0.0).is_sampled for _ in range(10_000))
    assert 850 < chosen < 1150


@given(st.integers(1, 2**128 - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_part_holds_the_smaller_ones(number: int, one: float, other: float) -> None:
    """So that services that sample more than others have all of what those have."""
    trace_id = f"{number:032x}"
    if is_chosen(trace_id, min(one, other)):
        assert is_chosen(trace_id, max(one, other))
    assert is_chosen(trace_id, 1.0)
    assert not is_chosen(trace_id, 0.0)


def test_replicas_agree() -> None:
    """It is a matter of the trace's id alone."""
    caller = Caller(TRACE, "1" * 16, is_sampled=True)
    for ratio in (0.0, 0.25, 0.5, 0.75, 1.0):
        drawn = {
            Sampler(SamplingPolicy(caller_ratio=ratio), random.Random(seed).randbytes)
            .begin(caller, 0.0)
            .is_sampled
            for seed in range(20)
        }
        assert len(drawn) == 1


def test_a_trace_goes_on() -> None:
    """With the caller's id, and a span of our own."""
    caller = Caller(TRACE, "1" * 16, is_sampled=False, state="a=1")
    begun = sampler().begin(caller, 0.0)
    assert (begun.trace_id, begun.caller) == (TRACE, caller)
    assert begun.span_id != caller.span_id


def test_a_caller_that_records_nothing_is_followed() -> None:
    """Whatever our own ratio is."""
    caller = Caller(ALL, "1" * 16, is_sampled=False)
    assert not sampler(ratio=1.0, caller_ratio=1.0).begin(caller, 0.0).is_sampled


def test_a_caller_has_a_part_of_what_it_asks_for() -> None:
    """By its own ratio, not that of traces which begin here."""
    callers = [Caller(f"{n:032x}", "1" * 16, is_sampled=True) for n in spread(1000)]
    chooses = sampler(ratio=0.0, caller_ratio=0.2, most_per_s=10_000)
    assert sum(chooses.begin(each, 0.0).is_sampled for each in callers) == 200


def spread(count: int) -> list[int]:
    return [int((number + 0.5) / count * 2**56) for number in range(count)]


def test_a_caller_that_chooses_its_ids_gets_no_more_than_so_many_a_second() -> None:
    """All of its ids are in the part that is sampled; those passed over are counted."""
    chooses = sampler(caller_ratio=0.01, most_per_s=20)
    caller = Caller(ALL, "1" * 16, is_sampled=True)
    moments = [number / 1000 for number in range(5000)]  # 1000 a second, for five seconds
    sampled = sum(chooses.begin(caller, now).is_sampled for now in moments)
    assert 100 <= sampled <= 120
    assert chooses.passed_over_total == 5000 - sampled


def test_callers_do_not_take_the_place_of_failures() -> None:
    """Each kind has its own bound."""
    chooses = sampler(caller_ratio=1.0, most_per_s=1)
    caller = Caller(ALL, "1" * 16, is_sampled=True)
    assert [chooses.begin(caller, 101.0).is_sampled for _ in range(3)] == [True, False, False]
    assert chooses.keeps(receipt(outcome=Outcome.UPSTREAM_FAILED))
    assert not chooses.keeps(receipt(outcome=Outcome.UPSTREAM_FAILED))


REMARKABLE: dict[str, dict[str, Any]] = {
    "spilled": {"spill": SpillReason.THROTTLED},
    "no deployment answered": {"outcome": Outcome.UPSTREAM_FAILED, "status": 502},
    "broke off": {"outcome": Outcome.UPSTREAM_ABORTED},
    "our own failure": {"outcome": Outcome.INTERNAL_ERROR, "status": 500},
    "the store is away": {"outcome": Outcome.REFUSED, "status": 503, "reservation": None},
    "nobody had room": {"outcome": Outcome.REFUSED, "status": 429, "error": "rate_limit_exceeded"},
    "slow": {"duration": 5.0},
}
ORDINARY: dict[str, dict[str, Any]] = {
    "answered": {},
    "a wrong key": {"outcome": Outcome.REFUSED, "status": 401, "reservation": None},
    "over a limit": {"outcome": Outcome.REFUSED, "status": 429, "reservation": None},
    "no money left to spill": {
        "outcome": Outcome.REFUSED, "status": 429, "error": "insufficient_quota",
    },
    "a refusal of the upstream's": {"status": 400},
    "the client left": {"outcome": Outcome.CLIENT_DISCONNECTED, "status": None},
}  # fmt: skip


@pytest.mark.parametrize("changes", REMARKABLE.values(), ids=REMARKABLE)
def test_what_is_worth_a_look_is_traced(changes: dict[str, Any]) -> None:
    """Though nobody had chosen it at the start."""
    assert sampler(ratio=0.0, slow_s=5.0).keeps(receipt(**changes))


@pytest.mark.parametrize("changes", ORDINARY.values(), ids=ORDINARY)
def test_what_is_not_is_not(changes: dict[str, Any]) -> None:
    """Above all nothing that a stranger can send any number of."""
    assert not sampler(ratio=0.0, slow_s=5.0).keeps(receipt(**changes))


@pytest.mark.parametrize(
    ("off", "changes"),
    [
        ({"spills": False}, REMARKABLE["spilled"]),
        ({"errors": False}, REMARKABLE["broke off"]),
        ({"errors": False}, REMARKABLE["nobody had room"]),
        ({}, REMARKABLE["slow"]),
    ],
)
def test_each_kind_can_be_turned_off(off: dict[str, Any], changes: dict[str, Any]) -> None:
    """Slow ones are none unless somebody says what is slow."""
    assert not is_telling(receipt(**changes), SamplingPolicy(**off))


def test_what_was_chosen_at_the_start_is_kept() -> None:
    """However dull; and what no trace was begun for never is."""
    chosen = TraceContext(ALL, "1" * 16, is_sampled=True)
    assert sampler(most_per_s=0.1).keeps(receipt(trace=chosen))
    assert not sampler().keeps(replace(receipt(**REMARKABLE["spilled"]), trace=None))


def test_the_policy_may_change_at_any_time() -> None:
    """What was used of the bounds stays used."""
    chooses = sampler(most_per_s=1)
    failed: Callable[[], Receipt] = lambda: receipt(outcome=Outcome.UPSTREAM_FAILED)  # noqa: E731  # one line
    assert chooses.keeps(failed())
    chooses.policy = SamplingPolicy(most_per_s=1000)
    assert not chooses.keeps(failed())
    later = replace(failed(), started=101.0)
    assert all(chooses.keeps(later) for _ in range(1000))
