from __future__ import annotations

from app.planner.baselines import BREAKER_S, FixedBreaker, NativeSpillover, RetryAfter
from app.planner.strategy import Headers, PtuBelief, Site, Truth
from app.planner.traffic import Request

REQUEST = Request(0, 0, 0, 100, 0, None, stream=True)
ANSWER = Headers(None, 1.2)
TRUTH = Truth(lambda: -1.0, 60.0, lambda _: 5.0)


def refusal(seconds: float) -> Headers:
    return Headers(seconds, 1.2)


def site(sent: list[float]) -> Site[float]:
    return Site(0, 3, PtuBelief(100.0, 60.0, 4.0, 0.0), sent.append, TRUTH)


def test_native_spillover_always_tries_the_ptu_first() -> None:
    """Not even a refusal of a moment ago changes that."""
    router = NativeSpillover()
    router.answered(REQUEST, refusal(30.0), 0.0)
    assert router.choose(REQUEST, 0.001) == "ptu"


def test_retry_after_holds_for_as_long_as_the_refusal_said() -> None:
    """From the moment the refusal is heard, and not longer."""
    router = RetryAfter(site([]), shared=True)
    assert router.choose(REQUEST, 0.0) == "ptu"
    router.answered(REQUEST, refusal(2.0), 10.0)
    assert router.choose(REQUEST, 11.999) == "paygo"
    assert router.choose(REQUEST, 12.0) == "ptu"


def test_a_shorter_refusal_does_not_shorten_a_hold() -> None:
    """Refusals overtake each other; the longest counts."""
    router = RetryAfter(site([]), shared=True)
    router.answered(REQUEST, refusal(5.0), 10.0)
    router.answered(REQUEST, refusal(1.0), 10.1)
    assert router.choose(REQUEST, 14.9) == "paygo"


def test_shared_holds_are_told_once_and_kept_by_who_hears() -> None:
    """The message is the time until which to hold; what is no news is not told again."""
    sent: list[float] = []
    first, second = (RetryAfter(site(sent), shared=True) for _ in range(2))
    first.answered(REQUEST, refusal(5.0), 10.0)
    first.answered(REQUEST, refusal(1.0), 10.1)
    assert sent == [15.0]
    second.heard(sent[0], 10.005)
    assert second.choose(REQUEST, 14.9) == "paygo"
    assert second.choose(REQUEST, 15.0) == "ptu"
    assert sent == [15.0], "what was heard is not passed on"


def test_holds_per_replica_are_not_told() -> None:
    """Each replica runs into its own refusal."""
    sent: list[float] = []
    RetryAfter(site(sent), shared=False).answered(REQUEST, refusal(5.0), 10.0)
    assert sent == []


def test_the_breaker_opens_for_a_minute_whatever_the_refusal_said() -> None:
    """Shorter and longer times to wait are ignored alike."""
    for said in (0.01, 300.0):
        sent: list[float] = []
        router = FixedBreaker(site(sent), shared=True)
        router.answered(REQUEST, refusal(said), 10.0)
        assert router.choose(REQUEST, 9.999 + BREAKER_S) == "paygo"
        assert router.choose(REQUEST, 10.0 + BREAKER_S) == "ptu"
        assert sent == [10.0 + BREAKER_S]


def test_answers_change_nothing_however_full_the_ptu_says_it_is() -> None:
    """No baseline predicts: the utilisation header is not read."""
    for router in (RetryAfter(site([]), shared=True), FixedBreaker(site([]), shared=True)):
        router.answered(REQUEST, ANSWER, 10.0)
        assert router.choose(REQUEST, 10.0) == "ptu"
