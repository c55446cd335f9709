"""What befell a request, in sentences; whole stories are in test_explained."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.cache.outcome import CacheResult
from app.domain.capacity.spill import SpillReason
from app.domain.explain.explanation import (
    AttemptRecord,
    CachedRecord,
    CandidateRecord,
    Explanation,
    LimitRecord,
    PolicyRecord,
    ReservedRecord,
    SettledRecord,
    SkipRecord,
)
from app.domain.explain.why import duration, summary, why_asked, why_candidate, why_skipped
from app.domain.ledger.completion import Outcome
from app.domain.policy.findings import PolicyKind
from app.domain.policy.rules import Action
from app.domain.quota.limit import LimitName, Mode
from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Kind
from app.domain.routing.throttle import ThrottleClass


@pytest.mark.parametrize("reason", list(SpillReason))
def test_every_reason_has_words(reason: SpillReason) -> None:
    """Each another sentence, with the deployment, the time and how full it was."""
    said = why_skipped(SkipRecord("ptu", 0, reason, 2.34, 0.8))
    assert said.startswith("ptu ")
    assert "for 2.3 s" in said
    assert said.endswith(", 80 % full)")
    found = Explanation("r", 0.0, 0.1, Outcome.FINISHED, "t", reason)
    assert any("It spilled" in line for line in summary(found)) == (reason != "none")


@pytest.mark.parametrize(
    ("result", "said"),
    [(CacheResult.EXACT, "was the same request"), (CacheResult.SEMANTIC, "meant")],
)
def test_an_answer_from_the_cache_says_whose_it_was(result: CacheResult, said: str) -> None:
    """Nobody was asked, and the reader learns why and how old it is."""
    cached = CachedRecord(result, source="req_1", age_s=12.0)
    found = Explanation("r", 0.0, 0.1, Outcome.FINISHED, "t", cache=cached)
    sentence = summary(found)[1]
    assert sentence.startswith("It is the answer to req_1, from 12.0 s before, which")
    assert said in sentence


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"result": CacheResult.SEMANTIC, "source": "req_1", "age_s": 3.0, "fingerprint": "ab"},
            (
                "It is the answer to req_1, from 3.0 s before, which meant the same "
                "(distance 0.0123, fingerprint ab)."
            ),
        ),
        (
            {"source": "req_1", "age_s": 3.0, "would_hit": True},
            (
                "The cache, which only watches, would have given the answer to req_1, from 3.0 s "
                "before, at a distance of 0.0123."
            ),
        ),
        (
            {"source": "req_1", "age_s": 3.0, "reason": "tightened"},
            (
                "The cache had the answer to req_1, from 3.0 s before, at a distance of 0.0123, "
                "and kept it back (tightened)."
            ),
        ),
        (
            {"reason": "negation"},
            "The nearest prompt in the cache, at a distance of 0.0123, was not taken (negation).",
        ),
    ],
)
def test_what_was_near_is_told(more: dict[str, Any], said: str) -> None:
    """Given or not, by whom it was refused, and how near it was."""
    given: dict[str, Any] = {"result": CacheResult.MISS, "distance": 0.0123} | more
    cached = CachedRecord(**given)
    found = Explanation("r", 0.0, 0.1, Outcome.FINISHED, "t", cache=cached)
    assert said in summary(found)


@pytest.mark.parametrize("throttle", list(ThrottleClass))
def test_every_kind_of_throttle_has_words(throttle: ThrottleClass) -> None:
    """The same status, and another sentence each."""
    said = why_asked(AttemptRecord("a", 0, Verdict.THROTTLED, 0.0, 0.1, None, 429, None, throttle))
    assert said.startswith("a refused (429, ")
    assert len(said) > len("a refused (429, ) after 100 ms")


@pytest.mark.parametrize(
    ("attempt", "said"),
    [
        (
            AttemptRecord("a", 0, Verdict.FAILED, 0.0, 5.0),
            "a failed (no answer) after 5.0 s",
        ),
        (
            AttemptRecord("a", 0, Verdict.ACCEPT, 0.0, 0.2, status=200, native_spillover_from="b"),
            "a gave the answer (200) after 200 ms; Azure itself moved it there from b",
        ),
    ],
)
def test_what_was_asked_says_what_came(attempt: AttemptRecord, said: str) -> None:
    """An answer, none, or one from elsewhere."""
    assert why_asked(attempt) == said


def test_a_candidate_says_what_became_of_it() -> None:
    """Asked, skipped at its turn, not needed, or not possible any more."""
    asked, turned = CandidateRecord("a", 0, 0.5), CandidateRecord("b", 0)
    left = CandidateRecord("c", 1)
    failed = Explanation(
        "r", 0.0, 0.1, Outcome.UPSTREAM_FAILED, "t",
        attempts=(AttemptRecord("a", 0, Verdict.FAILED, 0.0, 0.1),),
        skipped=(SkipRecord("b", 0, SpillReason.HELD, 1.0, at_its_turn=True),),
    )  # fmt: skip
    assert why_candidate(asked, failed) == "a was in tier 1, predicted 50 % full, and was asked"
    assert why_candidate(turned, failed).endswith("and was skipped when its turn came")
    assert why_skipped(failed.skipped[0]) == (
        "b was held for 1.0 s (when its turn came, as it had asked)"
    )
    assert "was not asked: time, retries" in why_candidate(left, failed)


def test_the_summary_tells_what_was_out_of_the_ordinary() -> None:
    """A last resort, a soft limit, an account out of reach, an estimate."""
    limit = LimitRecord(LimitName.TPM, "tenant", 100, 0, Mode.SOFT, is_over=True)
    found = Explanation(
        "r", 0.0, 0.1, Outcome.FINISHED, "t", status=200, deployment="a",
        deployment_kind=Kind.PTU, last_resort=True, candidates=(CandidateRecord("a", 0),),
        attempts=(AttemptRecord("a", 0, Verdict.ACCEPT, 0.0, 0.1, status=200),),
        reserved=ReservedRecord(1, 1234, 5_000_000, (limit,), "local_share"),
        settled=SettledRecord(input=10, output=2, nano_usd=1_000), flags=("estimated",),
    )  # fmt: skip
    assert summary(found) == [
        "The answer arrived whole (200) after 100 ms.",
        "It was served by a (ptu), the first asked.",
        "Nobody was expected to have room: those that might were asked all the same.",
        "Reserved were 1,234 tokens and up to $0.005000.",
        "It went over the soft limit tpm of tenant.",
        "The account was out of reach: the policy local_share was in force.",
        "Charged were 10 input and 2 output tokens, estimated, $0.000001.",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.0, "0 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (2.34, "2.3 s"), (150, "2 min")],
)
def test_durations_are_short(seconds: float, said: str) -> None:
    """In the unit that they are felt in."""
    assert duration(seconds) == said


def test_policies_say_what_they_did_and_where() -> None:
    """By their names; what has no place in the body is said without one."""
    policies = (
        PolicyRecord(PolicyKind.PATTERN, "card", Action.FLAG, "messages[1]"),
        PolicyRecord(PolicyKind.BODY_SIZE, "max_body_bytes", Action.BLOCK),
    )
    found = Explanation("r", 0.0, 0.1, Outcome.REFUSED, "t", policies=policies)
    assert [line for line in summary(found) if "policy" in line] == [
        "The tenant's policy card flagged it (messages[1]).",
        "The tenant's policy max_body_bytes refused it.",
    ]
