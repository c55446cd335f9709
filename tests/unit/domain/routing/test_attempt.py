"""Verdicts on answers, and why requests moved on."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from openai.types.responses import ResponseError

from app.domain.capacity.spill import SpillReason
from app.domain.routing.attempt import (
    SERVERS_FAULT,
    THROTTLE_CODES,
    Attempt,
    Verdict,
    judge,
    judge_stream_error,
    spill_of,
    spill_reason,
)
from app.domain.routing.route import Absence

codes = st.one_of(
    st.none(),
    st.text(max_size=30),
    st.sampled_from(["429", "404", "DeploymentNotFound", "context_length_exceeded"]),
)


def attempt(tier: int, verdict: Verdict, *, spilled_from: str | None = None) -> Attempt:
    return Attempt("d", tier, verdict, 200, 0.0, 1.0, native_spillover_from=spilled_from)


def absence(tier: int, reason: SpillReason = SpillReason.HELD) -> Absence:
    return Absence("d", tier, reason, 9.0)


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (200, None, Verdict.ACCEPT),
        (201, "429", Verdict.ACCEPT),
        (400, "content_filter", Verdict.ACCEPT),
        (400, "OperationNotSupported", Verdict.ACCEPT),
        (400, None, Verdict.ACCEPT),
        (400, "context_length_exceeded", Verdict.TOO_LONG),
        (401, "401", Verdict.MISCONFIGURED),
        (401, "PermissionDenied", Verdict.MISCONFIGURED),
        (403, None, Verdict.MISCONFIGURED),
        (404, "DeploymentNotFound", Verdict.MISCONFIGURED),
        (404, "404", Verdict.MISCONFIGURED),
        (404, "response_not_found", Verdict.ACCEPT),
        (404, None, Verdict.ACCEPT),
        (408, "Timeout", Verdict.FAILED),
        (409, None, Verdict.ACCEPT),
        (422, None, Verdict.ACCEPT),
        (429, "RateLimitReached", Verdict.THROTTLED),
        (429, "no_capacity", Verdict.THROTTLED),
        (429, None, Verdict.THROTTLED),
        (301, None, Verdict.FAILED),
        (101, None, Verdict.FAILED),
        (500, None, Verdict.FAILED),
        (503, "DeploymentNotFound", Verdict.FAILED),
        (599, None, Verdict.FAILED),
    ],
)
def test_verdicts(status: int, code: str | None, verdict: Verdict) -> None:
    """Throttling moves on, our own faults and theirs move on, the caller's own come back."""
    assert judge(status, code) is verdict


@given(st.integers(100, 599), codes)
def test_every_answer_has_a_verdict(status: int, code: str | None) -> None:
    """Whatever comes, only what is wrong with the request itself, or right, is passed on."""
    verdict = judge(status, code)
    assert (verdict is Verdict.THROTTLED) == (status == 429)
    if status // 100 == 2:
        assert verdict is Verdict.ACCEPT
    if status >= 500 or status < 200 or 300 <= status < 400:
        assert verdict is Verdict.FAILED
    if verdict is Verdict.ACCEPT:
        assert status // 100 in {2, 4}
        assert status not in {401, 403, 408, 429}


@pytest.mark.parametrize("code", ["rate_limit_exceeded", "no_capacity", "too_many_requests", "429"])
def test_a_stream_may_say_that_it_is_throttled(code: str) -> None:
    """The spellings that were seen inside a 200."""
    assert judge_stream_error(code) is Verdict.THROTTLED


@pytest.mark.parametrize("code", [None, "", "server_error", "internal_error", "500", "503"])
def test_a_stream_may_say_that_the_server_failed(code: str | None) -> None:
    """Or not say what is wrong at all."""
    assert judge_stream_error(code) is Verdict.FAILED


@pytest.mark.parametrize("code", get_args(ResponseError.model_fields["code"].annotation))
def test_every_code_of_openais_has_a_verdict(code: str) -> None:
    """Two of them are the server's fault and one is a throttle; all others are the request's."""
    known = {
        "server_error": Verdict.FAILED,
        "vector_store_timeout": Verdict.FAILED,
        "rate_limit_exceeded": Verdict.THROTTLED,
    }
    assert judge_stream_error(code) is known.get(code, Verdict.ACCEPT)


@given(st.from_regex(r"[a-z][a-z_]{0,30}", fullmatch=True))
def test_any_other_code_in_a_stream_is_the_answer(code: str) -> None:
    """A code of tomorrow's is taken for the request's: its sender is told, and nobody suffers."""
    assume(code not in THROTTLE_CODES | SERVERS_FAULT)
    assert judge_stream_error(code) is Verdict.ACCEPT


@given(st.from_regex(r"[A-Za-z]+( [a-z]+)+", fullmatch=True))
def test_words_are_no_code(text: str) -> None:
    """Some servers send a text where the error object belongs."""
    assert judge_stream_error(text) is Verdict.FAILED


def test_why_an_attempt_moved_on() -> None:
    """Throttling is told apart from all failures."""
    reasons = {verdict: spill_reason(verdict) for verdict in Verdict}
    assert reasons.pop(Verdict.THROTTLED) is SpillReason.THROTTLED
    assert set(reasons.values()) == {SpillReason.ERROR}


def test_the_first_tier_spills_nothing() -> None:
    """Another deployment of the same tier is no spill, however often it took."""
    attempts = [attempt(0, Verdict.THROTTLED), attempt(0, Verdict.ACCEPT)]
    assert spill_of(0, attempts, [absence(0), absence(1)]) is SpillReason.NONE


@pytest.mark.parametrize(
    ("attempts", "absences", "reason"),
    [
        ([attempt(0, Verdict.THROTTLED)], [], SpillReason.THROTTLED),
        ([attempt(0, Verdict.FAILED)], [], SpillReason.ERROR),
        ([attempt(0, Verdict.MISCONFIGURED)], [], SpillReason.ERROR),
        ([], [absence(0)], SpillReason.HELD),
        ([], [absence(0, SpillReason.POLICY)], SpillReason.POLICY),
        ([attempt(0, Verdict.FAILED), attempt(0, Verdict.THROTTLED)], [], SpillReason.ERROR),
        ([attempt(1, Verdict.FAILED)], [absence(0)], SpillReason.HELD),
        ([attempt(0, Verdict.THROTTLED)], [absence(1)], SpillReason.THROTTLED),
        ([attempt(0, Verdict.THROTTLED)], [absence(2)], SpillReason.THROTTLED),
    ],
)
def test_the_first_deployment_that_was_passed_is_the_reason(
    attempts: list[Attempt], absences: list[Absence], reason: SpillReason
) -> None:
    """What kept a request from its first tier, not what happened further down."""
    assert spill_of(2, [*attempts, attempt(2, Verdict.ACCEPT)], absences) is reason


def test_azures_own_spillover_is_throttling() -> None:
    """A request that Azure moved to its standard deployment was not served by the first tier."""
    served = attempt(0, Verdict.ACCEPT, spilled_from="ptu")
    assert spill_of(0, [served], []) is SpillReason.THROTTLED
    moved_before = attempt(0, Verdict.FAILED, spilled_from="ptu")
    assert spill_of(0, [moved_before, attempt(0, Verdict.ACCEPT)], []) is SpillReason.NONE
