from __future__ import annotations

from typing import Any

import pytest

from app.planner.contenders import CONTENDERS
from app.planner.scenarios import scenarios
from app.planner.shadow import Said, ShadowRouter
from app.planner.simulate import simulate
from app.planner.strategy import Headers, PtuBelief, Site, Truth, Usage
from app.planner.traffic import Request

BASELINE, SHADOW = CONTENDERS["retry-after, shared"], CONTENDERS["shadow bucket"]
FAIR = CONTENDERS["shadow bucket, fair shares"]


def router(sent: list[Any] | None = None) -> ShadowRouter:
    """Of a deployment that does 100 tokens a second."""
    truth = Truth(lambda: -1.0, 60.0, lambda _: 0.0)
    send = [].append if sent is None else sent.append
    return ShadowRouter(Site(0, 2, PtuBelief(100, 60, 4, 0), send, truth), fair=False)


def asking(number: int, prompt: int, cap: int | None = 0, *, stream: bool = True) -> Request:
    return Request(number, 0, number, prompt, 0, cap, stream)


def test_it_asks_until_its_own_bucket_is_full() -> None:
    """A request more, as Azure lets one pass, and none until that has drained."""
    shadow = router()
    chosen = [shadow.choose(asking(number, 4000), 0.0) for number in range(3)]
    assert chosen == ["ptu", "ptu", "paygo"]
    assert shadow.choose(asking(3, 4000), 21.0) == "ptu"


def test_a_hold_wins_over_what_is_believed() -> None:
    """Another replica was asked for ten seconds; an empty bucket does not matter."""
    shadow = router()
    shadow.heard(Said("1", None, 10.0), 0.0)
    assert shadow.choose(asking(1, 10), 9.9) == "paygo"
    assert shadow.choose(asking(2, 10), 10.0) == "ptu"


def test_a_refusal_is_heard_of_by_all() -> None:
    """Ten seconds were asked for; none of the replicas asks sooner."""
    sent: list[Any] = []
    shadow, other = router(sent), router()
    shadow.choose(asking(0, 10), 0.0)
    shadow.answered(asking(0, 10), Headers(10.0, None), 0.0)
    for message in sent:
        other.heard(message, 0.005)
    for each in (shadow, other):
        assert each.choose(asking(1, 10), 9.9) == "paygo"
        assert each.choose(asking(2, 10), 15.0) == "ptu"


def test_headers_of_an_answer_that_is_not_streamed_are_from_its_end() -> None:
    """They are believed after what it used is put in place of what was taken."""
    shadow, request = router(), asking(0, 2000, 500, stream=False)
    shadow.choose(request, 0.0)
    shadow.answered(request, Headers(None, 0.4), 0.0)
    shadow.completed(request, Usage("ptu", 2000, 0, 100), 0.0)
    chosen = [shadow.choose(asking(number, 1000), 0.0) for number in range(1, 7)]
    assert chosen == ["ptu"] * 4 + ["paygo"] * 2


@pytest.mark.parametrize(
    "name",
    [
        "few-large/right",
        "few-large/capacity -20 %",
        "few-large/capacity +20 %",
        "few-large/no header",
        "few-large/depth 30 s",
        "few-large/depth 120 s",
    ],
)
def test_it_wastes_a_tenth_of_the_baseline_and_fills_the_ptu_as_well(name: str) -> None:
    """Half a day of the case in which an error costs most, well and wrongly calibrated.

    With all requests in one name, and as the gateway does it.
    """
    (scenario,) = scenarios(name, hours=12.0)
    baseline = simulate(scenario, BASELINE)
    for contender in (SHADOW, FAIR):
        outcome = simulate(scenario, contender)
        assert outcome.tally.refused <= 0.1 * baseline.tally.refused
        assert outcome.utilization >= baseline.utilization


def test_who_learnt_wrongly_from_its_first_refusals_unlearns_it() -> None:
    """Without the header, and by a seed by which pace is at first believed half of what it is."""
    (scenario,) = scenarios("few-large/no header", seed=13)
    baseline, fair = simulate(scenario, BASELINE), simulate(scenario, FAIR)
    assert fair.tally.refused <= 0.1 * baseline.tally.refused
    assert fair.utilization >= baseline.utilization
