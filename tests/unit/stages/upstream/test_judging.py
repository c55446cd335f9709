"""What an attempt says of who was asked."""

from __future__ import annotations

import pytest

from app.domain.capacity.capacity_book import CapacityBook
from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Timeouts
from app.domain.routing.doubts import Doubts
from app.domain.routing.health import Health
from app.domain.routing.warm_cache import WarmCaches
from app.errors import SpillgateError, UpstreamDisconnected, UpstreamTimeout
from app.stages.upstream.judging import Asker, Judging
from app.stages.upstream.opening import Opened
from app.standing import Standing
from tests.fakes.clock import FakeClock
from tests.fakes.holds import FakeHoldBoard
from tests.fakes.house import deployment

NOW = 1000.0
EAST = deployment("east", timeouts=Timeouts(total=600.0))
ONE, OTHER = Asker("one", "chat_completions"), Asker("other", "chat_completions")
ANSWER = Opened(Verdict.ACCEPT, 200)
SILENCE = Opened(Verdict.FAILED, error=UpstreamTimeout("Nothing came."))


@pytest.fixture
def judging() -> Judging:
    holds = FakeHoldBoard(FakeClock())
    standing = Standing(holds, CapacityBook("a"), Health(), WarmCaches(), lambda: 0.0)
    return Judging(standing, Doubts())


def told(judging: Judging, asker: Asker, opened: Opened, *, times: int = 1) -> None:
    for _ in range(times):
        judging.opened("east", asker, opened, NOW, NOW)


def ended(
    judging: Judging, asker: Asker, broken: SpillgateError | None, *, after_s: float = 90.0
) -> None:
    told(judging, asker, ANSWER)
    judging.ended(EAST, asker, NOW, NOW + after_s, broken)


def is_well(judging: Judging, asker: Asker | None = None) -> bool:
    """For all, or for one's requests."""
    if asker is not None:
        return judging.doubts.may_ask("east", asker.scopes, NOW + 90)
    return judging.standing.health.may_ask("east", NOW + 90)


def test_a_failure_counts_for_all(judging: Judging) -> None:
    """Whoever's request it was."""
    told(judging, ONE, Opened(Verdict.FAILED, 503), times=5)
    assert not judging.standing.health.may_ask("east", NOW)
    assert is_well(judging, ONE)


def test_a_silence_counts_for_its_tenant(judging: Judging) -> None:
    """For all only where another tenant was met with it, too, and nobody was answered."""
    told(judging, ONE, SILENCE, times=50)
    assert judging.standing.health.all_well()
    assert not judging.doubts.may_ask("east", ONE.scopes, NOW)
    told(judging, OTHER, ANSWER)
    told(judging, OTHER, SILENCE, times=4)
    assert judging.standing.health.all_well()
    told(judging, ONE, SILENCE, times=5)
    assert not judging.standing.health.may_ask("east", NOW)


def test_a_refusal_of_the_request_says_nothing(judging: Judging) -> None:
    """It ends no row of silences."""
    told(judging, ONE, SILENCE, times=4)
    told(judging, ONE, Opened(Verdict.ACCEPT, 400))
    told(judging, ONE, SILENCE)
    assert not judging.doubts.may_ask("east", ONE.scopes, NOW)


def test_an_error_of_the_request_inside_a_stream_says_nothing(judging: Judging) -> None:
    """It has status 200, and says no more of the deployment than a 400 does."""
    told(judging, ONE, SILENCE, times=4)
    told(judging, ONE, Opened(Verdict.FAILED, 503), times=4)
    told(judging, OTHER, Opened(Verdict.ACCEPT, 200, code="invalid_image"), times=9)
    assert judging.standing.health.all_well()
    told(judging, ONE, Opened(Verdict.FAILED, 503))
    assert not judging.standing.health.all_well()


@pytest.mark.parametrize(("status", "code"), [(404, "404"), (401, "PermissionDenied")])
def test_what_is_refused_of_one_operation_counts_for_that(
    judging: Judging, status: int, code: str
) -> None:
    """A path that an API version lacks, an action that a role does not have: others are served."""
    missing = Opened(Verdict.MISCONFIGURED, status, code=code)
    told(judging, ONE, missing, times=9)
    assert judging.standing.health.all_well()
    assert not judging.doubts.may_ask("east", OTHER.scopes, NOW)
    for operation in ("responses", "embeddings"):
        assert judging.doubts.may_ask("east", Asker("one", operation).scopes, NOW)


@pytest.mark.parametrize(("status", "code"), [(404, "DeploymentNotFound"), (401, "401")])
def test_what_is_refused_of_all_operations_counts_for_all(
    judging: Judging, status: int, code: str
) -> None:
    """A wrong key, and a deployment that is not there."""
    told(judging, ONE, Opened(Verdict.MISCONFIGURED, status, code=code), times=5)
    assert not judging.standing.health.all_well()


def test_what_breaks_off_counts_for_all(judging: Judging) -> None:
    """Whoever's answer it was; a whole one ends the row."""
    for _ in range(4):
        ended(judging, ONE, UpstreamDisconnected("gone"))
    ended(judging, ONE, None)
    for _ in range(4):
        ended(judging, ONE, UpstreamDisconnected("gone"))
    assert judging.standing.health.all_well()
    ended(judging, ONE, UpstreamDisconnected("gone"))
    assert not judging.standing.health.all_well()


def test_what_falls_silent_midway_counts_for_its_tenant(judging: Judging) -> None:
    """For all where another tenant's do, too."""
    for _ in range(9):
        ended(judging, ONE, UpstreamTimeout("silent"))
    assert judging.standing.health.all_well()
    assert not is_well(judging, ONE)
    for _ in range(5):
        ended(judging, OTHER, UpstreamTimeout("silent"))
    assert not judging.standing.health.all_well()


def test_an_answer_that_is_too_long_says_nothing(judging: Judging) -> None:
    """It was still being written when its time was over."""
    for asker in (ONE, OTHER) * 9:
        ended(judging, asker, UpstreamTimeout("too long"), after_s=600.0)
    assert judging.standing.health.all_well()
    assert is_well(judging, ONE)


def test_one_attempt_at_a_time_probes(judging: Judging) -> None:
    """For all after failures, for its tenant's requests after silences."""
    told(judging, ONE, SILENCE, times=5)
    told(judging, OTHER, Opened(Verdict.FAILED, 503), times=5)
    now = NOW + 30
    with judging.asking("east", ONE, now):
        assert not judging.standing.health.may_ask("east", now)
        assert not judging.doubts.may_ask("east", ONE.scopes, now)
        assert judging.doubts.may_ask("east", OTHER.scopes, now)
    assert judging.standing.health.may_ask("east", now)
