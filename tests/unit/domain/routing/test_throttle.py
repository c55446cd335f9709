"""Why a deployment refused, by what Azure has been seen to say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.routing.deployment import Kind
from app.domain.routing.throttle import (
    CONSEQUENCES,
    REASONS,
    Refusal,
    SizeHold,
    ThrottleClass,
    classify,
    told_tpm,
)

TIER = "for your current AIServices S0 pricing tier"
NOW_TOKENS = (
    "Your requests to gpt-5.2 for gpt-5.2 in South Central US have exceeded the token rate limit "
    f"{TIER}. This request was for ChatCompletions_Create under Azure OpenAI API version "
    "2025-04-01-preview. Please retry after 3 seconds. To increase your default rate limit, visit: "
    "https://aka.ms/oai/quotaincrease."
)
NOW_CALLS = NOW_TOKENS.replace("token rate limit", "call rate limit")
ONCE_TOKENS = (
    "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2023-05-15 "
    "have exceeded token rate limit of your current AIServices S0 pricing tier. Please retry after "
    "86400 seconds."
)
PEAK = (
    "The system is currently experiencing high demand and cannot process your request. Your "
    "request exceeds the maximum usage size allowed during peak load. Please retry after 20 "
    "seconds. For improved latency reliability, consider switching to Provisioned Throughput."
)
UNABLE = "The service is temporarily unable to process your request. Please try again later."
IN_STREAM = "Your requests to the deployment have exceeded rate limit."
OPENAI_CALLS = "Rate limit reached for gpt-4o in organization org-x on requests per min (RPM)."
OPENAI_TOKENS = "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM)."
LIMIT = "x-ratelimit-limit-tokens"


def paygo(code: str | None, message: str = "", tpm: int | None = None, **headers: str) -> Refusal:
    lowered = {name.replace("_", "-"): value for name, value in headers.items()}
    return Refusal(Kind.PAYGO, code, message, lowered, tpm)


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (paygo("RateLimitReached", NOW_TOKENS), ThrottleClass.TOKENS),
        (paygo("RateLimitReached", NOW_CALLS), ThrottleClass.CALLS),
        (paygo("429", ONCE_TOKENS), ThrottleClass.TOKENS),
        (paygo("429", policy_id="DeploymentRatelimit-Call"), ThrottleClass.CALLS),
        (paygo("429", policy_id="DeploymentRatelimit-Token"), ThrottleClass.TOKENS),
        (paygo("429", NOW_CALLS, policy_id="DeploymentRatelimit-Token"), ThrottleClass.TOKENS),
        (paygo("rate_limit_exceeded", IN_STREAM), ThrottleClass.TOKENS),
        (paygo("rate_limit_exceeded", OPENAI_CALLS), ThrottleClass.CALLS),
        (paygo("rate_limit_exceeded", OPENAI_TOKENS), ThrottleClass.TOKENS),
        (paygo(None, PEAK), ThrottleClass.PEAK_LOAD),
        (paygo("429", UNABLE), ThrottleClass.PEAK_LOAD),
        (paygo("no_capacity"), ThrottleClass.PEAK_LOAD),
        (paygo("no_capacity", x_ratelimit_limit_tokens="5", tpm=10), ThrottleClass.PEAK_LOAD),
        (paygo(None), ThrottleClass.TOKENS),
        (paygo("too_many_requests"), ThrottleClass.TOKENS),
    ],
)
def test_what_azure_says_has_a_class(refusal: Refusal, expected: ThrottleClass) -> None:
    """Bodies and headers as recorded from 2023 to 2026."""
    assert classify(refusal) is expected


@pytest.mark.parametrize("message", ["", NOW_CALLS, IN_STREAM, PEAK])
@pytest.mark.parametrize("code", [None, "429", "RateLimitReached", "no_capacity"])
def test_a_ptu_that_refuses_is_full(code: str | None, message: str) -> None:
    """Its capacity is its own; its messages have borrowed the words of quotas."""
    assert classify(Refusal(Kind.PTU, code, message)) is ThrottleClass.PROVISIONED


@pytest.mark.parametrize(
    ("told", "tpm", "expected"),
    [
        ("200000", 450_000, ThrottleClass.LOWERED),
        ("450000", 450_000, ThrottleClass.TOKENS),
        ("600000", 450_000, ThrottleClass.TOKENS),
        ("200000", None, ThrottleClass.TOKENS),
        ("-1", 450_000, ThrottleClass.TOKENS),
        ("", 450_000, ThrottleClass.TOKENS),
    ],
)
def test_a_limit_below_the_configured_one_was_lowered(
    told: str, tpm: int | None, expected: ThrottleClass
) -> None:
    """Azure's temporary adjustment; -1 says nothing."""
    refusal = Refusal(Kind.PAYGO, "RateLimitReached", NOW_TOKENS, {LIMIT: told}, tpm)
    assert classify(refusal) is expected


def test_a_call_limit_stays_one_while_tokens_are_lowered() -> None:
    """What refused was the count of calls."""
    refusal = Refusal(Kind.PAYGO, "429", NOW_CALLS, {LIMIT: "1"}, 450_000)
    assert classify(refusal) is ThrottleClass.CALLS


@given(
    st.sampled_from(Kind),
    st.none() | st.text(),
    st.text(),
    st.dictionaries(st.sampled_from([LIMIT, "policy-id"]), st.text()),
)
def test_every_refusal_has_a_class_with_a_consequence(
    kind: Kind, code: str | None, message: str, headers: dict[str, str]
) -> None:
    """Whatever an upstream says, it is one that a deployment of its kind can have."""
    found = classify(Refusal(kind, code, message, headers, 1000))
    assert found in CONSEQUENCES
    assert found in REASONS[kind]


@pytest.mark.parametrize(
    ("text", "tpm"),
    [("450000", 450_000), ("0", 0), ("-1", None), ("", None), ("1e3", None), ("٣", None)],
)
def test_only_a_count_is_a_limit(text: str, tpm: int | None) -> None:
    """No limit is made of what is none."""
    assert told_tpm({LIMIT: text}) == tpm
    assert told_tpm({LIMIT: "9" * 5000}) is None


def test_each_class_has_its_consequence() -> None:
    """Only under peak load does size matter."""
    assert CONSEQUENCES.keys() == set(ThrottleClass)
    by_size = {name for name, consequence in CONSEQUENCES.items() if consequence.by_size}
    assert by_size == {ThrottleClass.PEAK_LOAD}


def test_a_smaller_request_may_pass() -> None:
    """Only what is as large as the refused one is held, until the hold ends."""
    hold = SizeHold(1000, until=20)
    assert [hold.covers(tokens, now=19) for tokens in (999, 1000, 5000)] == [False, True, True]
    assert not hold.covers(5000, now=20)


sizes = st.lists(st.tuples(st.floats(1, 1e6), st.floats(0.1, 60)), min_size=1, max_size=20)


@given(sizes)
def test_refused_sizes_narrow_what_is_tried(refusals: list[tuple[float, float]]) -> None:
    """Every size that was refused is held for as long as was asked for it."""
    hold = SizeHold(*refusals[0])
    for tokens, until in refusals[1:]:
        hold = hold.tightened(tokens, until, now=0)
    for tokens, until in refusals:
        assert hold.covers(tokens, now=until - 0.01)
    assert not hold.covers(min(tokens for tokens, _ in refusals) - 0.5, now=0)


def test_a_hold_that_is_over_leaves_nothing() -> None:
    """The next refusal begins anew."""
    assert SizeHold(10, until=20).tightened(1000, 50, now=20) == SizeHold(1000, 50)
