"""Hours of chat traffic as applications make it: by the day, in bursts, with long-tailed prompts.

Everything is drawn from one seed: the same workload, hours and seed give the same arrivals.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, count
from random import Random
from typing import Final, NamedTuple

HOUR: Final = 3600.0
#: Rates are constant within a slot, seconds.
_SLOT: Final = 1.0
_LONGEST_CONVERSATION: Final = 30_000
_OPEN_CONVERSATIONS: Final = 40
_HABIT: Final = 0.85  # of a tenant's requests have the cap that its application is written with


class Request(NamedTuple):
    """What a gateway sees of a request before it is served; lengths in tokens."""

    id: int
    tenant: int
    conversation: int
    prompt: int
    prefix: int
    """Leading tokens of the prompt that this conversation has sent before."""
    cap: int | None
    """The most the answer may have, None where the caller does not say."""
    stream: bool


class Arrival(NamedTuple):
    """A request at a replica, and how long its answer is going to be."""

    at: float
    replica: int
    request: Request
    output: int


class Lengths(NamedTuple):
    """A lognormal distribution of tokens."""

    median: float
    sigma: float
    longest: int


@dataclass(frozen=True, slots=True)
class Workload:
    """What is asked for. Rates are requests per second; a day's curve spans the whole run."""

    night_rate: float
    day_rate: float
    """The mean at the curve's top; bursts go beyond it."""
    prompt: Lengths
    """The first prompt of a conversation."""
    question: Lengths
    """What each further turn adds."""
    answer: Lengths
    caps: tuple[int | None, ...]
    """Tenants take these in turn."""
    tenants: int = 8
    continued: float = 0.55
    """The share of requests that go on with a conversation."""
    streamed: float = 0.7
    burst: float = 3.0
    """How many times its usual rate a tenant asks in a burst."""
    burst_s: float = 20.0
    calm_s: float = 100.0


def arrivals(
    workload: Workload, *, hours: float, seed: str, replicas: int = 1
) -> Iterator[Arrival]:
    """Requests in the order of their times, which are seconds from 0 to `hours`."""
    rng = Random(seed)  # noqa: S311  # repeatable traffic, no secret
    tenants = _Tenants(workload, rng)
    ids = count()
    end = hours * HOUR
    for slot in range(math.ceil(end / _SLOT)):
        start = slot * _SLOT
        tenants.move_on(start)
        rate = curve(workload, start / end) * tenants.crowding
        at = start + rng.expovariate(rate)
        while at < min(start + _SLOT, end):
            request, output = tenants.ask(next(ids))
            yield Arrival(at, rng.randrange(replicas), request, output)
            at += rng.expovariate(rate)


def curve(workload: Workload, part: float) -> float:
    """The mean rate when `part` (0 to 1) of the day has passed: night, noon, night."""
    height = (1.0 - math.cos(2.0 * math.pi * part)) / 2.0
    return workload.night_rate + (workload.day_rate - workload.night_rate) * height


class _Conversation:
    __slots__ = ("id", "last_output", "last_prompt")

    def __init__(self, number: int) -> None:
        self.id = number
        self.last_prompt = 0
        self.last_output = 0


class _Tenants:
    """Tenants of very different size, each with bursts of its own and conversations going on."""

    def __init__(self, workload: Workload, rng: Random) -> None:
        self._workload = workload
        self._rng = rng
        self._sizes = [1.0 / (1 + tenant) for tenant in range(workload.tenants)]
        self._bursting = [False] * workload.tenants
        self._until = [rng.expovariate(1.0 / workload.calm_s) for _ in self._sizes]
        self._next_change = 0.0
        self._open: list[list[_Conversation]] = [[] for _ in self._sizes]
        self._numbers = count()
        self._cumulative: list[float] = []
        self.crowding = 1.0
        """The rate of all tenants, 1 being the long-term mean."""

    def move_on(self, now: float) -> None:
        """Let bursts begin and end that are due."""
        if now < self._next_change:
            return
        for tenant, until in enumerate(self._until):
            if until <= now:
                self._bursting[tenant] = not self._bursting[tenant]
                length = self._workload.burst_s if self._bursting[tenant] else self._workload.calm_s
                self._until[tenant] = now + self._rng.expovariate(1.0 / length)
        self._next_change = min(self._until)
        self._weigh()

    def _weigh(self) -> None:
        work = self._workload
        mean = (work.burst * work.burst_s + work.calm_s) / (work.burst_s + work.calm_s)
        rates = (
            size * (work.burst if bursting else 1.0)
            for size, bursting in zip(self._sizes, self._bursting, strict=True)
        )
        self._cumulative = list(accumulate(rates))
        self.crowding = self._cumulative[-1] / (mean * sum(self._sizes))

    def ask(self, number: int) -> tuple[Request, int]:
        """The next request, and its answer's length."""
        work, rng = self._workload, self._rng
        tenant = bisect(self._cumulative, rng.random() * self._cumulative[-1])
        talk = self._conversation(tenant)
        prefix = talk.last_prompt
        added = _draw(work.question if prefix else work.prompt, rng)
        prompt = prefix + talk.last_output + added
        cap = work.caps[tenant % len(work.caps)]
        if rng.random() >= _HABIT:
            cap = rng.choice(work.caps)
        output = _draw(work.answer, rng)
        if cap is not None and output > cap:
            output = cap
        talk.last_prompt, talk.last_output = prompt, output
        stream = rng.random() < work.streamed
        return Request(number, tenant, talk.id, prompt, prefix, cap, stream), output

    def _conversation(self, tenant: int) -> _Conversation:
        """One that is open, or a new one, which takes the place of another if there are many."""
        talks, rng = self._open[tenant], self._rng
        if talks and rng.random() < self._workload.continued:
            talk = talks[int(rng.random() * len(talks))]
            if talk.last_prompt < _LONGEST_CONVERSATION:
                return talk
        talk = _Conversation(next(self._numbers))
        if len(talks) < _OPEN_CONVERSATIONS:
            talks.append(talk)
        else:
            talks[int(rng.random() * len(talks))] = talk
        return talk


def _draw(lengths: Lengths, rng: Random) -> int:
    tokens = int(lengths.median * math.exp(rng.gauss(0.0, lengths.sigma)))
    return max(1, min(tokens, lengths.longest))
