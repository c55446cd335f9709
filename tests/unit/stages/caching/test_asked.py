"""What policy and caller allow together."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.cache.entry import Question
from app.domain.cache.policy import CachePolicy, ExactPolicy, SemanticPolicy
from app.domain.call.request import Accounting, InferenceRequest, Operation, Route
from app.stages.caching.asked import Asked, narrowed
from app.wire.cache.directives import Directives
from tests.fakes.entries import an_entry

REQUEST = InferenceRequest(
    Route(Operation.CHAT_COMPLETIONS, "POST", Accounting.TOKENS), "gpt-4o", b"{}"
)
QUESTION = Question(b"f" * 16, b"p" * 16, "What is the capital of France?")
BOTH = CachePolicy(ExactPolicy(enabled=True, ttl_s=100), SemanticPolicy(enabled=True, ttl_s=50))


def asked(policy: CachePolicy = BOTH, question: Question = QUESTION, **said: Any) -> Asked:
    return Asked("acme", REQUEST, question, policy, Directives(**said))


def test_an_answer_is_kept_for_the_longer_of_both_times() -> None:
    """Each cache looks at the age itself; what is off does not count."""
    assert asked().ttl_s == 100
    only = CachePolicy(ExactPolicy(enabled=False, ttl_s=100), BOTH.semantic)
    assert asked(only).ttl_s == 50


@pytest.mark.parametrize(("said", "kept"), [(10.0, 10.0), (1000.0, 100.0), (None, 100.0)])
def test_a_caller_only_shortens_it(said: float | None, kept: float) -> None:
    """Whatever it says."""
    assert asked(ttl_s=said).ttl_s == kept


@pytest.mark.parametrize(
    ("age", "allowed", "fresh"),
    [(50, None, True), (51, None, False), (9, 10, True), (11, 10, False)],
)
def test_how_old_an_answer_may_be(age: float, allowed: float | None, *, fresh: bool) -> None:
    """The shorter of what the policy and what the caller says, to the second."""
    entry = an_entry(stored_at=1000.0)
    assert asked(max_age_s=allowed).is_fresh(entry, 50, 1000.0 + age) is fresh


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (QUESTION, ""),
        (Question(b"f" * 16, b"p" * 16, "  France?        "), "too_short"),
        (Question(b"f" * 16, b"p" * 16, "北京有多少人"), ""),
        (Question(b"f" * 16, b"p" * 16, "多少人"), "too_short"),
        (Question(b"f" * 16, b"p" * 16, "x" * 2001), "too_long"),
        (Question(b"f" * 16, b"p" * 16, QUESTION.prompt, temperature=1.5), "temperature"),
        (Question(b"f" * 16, reason="tools"), "tools"),
    ],
)
def test_when_meaning_may_decide(question: Question, reason: str) -> None:
    """What the request is comes before what the policy says of it."""
    narrow = narrowed(question, BOTH.semantic)
    assert narrow.reason == reason
    assert asked(question=narrow).by_meaning is not bool(reason)


def test_a_request_without_a_temperature_has_the_usual_one() -> None:
    """Which is 1, so that a policy below it leaves such requests out."""
    assert narrowed(QUESTION, SemanticPolicy(max_temperature=0.9)).reason == "temperature"
    assert not narrowed(QUESTION, SemanticPolicy(max_temperature=1.0)).reason


def test_who_may_be_given_the_answer_to_another() -> None:
    """Only where the same request may have the same answer, and the caller takes a kept one."""
    assert asked().may_wait
    assert not asked(read=False).may_wait
    assert not asked(CachePolicy(semantic=BOTH.semantic)).may_wait
    assert not asked(CachePolicy(BOTH.exact, BOTH.semantic, coalesce=False)).may_wait
