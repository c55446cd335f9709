"""Numbers of PTUs compared on one traffic: what each serves, spills and costs by each term."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.domain.capacity.provisioned import PtuCapacity
from app.planner.sizing.costs import Cost, Days, PayGo, Term, best, break_even, confidence, cost
from app.planner.sizing.hours import Hours, by_hour
from app.planner.sizing.replay import Replayed, Weighed, replay, weighed
from app.planner.sizing.timeline import Timeline, timeline
from app.planner.sizing.traffic import Recorded

RESAMPLES: Final = 1000
#: Numbers of PTUs that are looked at in a pass; the next is between the neighbours of its best.
_COARSE: Final = 24
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How PTUs are sold: at least `minimum`, in steps of `increment`; more than `most` never."""

    minimum: int
    increment: int
    most: int = 1_000_000

    def at_least(self, ptus: float) -> int:
        """The smallest number that is sold and no less."""
        steps = max(0, -(-(ptus - self.minimum) // self.increment))
        return int(min(self.minimum + steps * self.increment, self.most))


@dataclass(frozen=True, slots=True)
class Question:
    """What is compared: a model's PTU, how it is sold, its prices, and who pays how."""

    capacity: PtuCapacity
    """Of one PTU."""
    sizes: Sizes
    paygo: PayGo
    terms: tuple[Term, ...]
    seed: int = 7
    also: tuple[int, ...] = ()
    """Numbers of PTUs that are told of in any case."""


@dataclass(frozen=True, slots=True)
class Option:
    """One number of PTUs. Shares are parts of 1.

    `refused` is how many requests Azure would refuse where each asks the PTUs first, as native
    spillover does: a round trip for nothing each. The gateway knows them beforehand. `wait_s` is
    how long one that spilled would on average have had to wait for room instead.
    """

    ptus: int
    utilization: float
    spilled: int
    spilled_share: float
    spilled_tokens: int
    refused: int
    wait_s: float
    costs: Mapping[str, Cost]
    """By term."""


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The cheapest number by one term.

    `confidence` is in what part of resampled periods each number was; `break_even` the utilisation
    from which on its PTUs pay, None where they never do.
    """

    term: str
    option: Option
    confidence: Mapping[int, float]
    break_even: float | None
    hours: Hours
    timeline: Timeline


@dataclass(frozen=True, slots=True)
class Variant:
    """The best by one term, were the PTUs sold as another kind; `usd` is of the whole period."""

    kind: str
    term: str
    ptus: int
    usd: float
    spilled_share: float
    sure: float
    """In what part of resampled periods this number was the best."""


@dataclass(frozen=True, slots=True)
class PtuPlan:
    """All that was found of one traffic; times are Unix seconds."""

    requests: int
    tokens: int
    since: float
    until: float
    days: int
    options: tuple[Option, ...]
    recommendations: tuple[Recommendation, ...]
    asked: tuple[int, ...] = ()
    """Numbers of PTUs that were asked for; they are among the options."""
    variants: tuple[Variant, ...] = ()


#: Told of how many numbers of PTUs were replayed.
Tell = Callable[[int], None]


def plan(question: Question, recorded: Sequence[Recorded], tell: Tell = lambda _: None) -> PtuPlan:
    """Compare. Raises ValueError where there is no traffic."""
    if not recorded:
        raise ValueError("there is no traffic to plan with")
    return _Planning(question, _Replays.of(question, recorded, tell)).plan()


def plan_all(
    question: Question,
    variants: Mapping[str, Question],
    recorded: Sequence[Recorded],
    tell: Tell = lambda _: None,
) -> PtuPlan:
    """The same, with the best of each variant: other sizes and prices of the same model.

    What was replayed for one holds for all. Raises ValueError where there is no traffic.
    """
    if not recorded:
        raise ValueError("there is no traffic to plan with")
    replays = _Replays.of(question, recorded, tell)
    found = _Planning(question, replays).plan()
    told = [
        _variant(kind, each)
        for kind, asked in variants.items()
        for each in _Planning(asked, replays).plan().recommendations
    ]
    return replace(found, variants=tuple(told))


def _variant(kind: str, best: Recommendation) -> Variant:
    option, sure = best.option, best.confidence.get(best.option.ptus, 0.0)
    usd = option.costs[best.term].usd
    return Variant(kind, best.term, option.ptus, usd, option.spilled_share, sure)


class _Replays:
    """One traffic, served by whatever number of PTUs; what was replayed once is kept."""

    def __init__(self, traffic: Weighed, tokens_per_s: float, tell: Tell) -> None:
        self.traffic = traffic
        self.tokens_per_s = tokens_per_s
        self._tell = tell
        self._known: dict[int, Replayed] = {}
        self._native: dict[int, Replayed] = {}

    @classmethod
    def of(cls, question: Question, recorded: Sequence[Recorded], tell: Tell) -> _Replays:
        capacity = question.capacity
        return cls(weighed(recorded, capacity), capacity.tokens_per_s, tell)

    def replayed(self, ptus: int) -> Replayed:
        """As the router would."""
        if ptus not in self._known:
            self._known[ptus] = replay(self.traffic, ptus, self.tokens_per_s)
            self._tell(len(self._known))
        return self._known[ptus]

    def native(self, ptus: int) -> Replayed:
        """As where every request asks the PTUs first."""
        if ptus not in self._native:
            self._native[ptus] = replay(self.traffic, ptus, self.tokens_per_s, margin=0.0)
        return self._native[ptus]


class _Planning:
    """One comparison under way; `_replayed` is what it looked at."""

    def __init__(self, question: Question, replays: _Replays) -> None:
        self._question = question
        self._replays = replays
        self._traffic = replays.traffic
        self._days = Days.of(self._traffic, question.paygo)
        self._replayed: dict[int, Replayed] = {}

    def plan(self) -> PtuPlan:
        requests = self._traffic.requests
        for ptus in (*self._coarse(), *self._question.also):
            self._replay(ptus)
        for term in self._question.terms:
            while missing := self._around(term):
                for ptus in missing:
                    self._replay(ptus)
        options = tuple(self._option(self._replayed[ptus]) for ptus in self._told())
        return PtuPlan(
            requests=len(requests),
            tokens=sum(each.prompt + each.output for each in requests),
            since=requests[0].at,
            until=requests[-1].at,
            days=self._days.count,
            options=options,
            recommendations=tuple(self._best(options, term) for term in self._question.terms),
            asked=self._question.also,
        )

    def _coarse(self) -> list[int]:
        """None, the fewest, and some on the way to the first that serves everything."""
        sizes, most = self._question.sizes, self._question.sizes.minimum
        while self._spills(most) and most < sizes.most:
            most = sizes.at_least(2 * most)
        steps = range(sizes.minimum, most + 1, self._step(most - sizes.minimum))
        numbers = [0]
        for ptus in (*map(sizes.at_least, steps), most):
            numbers.append(ptus)
            if not self._spills(ptus):
                break
        return numbers

    def _spills(self, ptus: int) -> bool:
        return self._replay(ptus).spilled > 0

    def _around(self, term: Term) -> list[int]:
        """Some of those that are sold between the neighbours of the best so far; none: it is."""
        known = sorted(self._replayed)
        place = known.index(best(self._costs(known, term)).ptus)
        low, high = known[max(0, place - 1)], known[min(len(known) - 1, place + 1)]
        sizes = self._question.sizes
        steps = range(max(low, sizes.minimum), high, self._step(high - low))
        return [ptus for ptus in map(sizes.at_least, steps) if ptus not in self._replayed]

    def _told(self) -> list[int]:
        """Up to the first that serves everything, which is best: more only cost more."""
        known = sorted(self._replayed)
        first = next((ptus for ptus in known if not self._spills(ptus)), known[-1])
        return [ptus for ptus in known if ptus <= first or ptus in self._question.also]

    def _step(self, span: int) -> int:
        """Of so many PTUs, for a pass."""
        increment = self._question.sizes.increment
        return increment * max(1, span // (_COARSE * increment))

    def _costs(self, numbers: Sequence[int], term: Term) -> list[Cost]:
        return [cost(self._replayed[ptus], self._days, term) for ptus in numbers]

    def _replay(self, ptus: int) -> Replayed:
        self._replayed[ptus] = self._replays.replayed(ptus)
        return self._replayed[ptus]

    def _option(self, replayed: Replayed) -> Option:
        requests = self._traffic.requests
        capacity = replayed.rate * self._days.count * _DAY_S
        native = self._replays.native(replayed.ptus)
        spilled = (
            each for each, served in zip(requests, replayed.served, strict=True) if not served
        )
        return Option(
            ptus=replayed.ptus,
            utilization=replayed.used(self._traffic) / capacity if capacity else 0.0,
            spilled=replayed.spilled,
            spilled_share=replayed.spilled / len(requests),
            spilled_tokens=sum(each.prompt + each.output for each in spilled),
            refused=native.spilled if replayed.ptus else 0,
            wait_s=replayed.wait_s / replayed.spilled if replayed.spilled else 0.0,
            costs={each.name: cost(replayed, self._days, each) for each in self._question.terms},
        )

    def _best(self, options: Sequence[Option], term: Term) -> Recommendation:
        costs = [each.costs[term.name] for each in options]
        option = next(each for each in options if each.ptus == best(costs).ptus)
        replayed = self._replayed[option.ptus]
        return Recommendation(
            term=term.name,
            option=option,
            confidence=confidence(costs, resamples=RESAMPLES, seed=self._question.seed),
            break_even=break_even(replayed, self._traffic, self._days, term),
            hours=by_hour(replayed, self._traffic),
            timeline=timeline(replayed, self._traffic),
        )
