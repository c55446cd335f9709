"""One deployment asked once."""

from __future__ import annotations

from typing import ClassVar

import pytest

from app.adapters.upstream.read_by_read import ReadByRead
from app.answer import Answer
from app.domain.capacity.capacity import CapacityTold
from app.domain.capacity.demand import Demand
from app.domain.capacity.wait import Wait
from app.domain.routing.attempt import Verdict
from app.domain.routing.route import Candidate
from app.observation import Observation
from app.stages.upstream.asking import Asked, Turn
from app.stages.upstream.occupancy import Occupancy
from app.stages.upstream.opening import Opened
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.hedged import STREAM
from tests.fakes.house import deployment


class Held(ReadByRead):
    """A place and a connection, which note that they are let go of."""

    status = 200
    headers: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        self.let_go: list[str] = []

    def accepted(self, _told: CapacityTold, _now: float) -> None:
        """Nobody asks."""

    def refused(self, _told: CapacityTold, _wait: Wait | None, _now: float) -> None:
        """Nobody asks."""

    def settle(self, _used: Demand | None, _now: float) -> None:
        self.let_go.append("place")

    async def read(self, _patience_s: float) -> bytes:
        return b""

    def close(self) -> None:
        self.let_go.append("connection")


def asked(verdict: Verdict, *, answered: bool = True, held: Held | None = None) -> Asked:
    answer = Answer(deployment("a"), STREAM, 200, {}) if answered else None
    turn, clock = Turn(Candidate("a", 0), deployment("a")), FakeClock()
    occupancy = turn.occupancy = Occupancy(held, Observation(FakeCall(), clock), clock)
    return Asked(turn, 0.0, occupancy, Opened(verdict, answer=answer, response=held), 1.0)


@pytest.mark.parametrize("verdict", Verdict)
def test_only_an_accepted_answer_serves(verdict: Verdict) -> None:
    """A refusal may have a body, too."""
    assert asked(verdict).serves is (verdict is Verdict.ACCEPT)
    assert not asked(verdict, answered=False).serves


def test_closing_lets_go_of_all_it_holds() -> None:
    """The connection first; its place once, however often."""
    held = Held()
    one = asked(Verdict.ACCEPT, held=held)
    one.close()
    assert held.let_go == ["connection", "place"]
    one.close()
    assert held.let_go.count("place") == 1


def test_who_was_not_asked_yet_loses_nothing() -> None:
    """Who was, has read the prompt."""
    Turn(Candidate("a", 0), deployment("a")).lose()
    one = asked(Verdict.ACCEPT)
    one.turn.lose()
    assert one.occupancy.is_lost
