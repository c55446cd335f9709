"""What a 429 means for the next requests."""

from __future__ import annotations

import pytest
from msgspec import structs

from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.shares import Claim
from app.domain.capacity.spill import SpillReason
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.deployment import Kind
from app.domain.routing.health import Health
from app.domain.routing.route import RoutePlan
from app.domain.routing.throttle import ThrottleClass
from app.domain.routing.warm_cache import WarmCaches
from app.stages.upstream.opening import Opened
from app.stages.upstream.throttling import Throttling, throttle_class
from app.standing import Standing
from tests.fakes.changed import replace
from tests.fakes.holds import FakeHoldBoard
from tests.fakes.house import deployment

NOW = 1000.0
REFUSED = Attempt("paygo", 1, Verdict.THROTTLED, 429, NOW - 0.05, NOW, kind=Kind.PAYGO)


def load(tokens: int) -> Load:
    """A request of so many tokens."""
    return Load(Claim("acme"), Demand(tokens, 0))


class Scene:
    """A deployment that refuses, and what is then known of it."""

    def __init__(self) -> None:
        self.holds = FakeHoldBoard()
        self.standing = Standing(self.holds, CapacityBook("a"), Health(), WarmCaches(), lambda: 0.5)
        self.throttling = Throttling(self.standing)

    def refuse(self, tokens: int = 1000, **fields: object) -> None:
        """It refuses a request of so many tokens."""
        attempt = structs.replace(REFUSED, **fields)
        self.throttling.refused(attempt, RoutePlan((), load=load(tokens)))

    def held_until(self, tokens: int, now: float = NOW) -> float | None:
        """Until when a request of this size is not asked there."""
        room = self.standing.refusal("paygo", load(tokens), now)
        assert room is None or room.reason is SpillReason.HELD
        return room.at if room else None


@pytest.mark.parametrize("kind", [ThrottleClass.TOKENS, ThrottleClass.PROVISIONED])
def test_a_used_up_quota_holds_everybody(kind: ThrottleClass) -> None:
    """For as long as it asked, a tiny request as well."""
    scene = Scene()
    scene.refuse(throttle=kind, retry_after_s=7.0)
    assert scene.held_until(1) == scene.held_until(100_000) == NOW + 7
    assert scene.held_until(1, NOW + 7) is None


def test_under_peak_load_smaller_requests_pass() -> None:
    """Azure refuses by size then; each refusal narrows what is tried, and replicas are not told."""
    scene = Scene()
    scene.refuse(8000, throttle=ThrottleClass.PEAK_LOAD, retry_after_s=20.0)
    assert scene.held_until(8000) == scene.held_until(9000) == NOW + 20
    assert scene.held_until(7999) is None
    scene.refuse(4000, throttle=ThrottleClass.PEAK_LOAD, retry_after_s=10.0)
    assert scene.held_until(4000) == NOW + 20
    assert scene.held_until(3999) is None
    assert not scene.holds.told


def test_a_peak_is_not_believed_to_last_for_minutes() -> None:
    """No counter stands behind its time."""
    scene = Scene()
    scene.refuse(throttle=ThrottleClass.PEAK_LOAD, retry_after_s=290.0)
    assert scene.held_until(1000) == NOW + 60


def test_guesses_double_until_it_lets_somebody_in() -> None:
    """A second, two, four; then from the beginning."""
    scene = Scene()
    for _ in range(3):
        scene.refuse(throttle=ThrottleClass.TOKENS)
    assert [until - NOW for _, until in scene.holds.told] == [1.0, 2.0, 4.0]
    scene.throttling.accepted("paygo")
    scene.refuse(throttle=ThrottleClass.TOKENS)
    assert scene.holds.told[-1][1] == NOW + 1


@pytest.mark.parametrize(
    ("opened", "kind"),
    [
        (Opened(Verdict.THROTTLED, 429, code="RateLimitReached"), ThrottleClass.TOKENS),
        (Opened(Verdict.THROTTLED, 200, code="no_capacity"), ThrottleClass.PEAK_LOAD),
        (
            Opened(Verdict.THROTTLED, 429, {"policy-id": "DeploymentRatelimit-Call"}),
            ThrottleClass.CALLS,
        ),
        (
            Opened(Verdict.THROTTLED, 429, {"x-ratelimit-limit-tokens": "1000"}),
            ThrottleClass.LOWERED,
        ),
    ],
    ids=lambda value: value.value if isinstance(value, ThrottleClass) else "",
)
def test_a_refusal_is_told_by_its_words(opened: Opened, kind: ThrottleClass) -> None:
    """Body, code and headers, on a deployment of 2,000 tokens a minute."""
    paygo = replace(deployment("paygo"), kind=Kind.PAYGO, tpm=2000)
    assert throttle_class(opened, paygo) is kind


def test_whose_word_does_not_hold_is_asked_less_and_less() -> None:
    """It says a millisecond, and refuses who waited for it."""
    scene = Scene()
    at, waits = NOW, []
    for _ in range(6):
        scene.refuse(started=at, ended=at, throttle=ThrottleClass.TOKENS, retry_after_s=0.001)
        waits.append(round(scene.holds.told[-1][1] - at, 3))
        at += waits[-1]
    assert waits == [0.001, 0.4, 0.8, 1.6, 3.2, 6.4]
    scene.throttling.accepted("paygo")
    scene.refuse(started=at, ended=at, throttle=ThrottleClass.TOKENS, retry_after_s=0.001)
    assert scene.holds.told[-1][1] == pytest.approx(at + 0.001)


def test_refusals_of_what_was_under_way_break_no_word() -> None:
    """They were sent before it had said how long to wait."""
    scene = Scene()
    for _ in range(6):
        scene.refuse(throttle=ThrottleClass.TOKENS, retry_after_s=0.001)
    assert {until for _, until in scene.holds.told} == {NOW + 0.001}


def test_a_ptu_that_others_keep_full_is_asked_every_second() -> None:
    """Its word is exact, and others were faster."""
    scene = Scene()
    at = NOW
    for _ in range(9):
        scene.refuse(
            started=at,
            ended=at,
            kind=Kind.PTU,
            throttle=ThrottleClass.PROVISIONED,
            retry_after_s=0.05,
        )
        at = scene.holds.told[-1][1]
    assert scene.holds.told[-1][1] - scene.holds.told[-2][1] == pytest.approx(1.0)
