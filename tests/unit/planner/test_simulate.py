from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from app.planner.contenders import CONTENDERS, Contender
from app.planner.outcome import Outcome
from app.planner.scenarios import Scenario, scenarios
from app.planner.simulate import simulate
from app.planner.strategy import Headers, Site, Target, Usage
from app.planner.traffic import Request
from tests.fakes.changed import replace

SHORT = scenarios("contended/right", hours=0.1)[0]


class Scripted:
    """Chooses by a function, and writes down what it is told: (what, request, time, detail)."""

    def __init__(
        self, site: Site[Any], choose: Callable[[Request], Target], log: list[tuple[Any, ...]]
    ) -> None:
        self._site = site
        self._choose = choose
        self._log = log

    def choose(self, request: Request, now: float) -> Target:
        self._log.append(("choose", request.id, now, self._site.replica))
        self._site.send((self._site.replica, request.id))
        return self._choose(request)

    def answered(self, request: Request, headers: Headers, now: float) -> None:
        self._log.append(("answered", request.id, now, headers))

    def completed(self, request: Request, usage: Usage, now: float) -> None:
        self._log.append(("completed", request.id, now, usage))

    def heard(self, message: Any, now: float) -> None:
        self._log.append(("heard", message[1], now, (message[0], self._site.replica)))


def played(
    choose: Callable[[Request], Target], scenario: Scenario = SHORT
) -> tuple[Outcome, list[tuple[Any, ...]]]:
    log: list[tuple[Any, ...]] = []
    outcome = simulate(scenario, Contender(lambda site: Scripted(site, choose, log)))
    return outcome, log


def by_request(log: list[tuple[Any, ...]], what: str) -> dict[int, tuple[float, Any]]:
    return {request: (now, detail) for kind, request, now, detail in log if kind == what}


def streams(log_choose: set[int]) -> Callable[[Request], Target]:
    """Always the PTU; notes which requests are streamed."""

    def choose(request: Request) -> Target:
        if request.stream:
            log_choose.add(request.id)
        return "ptu"

    return choose


def test_time_goes_forward_and_every_request_ends_once() -> None:
    """Each request is asked about once and completed once, in the order of time."""
    outcome, log = played(lambda _: "ptu")
    assert all(earlier[2] <= later[2] for earlier, later in pairwise(log))
    chosen, completed = by_request(log, "choose"), by_request(log, "completed")
    assert len(chosen) == outcome.tally.requests > 300
    assert chosen.keys() == completed.keys()
    assert sum(kind == "completed" for kind, *_ in log) == outcome.tally.requests


def test_refusals_and_headers_of_streams_come_after_one_round_trip() -> None:
    """Headers of an answer that is not streamed come with its end."""
    streamed: set[int] = set()
    outcome, log = played(streams(streamed))
    chosen, completed = by_request(log, "choose"), by_request(log, "completed")
    refusals = 0
    for request, (now, headers) in by_request(log, "answered").items():
        refusals += headers.refused_for is not None
        if headers.refused_for is not None or request in streamed:
            assert now - chosen[request][0] == pytest.approx(0.05)
        else:
            assert now == completed[request][0]
    assert refusals == outcome.tally.refused > 0


def test_a_refused_request_pays_a_round_trip_before_it_is_served_elsewhere() -> None:
    """The same request, with and without asking in vain: later by exactly that."""
    asked, first = played(lambda _: "ptu")
    _, second = played(lambda _: "paygo")
    with_detour, direct = by_request(first, "completed"), by_request(second, "completed")
    waits = [
        with_detour[request][0] - direct[request][0]
        for request, (_, usage) in with_detour.items()
        # What was cached differs, because pay-as-you-go has seen less; reading takes longer then.
        if usage.target == "paygo" and usage.cached == direct[request][1].cached
    ]
    assert len(waits) > asked.tally.refused / 2
    assert waits == pytest.approx([0.05] * len(waits))


def test_messages_reach_all_others_a_little_later() -> None:
    """5 ms, in order, never back to the sender."""
    _, log = played(lambda _: "paygo")
    chosen = by_request(log, "choose")
    heard = [(request, now, who) for kind, request, now, who in log if kind == "heard"]
    assert len(heard) == 2 * len(chosen)
    for request, now, (sender, receiver) in heard:
        assert now - chosen[request][0] == pytest.approx(0.005)
        assert sender != receiver


def test_all_tokens_are_served_and_weighed_somewhere() -> None:
    """PTU and pay-as-you-go together serve exactly what arrived."""
    outcome, log = played(lambda request: "ptu" if request.id % 2 else "paygo")
    usages = [usage for _, usage in by_request(log, "completed").values()]
    assert sum(usage.input + usage.output for usage in usages) == outcome.tally.tokens
    spilled = [usage for usage in usages if usage.target == "paygo"]
    assert sum(usage.input + usage.output for usage in spilled) == outcome.tally.spilled_tokens
    assert sum(usage.input for usage in spilled) == outcome.bill.input
    assert sum(usage.cached for usage in spilled) == outcome.bill.cached
    weights = sum(
        usage.input - usage.cached + 4 * usage.output for usage in usages if usage.target == "ptu"
    )
    assert weights == pytest.approx(outcome.tally.served)


def test_who_never_asks_the_ptu_is_wrong_whenever_it_had_room() -> None:
    """Requests kept back are judged by the true bucket, which stays empty here."""
    outcome, _ = played(lambda _: "paygo")
    assert outcome.tally.kept_back_wrongly == outcome.tally.requests
    assert outcome.precision == 0
    assert outcome.used == 0


def test_counts_add_up() -> None:
    """Every request was admitted, refused or kept back."""
    for contender in CONTENDERS.values():
        tally = simulate(SHORT, contender).tally
        kept_back = tally.kept_back_rightly + tally.kept_back_wrongly
        assert tally.admitted + tally.refused + kept_back == tally.requests


def test_the_same_scenario_comes_out_the_same() -> None:
    """A table can be made again; another seed is another story."""
    contender = CONTENDERS["retry-after, shared"]
    assert simulate(SHORT, contender) == simulate(SHORT, contender)
    assert simulate(replace(SHORT, seed=8), contender) != simulate(SHORT, contender)


def test_the_oracle_wastes_nothing_and_keeps_nothing_back_wrongly() -> None:
    """It is the bound: no refusal, and the use of who always tries."""
    scenario = scenarios("contended/foreign", hours=0.3)[0]
    oracle = simulate(scenario, CONTENDERS["oracle"])
    native = simulate(scenario, CONTENDERS["native spillover"])
    assert oracle.tally.refused == 0
    assert (oracle.precision, oracle.recall) == (1.0, 1.0)
    assert oracle.utilization == pytest.approx(native.utilization, abs=0.005)


def test_baselines_rank_as_their_rules_suggest() -> None:
    """Waiting saves round trips, sharing saves more, and a minute's rest costs utilisation."""
    scenario = scenarios("contended/right", hours=0.5)[0]
    found = {name: simulate(scenario, contender) for name, contender in CONTENDERS.items()}
    wasted = {name: outcome.tally.refused for name, outcome in found.items()}
    assert (
        wasted["native spillover"]
        > wasted["retry-after, per replica"]
        > wasted["retry-after, shared"]
        > wasted["one-minute breaker"]
        > wasted["oracle"]
    )
    breaker, shared = found["one-minute breaker"], found["retry-after, shared"]
    assert breaker.utilization < shared.utilization - 0.02
    assert breaker.usd > shared.usd


def test_foreign_traffic_takes_room_and_is_nobodys_bill() -> None:
    """The same requests of ours; less of the PTU is left for them."""
    alone, crowded = (
        simulate(scenario, CONTENDERS["native spillover"])
        for scenario in (
            scenarios("contended/right", hours=0.3)[0],
            scenarios("contended/foreign", hours=0.3)[0],
        )
    )
    assert crowded.tally.requests == alone.tally.requests
    assert crowded.tally.tokens == alone.tally.tokens
    assert crowded.tally.foreign_served > 0
    assert crowded.tally.served < alone.tally.served


def test_nothing_is_told_where_there_is_no_header() -> None:
    """Utilisation is None in every answer, refusals come in whole seconds."""
    _, log = played(lambda _: "ptu", scenarios("contended/all wrong", hours=0.1)[0])
    told = [headers for _, headers in by_request(log, "answered").values()]
    assert {headers.utilization for headers in told} == {None}
    waits = {headers.refused_for for headers in told} - {None}
    assert waits
    assert all(wait == int(wait) for wait in waits)
