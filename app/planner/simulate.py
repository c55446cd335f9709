"""Runs one strategy through one scenario, event by event, in simulated time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any

from app.domain.quota.usage import Usage as Bill
from app.planner.azure import Job, Paygo, Ptu
from app.planner.contenders import Contender
from app.planner.foreign import foreign_arrivals, usual
from app.planner.outcome import Outcome, Tally
from app.planner.scenarios import Network, Scenario
from app.planner.strategy import Headers, Site, Strategy, Truth, Usage
from app.planner.traffic import HOUR, Arrival, arrivals

Handler = Callable[[Any], None]
_NOWHERE = Network(round_trip_s=0.0, message_s=0.0)


def simulate(scenario: Scenario, contender: Contender) -> Outcome:
    """The same scenario has the same arrivals for whoever routes them."""
    run = _Run(scenario, contender)
    run.play()
    tally, paygo = run.tally, run.paygo
    return Outcome(
        tally,
        capacity=scenario.facts.tokens_per_s * scenario.hours * HOUR,
        used=run.used,
        bill=Bill(input=paygo.input, cached=paygo.cached, output=paygo.output),
        round_trip_s=scenario.network.round_trip_s,
    )


class _Run:
    """The event loop's state: what is going to happen, and the world it happens to."""

    def __init__(self, scenario: Scenario, contender: Contender) -> None:
        network = _NOWHERE if contender.instant else scenario.network
        self._one_way = network.round_trip_s / 2
        self._message_s = network.message_s
        self._scenario = scenario
        self._speed = scenario.speed
        self._future: list[tuple[float, int, Handler, Any]] = []
        self._numbers = count()
        self._now = 0.0
        self._replicas = self._start(contender)
        self.ptu = Ptu(scenario.facts)
        self.paygo = Paygo()
        self.tally = Tally()
        self.used = 0.0

    def _start(self, contender: Contender) -> list[Strategy[Any]]:
        many = self._scenario.replicas
        truth = Truth(
            over=lambda: self.ptu.over(self._now),
            depth_s=self._scenario.facts.depth_s,
            adds=lambda request: self.ptu.adds(request, self._now),
            foreign=partial(usual, self._scenario),
        )
        return [
            contender.build(
                Site(
                    replica,
                    many,
                    self._scenario.belief,
                    send=partial(self._send, replica),
                    truth=truth,
                )
            )
            for replica in range(many)
        ]

    def play(self) -> None:
        """To the last completion; the PTU's use is read when the last request has arrived."""
        scenario = self._scenario
        own = arrivals(
            scenario.case.workload,
            hours=scenario.hours,
            seed=str(scenario.seed),
            replicas=scenario.replicas,
        )
        self._next_foreign(foreign_arrivals(scenario))
        self._at(scenario.hours * HOUR, self._read_use, None)
        for arrival in own:
            self._until(arrival.at)
            self._arrive(arrival)
        self._until(float("inf"))

    def _until(self, end: float) -> None:
        # What is due at the very time of an arrival goes first: an instant request is at the PTU
        # before the next is looked at.
        future = self._future
        while future and future[0][0] <= end:
            self._now, _, handle, what = heappop(future)
            handle(what)

    def _at(self, time: float, handle: Handler, what: Any) -> None:
        heappush(self._future, (time, next(self._numbers), handle, what))

    def _arrive(self, arrival: Arrival) -> None:
        self._now = now = arrival.at
        request, tally = arrival.request, self.tally
        tally.requests += 1
        tally.tokens += request.prompt + arrival.output
        target = self._replicas[arrival.replica].choose(request, now)
        reach = self._reach_ptu if target == "ptu" else self._keep_back
        self._at(now + self._one_way, reach, arrival)

    def _reach_ptu(self, arrival: Arrival) -> None:
        now, ptu = self._now, self.ptu
        request = arrival.request
        job = ptu.offer(request, now)
        if job is None:
            self.tally.refused += 1
            headers = self._headers(ptu.retry_after(now))
            self._at(now + self._one_way, self._hear_refusal, (arrival, headers))
            return
        self.tally.admitted += 1
        lasts = self._speed.takes(request.prompt - job.cached, arrival.output)
        self._at(now + lasts, self._complete, (arrival, job))
        if request.stream:
            self._at(now + self._one_way, self._hear_headers, (arrival, self._headers()))

    def _headers(self, refused_for: float | None = None) -> Headers:
        ptu, now = self.ptu, self._now
        return Headers(refused_for, ptu.utilization(now), ptu.over(now))

    def _keep_back(self, arrival: Arrival) -> None:
        """It goes to pay-as-you-go; it is judged by what the PTU would have said."""
        if self.ptu.wait(self._now) > 0:
            self.tally.kept_back_rightly += 1
        else:
            self.tally.kept_back_wrongly += 1
        self._serve_elsewhere(arrival)

    def _hear_refusal(self, told: tuple[Arrival, Headers]) -> None:
        self._hear_headers(told)
        self._at(self._now + self._one_way, self._serve_elsewhere, told[0])

    def _hear_headers(self, told: tuple[Arrival, Headers]) -> None:
        arrival, headers = told
        self._replicas[arrival.replica].answered(arrival.request, headers, self._now)

    def _complete(self, done: tuple[Arrival, Job]) -> None:
        arrival, job = done
        now, request, output = self._now, arrival.request, arrival.output
        self.ptu.complete(job, output, now)
        self.tally.served += self.ptu.weight(job, output)
        if not request.stream:
            self._at(now + self._one_way, self._hear_headers, (arrival, self._headers()))
        usage = Usage("ptu", request.prompt, job.cached, output)
        self._at(now + self._one_way, self._hear_end, (arrival, usage))

    def _serve_elsewhere(self, arrival: Arrival) -> None:
        now, request, output = self._now, arrival.request, arrival.output
        self.tally.spilled_tokens += request.prompt + output
        cached = self.paygo.serve(request, output, now)
        lasts = self._speed.takes(request.prompt - cached, output)
        usage = Usage("paygo", request.prompt, cached, output)
        self._at(now + lasts + self._one_way, self._hear_end, (arrival, usage))

    def _hear_end(self, told: tuple[Arrival, Usage]) -> None:
        arrival, usage = told
        self._replicas[arrival.replica].completed(arrival.request, usage, self._now)

    def _send(self, sender: int, message: Any) -> None:
        self.tally.messages += 1
        self._at(self._now + self._message_s, self._hear_message, (sender, message))

    def _hear_message(self, sent: tuple[int, Any]) -> None:
        sender, message = sent
        for replica, strategy in enumerate(self._replicas):
            if replica != sender:
                strategy.heard(message, self._now)

    def _next_foreign(self, stream: Iterator[Arrival]) -> None:
        arrival = next(stream, None)
        if arrival is not None:
            self._at(arrival.at, self._reach_as_foreigner, (arrival, stream))

    def _reach_as_foreigner(self, what: tuple[Arrival, Iterator[Arrival]]) -> None:
        """Traffic past the gateway; what of it is refused goes away."""
        arrival, stream = what
        job = self.ptu.offer(arrival.request, self._now)
        if job is not None:
            lasts = self._speed.takes(arrival.request.prompt - job.cached, arrival.output)
            self._at(self._now + lasts, self._complete_foreign, (job, arrival.output))
        self._next_foreign(stream)

    def _complete_foreign(self, done: tuple[Job, int]) -> None:
        job, output = done
        self.ptu.complete(job, output, self._now)
        self.tally.foreign_served += self.ptu.weight(job, output)

    def _read_use(self, _: None) -> None:
        self.ptu.wait(self._now)
        self.used = self.ptu.used
