from __future__ import annotations

from typing import Any

import pytest

from app.planner.contenders import CONTENDERS
from app.planner.strategy import Headers, PtuBelief, Site, Truth, Usage
from app.planner.traffic import Request

REQUEST = Request(0, 0, 0, 100, 0, None, stream=True)
BELIEF = PtuBelief(100.0, 60.0, 4.0, 0.0)


@pytest.mark.parametrize("name", CONTENDERS)
def test_every_contender_can_be_asked_told_and_hear_its_own_kind(name: str) -> None:
    """A whole request, its refusal and its answer; then what that made it send, to another."""
    sent: list[Any] = []
    site: Site[Any] = Site(0, 2, BELIEF, sent.append, Truth(lambda: -1.0, 60.0, lambda _: 5.0))
    first, second = (CONTENDERS[name].build(site) for _ in range(2))
    assert first.choose(REQUEST, 0.0) == "ptu"
    first.answered(REQUEST, Headers(5.0, 1.1), 0.05)
    first.completed(REQUEST, Usage("paygo", 100, 0, 10), 1.0)
    for message in tuple(sent):
        second.heard(message, 1.005)
    assert second.choose(REQUEST, 1.1) in {"ptu", "paygo"}
