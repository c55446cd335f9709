from __future__ import annotations

from typing import Any

from app.planner.contenders import CAUTIOUS, CONTENDERS
from app.planner.informed import InformedRouter
from app.planner.scenarios import scenarios
from app.planner.shadow import Said, ShadowRouter
from app.planner.simulate import simulate
from app.planner.strategy import Headers, PtuBelief, Site, Truth, Usage
from app.planner.traffic import Request

DEPTH_S = 30.0


def site(sent: list[Any] | None = None) -> Site[Said]:
    """Of a deployment that is configured for 100 tokens a second, and half as deep as believed."""
    truth = Truth(lambda: 0.0, DEPTH_S, lambda _: 0.0)
    send = [].append if sent is None else sent.append
    return Site(0, 2, PtuBelief(100, 60, 4, 0), send, truth)


def asking(number: int, prompt: int) -> Request:
    return Request(number, 0, number, prompt, 0, 0, stream=True)


def test_it_hears_the_level_that_no_header_tells() -> None:
    """Nine tenths full: six seconds of its sixty are left, of which one that weighs seven is it."""
    informed, uninformed = InformedRouter(site()), ShadowRouter(site(), fair=False)
    for each in (informed, uninformed):
        assert each.choose(asking(0, 100), 0.0) == "ptu"
        each.answered(asking(0, 100), Headers(None, None, over=-0.1 * DEPTH_S), 0.0)
    chosen = [[each.choose(asking(n, 700), 0.0) for n in (1, 2)] for each in (informed, uninformed)]
    assert chosen == [["ptu", "paygo"], ["ptu", "ptu"]]


def test_it_hears_for_how_long_it_has_to_wait_to_the_last_digit() -> None:
    """Where others are told whole seconds."""
    informed = InformedRouter(site())
    informed.choose(asking(0, 100), 0.0)
    informed.answered(asking(0, 100), Headers(1.0, None, over=0.4), 0.0)
    assert [informed.choose(asking(1, 10), at) for at in (0.39, 0.6)] == ["paygo", "ptu"]


def surprised(most_margin: float) -> InformedRouter:
    """One that was told twice of much more than it had sent, and then that there is some room."""
    router = InformedRouter(site(), most_margin=most_margin)
    for number, over in enumerate((-28.0, -15.0, -28.0, -15.0, -28.0, -6.0)):
        router.choose(asking(number, 10), number * 5.0)
        router.answered(asking(number, 10), Headers(None, None, over=over), number * 5.0)
    return router


def test_caution_leaves_room_for_what_it_does_not_see() -> None:
    """The more the longer nothing was told; up to its bound, and none of its own without it."""
    for margin, soon, later in ((0.0, "ptu", "ptu"), (30.0, "ptu", "paygo"), (4.0, "ptu", "ptu")):
        assert surprised(margin).choose(asking(9, 10), 25.05) == soon, margin
        assert surprised(margin).choose(asking(9, 10), 28.0) == later, margin


def test_what_is_told_to_one_is_known_to_all() -> None:
    """And with it how uncertain it is."""
    sent: list[Any] = []
    one, other = InformedRouter(site(sent)), InformedRouter(site())
    one.choose(asking(0, 10), 0.0)
    one.answered(asking(0, 10), Headers(None, None, over=5.0), 0.0)
    one.completed(asking(0, 10), Usage("ptu", 10, 0, 0), 1.0)
    for message in sent:
        other.heard(message, 0.005)
    assert other.choose(asking(1, 10), 0.01) == "paygo"


def test_better_words_do_not_help_against_what_nobody_tells() -> None:
    """Foreign requests of a third of a bucket: no informed one wastes half of what the router does.

    Those that come near use less of the PTU than the baseline.
    """
    (scenario,) = scenarios("few-large/foreign traffic", hours=12.0)
    known = {**CONTENDERS, **CAUTIOUS}
    baseline = simulate(scenario, known["retry-after, shared"])
    ours = simulate(scenario, known["shadow bucket"])
    for name in ("informed", "informed, margin to 30 s", "oracle at answers, 30 s kept free"):
        found = simulate(scenario, known[name])
        wastes_half = found.tally.refused <= ours.tally.refused / 2
        assert not wastes_half or found.utilization < baseline.utilization, name


def test_with_a_header_the_router_is_as_good_as_informed() -> None:
    """Rightly configured, neither wastes any where requests are large."""
    (scenario,) = scenarios("few-large/right", hours=12.0)
    found = [simulate(scenario, CONTENDERS[name]) for name in ("shadow bucket", "informed")]
    assert [each.tally.refused for each in found] == [0, 0]
