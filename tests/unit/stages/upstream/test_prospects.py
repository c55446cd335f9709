"""What is left of a plan while it is worked off."""

from __future__ import annotations

import math

import pytest

from app.domain.capacity.capacity_book import CapacityBook
from app.domain.capacity.spill import SpillReason
from app.domain.identity.directory import DeploymentEntry
from app.domain.routing.attempt import Verdict
from app.domain.routing.doubts import Doubts
from app.domain.routing.health import Health
from app.domain.routing.route import NEVER, Absence, Candidate, RoutePlan
from app.domain.routing.warm_cache import WarmCaches
from app.stages.upstream.judging import Asker, Judging
from app.stages.upstream.prospects import Prospects
from app.standing import Standing
from tests.fakes.clock import FakeClock
from tests.fakes.holds import FakeHoldBoard
from tests.fakes.house import deployment, fleet

NOW = 1000.0
SMALL, LARGE, UNKNOWN = Candidate("small", 0), Candidate("large", 0), Candidate("unknown", 0)
PLAN = RoutePlan((SMALL, LARGE, UNKNOWN), (Absence("held", 1, SpillReason.HELD, NOW + 9),))


class Scene:
    """A plan of deployments with windows of 1, 2 and 3 thousand tokens and one of unknown size."""

    def __init__(self, plan: RoutePlan = PLAN) -> None:
        self.holds = FakeHoldBoard(FakeClock())
        self.health = Health()
        standing = Standing(self.holds, CapacityBook("a"), self.health, WarmCaches(), lambda: 0.0)
        served = fleet(
            deployment("small", window=1000),
            deployment("large", window=2000),
            deployment("held", window=3000),
            "unknown",
        )
        self.judging = Judging(standing, Doubts())
        self.operations: dict[str, DeploymentEntry] = {}
        self.prospects = Prospects(
            plan, Asker("acme", "chat_completions"), self.judging, served, lambda: self.operations
        )

    def drain(self, name: str) -> None:
        self.operations[name] = DeploymentEntry(name, draining=True)

    def fail(self, name: str) -> None:
        for _ in range(5):
            self.judging.standing.judged(name, Verdict.FAILED, NOW, NOW)

    def reason(self, candidate: Candidate) -> SpillReason | None:
        absence = self.prospects.absence(candidate, NOW)
        return absence.reason if absence is not None else None


def test_those_that_are_large_enough_are_left() -> None:
    """Held or not; of an unknown window nothing says that it is."""
    scene = Scene()
    assert scene.prospects.left() == ["small", "large", "unknown", "held"]
    scene.prospects.needs_window = 1000
    assert scene.prospects.left() == ["large", "held"]
    scene.prospects.needs_window = math.inf
    assert scene.prospects.left() == []


def test_who_is_not_for_this_tenant_or_drained_is_not_left() -> None:
    """Neither comes back by waiting."""
    scene = Scene(RoutePlan((SMALL,), (Absence("large", 0, SpillReason.POLICY, NEVER),)))
    assert scene.prospects.left() == ["small"]
    scene.drain("small")
    assert scene.prospects.left() == []
    assert scene.prospects.no_capacity(NOW).retry_after_s is None


def test_who_is_alone_serves_while_it_drains() -> None:
    """It holds the stored response that is asked for."""
    scene = Scene(RoutePlan((SMALL,)))
    scene.drain("small")
    assert scene.reason(SMALL) is None
    assert scene.prospects.left() == ["small"]


def test_the_time_told_is_the_first_of_those_that_are_left() -> None:
    """By their holds as they are now."""
    scene = Scene()
    for name, seconds in (("small", 1), ("large", 3), ("unknown", 2), ("held", 9)):
        scene.holds.hold(name, NOW + seconds)
    assert scene.prospects.no_capacity(NOW).retry_after_s == 1
    scene.drain("small")
    assert scene.prospects.no_capacity(NOW).retry_after_s == 2
    scene.prospects.needs_window = 1000
    assert scene.prospects.no_capacity(NOW).retry_after_s == 3


def test_why_somebody_is_passed_over() -> None:
    """Drained, held or failing since the plan was made, in this order."""
    scene = Scene()
    scene.fail("small")
    assert scene.reason(SMALL) is SpillReason.UNHEALTHY
    scene.holds.hold("small", NOW + 5)
    assert scene.reason(SMALL) is SpillReason.HELD
    scene.drain("small")
    assert scene.reason(SMALL) is SpillReason.POLICY


def test_who_fails_is_asked_where_nobody_else_could_help() -> None:
    """Because all others are too small, or the plan knew of nobody better."""
    scene = Scene()
    scene.fail("large")
    assert scene.reason(LARGE) is SpillReason.UNHEALTHY
    scene.prospects.needs_window = 1000
    assert scene.reason(LARGE) is None

    scene = Scene(RoutePlan((SMALL, LARGE), last_resort=True))
    scene.fail("large")
    assert scene.reason(LARGE) is None


class CountingHealth(Health):
    """Counts how often it is asked for one deployment."""

    looks = 0

    def may_ask(self, name: str, now: float) -> bool:
        self.looks += 1
        return super().may_ask(name, now)

    def absent_until(self, name: str, now: float) -> float | None:
        self.looks += 1
        return super().absent_until(name, now)


def looks_at(count: int, *, tiers: int) -> int:
    """Looks at single deployments until each of so many was considered; all but one failed."""
    names = [f"d{number}" for number in range(count)]
    health, holds = CountingHealth(), FakeHoldBoard(FakeClock())
    standing = Standing(holds, CapacityBook("a"), health, WarmCaches(), lambda: 0.0)
    for name in names[:-1]:
        for _ in range(5):
            standing.judged(name, Verdict.FAILED, NOW, NOW)
    plan = RoutePlan(tuple(Candidate(name, number % tiers) for number, name in enumerate(names)))
    judging, asker = Judging(standing, Doubts()), Asker("acme", "chat_completions")
    prospects = Prospects(plan, asker, judging, fleet(*names), dict)
    kept_out = [each for each in plan.candidates if prospects.absence(each, NOW) is not None]
    assert len(kept_out) >= count // 3
    return health.looks


@pytest.mark.parametrize("tiers", [1, 4])
def test_many_deployments_are_looked_at_once(tiers: int) -> None:
    """Not each of them for each: ten times as many are ten times the work."""
    assert looks_at(200, tiers=tiers) <= 12 * looks_at(20, tiers=tiers)


def test_what_happens_while_one_is_asked_is_seen() -> None:
    """A look holds until somebody was asked, which takes time."""
    scene = Scene()
    assert scene.reason(SMALL) is None
    scene.fail("small")
    assert scene.reason(SMALL) is None
    scene.prospects.time_passed()
    assert scene.reason(SMALL) is SpillReason.UNHEALTHY
