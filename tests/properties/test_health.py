"""A deployment that fails is soon out, comes back by a ramp, and is asked if nobody else is left.

Traffic is played on a simulated clock: requests take time, so that answers arrive after what they
tell of has changed, and failed ones go on to the next candidate.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count, pairwise
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.routing.health import ALL_AVAILABLE, Health, Status, availability, least_bad
from app.domain.routing.ranking import Contender, by_weight

MOST_ATTEMPTS = 3
Fails = Callable[[str, float], bool]
Event = Callable[[float], None]


@dataclass(slots=True)
class Request:
    """One request on its way through its candidates."""

    candidates: list[str]
    panics: bool
    attempts: int = 0


@dataclass(slots=True)
class Traffic:
    """Requests at a steady rate, and a record of what became of them."""

    names: list[str]
    fails: Fails  # whether a deployment fails what it is asked at a time
    rps: float
    latency_s: float = 0.3
    draw: random.Random = field(default_factory=lambda: random.Random(7))
    order: Iterator[int] = field(default_factory=count)
    events: list[tuple[float, int, Event]] = field(default_factory=list)
    health: Health = field(default_factory=Health)
    asked: list[tuple[float, str]] = field(default_factory=list)
    ejections: list[tuple[float, str]] = field(default_factory=list)
    returns: list[tuple[float, str]] = field(default_factory=list)
    unanswered: list[float] = field(default_factory=list)
    most_absent: int = 0

    def play(self, until: float, after_return: float = inf) -> Traffic:
        """Everything that happens up to a time, or so long after the first return."""
        self.at(0.0, self.arrive)
        end = until
        while self.events[0][0] < end:
            when, _, what = heapq.heappop(self.events)
            what(when)
            if self.returns:
                end = min(until, self.returns[0][0] + after_return)
        return self

    def at(self, when: float, what: Event) -> None:
        """Let something happen at its time."""
        heapq.heappush(self.events, (when, next(self.order), what))

    def arrive(self, now: float) -> None:
        """One request, and the next after it."""
        self.at(now + 1 / self.rps, self.arrive)
        self.ask(self.plan(now), now)

    def ask(self, request: Request, now: float) -> None:
        """Its next candidate, if there is one."""
        name = self.next_of(request, now)
        if name is None:
            self.unanswered.append(now)
            return
        self.asked.append((now, name))
        probe = ExitStack()
        probe.enter_context(self.health.probing(name, now))
        latency = self.latency_s * self.draw.uniform(0.5, 1.5)

        def answer(then: float) -> None:
            failed = self.fails(name, now)
            with probe:
                self.tell(name, now, then, failed=failed)
            if failed:
                self.ask(request, then)

        self.at(now + latency, answer)

    def plan(self, now: float) -> Request:
        """By weight and health; where nobody is left, the least bad first."""
        found = availability(self.names, self.health, now)
        self.most_absent = max(self.most_absent, len(found.absent))
        tier = [
            Contender(name, found.factors.get(name, 1.0))
            for name in self.names
            if name not in found.absent
        ]
        if tier:
            return Request([each.name for each in by_weight(tier, self.draw.random)], panics=False)
        return Request(least_bad(self.names, self.health, now), panics=True)

    def next_of(self, request: Request, now: float) -> str | None:
        """The next that may be asked; the last one in any case."""
        while request.candidates and request.attempts < MOST_ATTEMPTS:
            name = request.candidates.pop(0)
            if request.panics or not request.candidates or self.health.may_ask(name, now):
                request.attempts += 1
                return name
        return None

    def tell(self, name: str, started: float, now: float, *, failed: bool) -> None:
        """What an answer says of its deployment."""
        if failed:
            jitter = self.draw.random()
            if self.health.failed(name, now, started=started, jitter=jitter):
                self.ejections.append((now, name))
        elif self.health.succeeded(name, now, started=started):
            self.returns.append((now, name))

    def share(self, name: str, since: float, until: float) -> float:
        """Its part of all attempts in a time."""
        asked = Counter(each for when, each in self.asked if since <= when < until)
        return asked[name] / asked.total()


def failing(name: str, since: float, until: float) -> Fails:
    return lambda each, when: each == name and since <= when < until


def seen_out_and_back(traffic: Traffic, since: float, until: float) -> None:
    """One deployment of several fails for a time: what everybody may expect of that."""
    count_of, bad = len(traffic.names), traffic.names[0]
    traffic.play(until=until + 400, after_return=45)
    assert {name for _, name in traffic.ejections} == {bad}
    assert len(traffic.returns) == 1, "back once, and for good"
    (back, _) = traffic.returns[0]
    assert traffic.share(bad, since + 10, back) < 0.05
    assert not traffic.unanswered

    ejected = [when for when, _ in traffic.ejections]
    lengths = [later - earlier for earlier, later in pairwise(ejected)]
    assert all(length >= 30 * (n + 1) for n, length in enumerate(lengths)), "one flip per ejection"
    assert back - ejected[-1] <= 300 * 1.2 + 5
    assert traffic.share(bad, back, back + 3) < 0.6 / count_of
    assert traffic.share(bad, back + 10, back + 40) == pytest.approx(1 / count_of, rel=0.2)
    assert traffic.health.all_well()


def test_one_of_three_fails_for_a_minute_and_a_half() -> None:
    """At 20 requests a second it has less than 5 % of them ten seconds later, and a third again."""
    traffic = Traffic(["a", "b", "c"], failing("a", 10, 100), rps=20)
    seen_out_and_back(traffic, 10, 100)
    assert len(traffic.ejections) in {2, 3}


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(2, 4),
    since=st.floats(1, 20),
    lasts=st.floats(5, 120),
    rps=st.floats(50, 80),
    latency_s=st.floats(0.01, 3),
    seed=st.integers(0, 1 << 32),
)
def test_what_fails_is_out_within_ten_seconds_and_back_by_a_ramp(
    size: int, since: float, lasts: float, rps: float, latency_s: float, seed: int
) -> None:
    """Whenever and however long it fails, and however late its answers are."""
    names = [f"d{number}" for number in range(size)]
    fails = failing(names[0], since, since + lasts)
    traffic = Traffic(names, fails, rps, latency_s, random.Random(seed))
    seen_out_and_back(traffic, since, since + lasts)


@settings(max_examples=30, deadline=None)
@given(
    size=st.integers(1, 5),
    lasts=st.floats(1, 90),
    rps=st.floats(2, 10),
    seed=st.integers(0, 1 << 32),
)
def test_when_all_fail_all_are_asked_and_serve_as_soon_as_they_can(
    size: int, lasts: float, rps: float, seed: int
) -> None:
    """A sole deployment is one of them: each request is asked, and the first success is found."""
    names = [f"d{number}" for number in range(size)]
    traffic = Traffic(names, lambda _, when: when < lasts, rps, 0.2, random.Random(seed))
    traffic.play(until=lasts + 300)
    late = max(traffic.unanswered, default=0.0)
    assert late < lasts + 3 * 0.3 * MOST_ATTEMPTS
    while_failing = {name for when, name in traffic.asked if when < lasts + 1}
    assert len(while_failing) == size or lasts * rps * MOST_ATTEMPTS < 10 * size
    assert availability(names, traffic.health, lasts + 300) is ALL_AVAILABLE


rates = st.sampled_from([0.0, 0.0, 0.1, 0.5, 0.8, 0.95, 1.0])


@settings(max_examples=30, deadline=None)
@given(given_rates=st.lists(rates, min_size=1, max_size=6), seed=st.integers(0, 1 << 32))
def test_at_most_half_of_a_tier_is_out_and_never_one_that_serves(
    given_rates: list[float], seed: int
) -> None:
    """Whatever part of their requests they fail."""
    by_name = {f"d{number}": rate for number, rate in enumerate(given_rates)}
    luck = random.Random(seed)
    traffic = Traffic(
        list(by_name), lambda name, _: luck.random() < by_name[name], 20, 0.2, luck
    ).play(until=120)
    assert traffic.most_absent <= max(1, len(by_name) // 2)
    assert all(by_name[name] > 0 for _, name in traffic.ejections)
    if min(given_rates) == 0 and len(given_rates) <= MOST_ATTEMPTS:
        assert not traffic.unanswered


events = st.tuples(
    st.sampled_from("abc"),
    st.sampled_from(["failed", "succeeded", "throttled"]),
    st.floats(0, 20),  # seconds since the last event
    st.floats(0, 60),  # seconds that the answer took
)


@given(st.lists(events, max_size=120))
def test_an_ejection_lasts_its_time_unless_a_success_ends_it(
    script: list[tuple[str, str, float, float]],
) -> None:
    """Failures, throttles and late answers change nothing of it; factors are parts of a weight."""
    health, now, until = Health(), 0.0, dict.fromkeys("abc", 0.0)
    for name, what, passed, took in script:
        now += passed
        if what == "failed":
            if health.failed(name, now, started=now - took, jitter=0.0):
                assert now >= until[name]
                until[name] = health.state(name, now).until
                assert 30 <= until[name] - now + 1e-6 <= 300.1
        elif what == "succeeded" and health.succeeded(name, now, started=now - took):
            until[name] = now
        for each in "abc":
            state = health.state(each, now)
            assert (state.status is Status.EJECTED) == (now < until[each])
            assert 0.1 <= state.factor <= 1
            assert state.factor == 1 or state.status is Status.RAMPING
