"""One deployment asked once."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from app.answer import Answer
from app.domain.routing.attempt import Verdict
from app.domain.routing.route import Candidate
from app.stages.upstream.asking import Asked, Turn
from app.stages.upstream.occupancy import Occupancy
from app.stages.upstream.opening import Opened
from tests.fakes.clock import FakeClock
from tests.fakes.hedged import STREAM
from tests.fakes.house import deployment


def asked(verdict: Verdict, *, answered: bool = True) -> Asked:
    answer = Answer(deployment("a"), STREAM, 200, {}) if answered else None
    turn = Turn(Candidate("a", 0), deployment("a"))
    occupancy = turn.occupancy = Occupancy(None, FakeClock())
    return Asked(turn, 0.0, occupancy, Opened(verdict, answer=answer), ExitStack())


@pytest.mark.parametrize("verdict", Verdict)
def test_only_an_accepted_answer_serves(verdict: Verdict) -> None:
    """A refusal may have a body, too."""
    assert asked(verdict).serves is (verdict is Verdict.ACCEPT)
    assert not asked(verdict, answered=False).serves


def test_closing_lets_go_of_all_it_holds() -> None:
    """Once, however often."""
    one, closed = asked(Verdict.ACCEPT), []
    one.scope.callback(lambda: closed.append(1))
    one.close()
    one.close()
    assert closed == [1]


def test_who_was_not_asked_yet_loses_nothing() -> None:
    """Who was, has read the prompt."""
    Turn(Candidate("a", 0), deployment("a")).lose()
    one = asked(Verdict.ACCEPT)
    one.turn.lose()
    assert one.occupancy.is_lost
