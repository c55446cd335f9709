from __future__ import annotations

from typing import Any

from app.planner.oracle import Oracle, OracleAtAnswers
from app.planner.strategy import Headers, PtuBelief, Site, Truth, Usage
from app.planner.traffic import Request

REQUEST = Request(0, 0, 0, 100, 0, None, stream=True)


def site(sent: list[Any], *over: float) -> Site[Any]:
    """Of a deployment that is over its depth by so much whenever somebody looks."""
    looks = iter(over)
    belief = PtuBelief(100.0, 60.0, 4.0, 0.0)
    return Site(0, 3, belief, sent.append, Truth(lambda: next(looks), 60.0, lambda _: 45.0))


def test_the_oracle_does_what_the_true_bucket_says() -> None:
    """It asks the PTU exactly when it would be admitted."""
    oracle = Oracle(site([], 0.0, 0.1, -5.0))
    assert [oracle.choose(REQUEST, 0.0) for _ in range(3)] == ["ptu", "paygo", "ptu"]


def test_the_oracle_at_answers_knows_what_it_sent_and_that_it_drains() -> None:
    """Two of 45 s are 30 over a minute, for 30 s."""
    oracle = OracleAtAnswers(site([]))
    chosen = [oracle.choose(REQUEST, at) for at in (0.0, 0.0, 0.0, 29.9, 30.1)]
    assert chosen == ["ptu", "ptu", "paygo", "paygo", "ptu"]


def test_the_oracle_at_answers_keeps_free_what_it_is_told_to() -> None:
    """Two of 45 s are 30 over a minute: with 10 s free, for 40."""
    oracle = OracleAtAnswers(site([]), margin_s=10.0)
    chosen = [oracle.choose(REQUEST, at) for at in (0.0, 0.0, 0.0, 39.9, 40.1)]
    assert chosen == ["ptu", "ptu", "paygo", "paygo", "ptu"]


def test_the_oracle_at_answers_sees_the_true_bucket_when_it_is_answered() -> None:
    """And so do its other replicas; what pay-as-you-go answers shows it nothing."""
    sent: list[Any] = []
    one, other = OracleAtAnswers(site(sent, 7.0, -20.0)), OracleAtAnswers(site([]))
    one.answered(REQUEST, Headers(7.0, None), 1.0)
    assert one.choose(REQUEST, 7.9) == "paygo"
    one.completed(REQUEST, Usage("paygo", 100, 0, 10), 2.0)
    assert one.choose(REQUEST, 7.9) == "paygo"
    one.completed(REQUEST, Usage("ptu", 100, 0, 10), 3.0)
    assert one.choose(REQUEST, 3.0) == "ptu"
    for message in sent[:1]:
        other.heard(message, 1.005)
    assert other.choose(REQUEST, 7.9) == "paygo"
    for message in sent[1:]:
        other.heard(message, 3.005)
    assert other.choose(REQUEST, 3.1) == "paygo"
    assert other.choose(REQUEST, 28.1) == "ptu"
