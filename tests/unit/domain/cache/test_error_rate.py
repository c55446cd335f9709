"""How often the cache was wrong, and what that leaves of its threshold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.cache.error_rate import (
    BAND,
    EASED,
    LEAST,
    Band,
    ErrorRate,
    Interval,
    band_of,
    enough,
    tightened,
    total,
    wilson,
)

BOUND = 0.02
WIDEST = 0.25


def bands(*counts: tuple[int, int, int]) -> list[Band]:
    """Number, same, different."""
    return [Band(*each) for each in counts]


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [  # R 4.3: prop.test(hits, trials, correct = FALSE)
        (0, 10, 0.0, 0.27753),
        (1, 10, 0.01788, 0.40415),
        (10, 100, 0.05523, 0.17437),
        (5, 5, 0.56552, 1.0),
        (20, 1000, 0.01299, 0.03069),
    ],
)
def test_the_interval_is_wilsons(hits: int, trials: int, low: float, high: float) -> None:
    """As statistics packages have it."""
    found = wilson(hits, trials)
    assert found.low == pytest.approx(low, abs=1e-5)
    assert found.high == pytest.approx(high, abs=1e-5)


def test_nothing_is_known_of_nothing() -> None:
    """All rates are possible."""
    assert wilson(0, 0) == Interval(0.0, 1.0)
    assert (ErrorRate(0, 0).rate, ErrorRate(8, 2).rate) == (0.0, 0.25)


@given(st.integers(1, 2000), st.integers(0, 2000))
def test_the_rate_is_within_its_interval(trials: int, hits: int) -> None:
    """And one more that is wrong moves both ends up."""
    hits = min(hits, trials)
    found, worse = wilson(hits, trials), wilson(hits + 1, trials + 1)
    assert 0 <= found.low <= hits / trials <= found.high <= 1
    assert worse.low >= found.low
    assert worse.high >= found.high


@pytest.mark.parametrize("bound", [0.001, 0.02, 0.3])
def test_enough_is_what_proves_a_faultless_cache(bound: float) -> None:
    """One comparison less would not."""
    assert wilson(0, enough(bound)).high <= bound < wilson(0, enough(bound) - 1).high


def test_bands() -> None:
    """Distances from 0 on; a little less than 0 is rounding."""
    assert [band_of(each) for each in (-1e-9, 0.0, 0.0099, 0.0101, 0.25)] == [0, 0, 0, 1, 25]
    assert Band(3).begins == pytest.approx(3 * BAND)


def test_without_evidence_the_threshold_is_the_embedders_own() -> None:
    """Also with too little of it, or too good for doubt."""
    for evidence in (
        bands(),
        bands((1, 0, LEAST - 1)),
        bands((1, enough(BOUND) - 2, 1)),
        bands((1, 1000, 0)),
    ):
        assert tightened(evidence, bound=BOUND, widest=WIDEST) == WIDEST


def test_what_is_surely_wrong_is_stopped_early() -> None:
    """Long before there is enough evidence to have proved it good."""
    assert tightened(bands((1, 18, 3)), bound=BOUND, widest=WIDEST) == 0.0


def test_what_could_be_proved_by_now_has_to_be() -> None:
    """A few that are wrong of many are too many, if they may be more than the bound."""
    assert tightened(bands((1, 196, 4)), bound=BOUND, widest=WIDEST) == 0.0
    assert tightened(bands((1, 1990, 10)), bound=BOUND, widest=WIDEST) == WIDEST


def test_only_the_distances_that_are_wrong_are_lost() -> None:
    """The largest below which the bound holds."""
    evidence = bands((0, 150, 0), (1, 150, 0), (5, 100, 1), (9, 80, 20))
    assert tightened(evidence, bound=BOUND, widest=WIDEST) == pytest.approx(9 * BAND)
    worse = bands((0, 150, 0), (1, 150, 0), (5, 60, 40), (9, 80, 20))
    assert tightened(worse, bound=BOUND, widest=WIDEST) == pytest.approx(5 * BAND)


def test_evidence_beyond_the_widest_does_not_count() -> None:
    """Of an earlier release, whose embedder was allowed more."""
    evidence = bands((0, 300, 0), (30, 0, 300))
    assert tightened(evidence, bound=BOUND, widest=WIDEST) == WIDEST
    assert tightened(evidence, bound=BOUND, widest=0.5) == pytest.approx(30 * BAND)


def test_it_widens_only_on_better_evidence_than_it_need_be() -> None:
    """Near the bound it stays where it is, on either side."""
    near = bands((1, 989, 11))
    assert EASED * BOUND < wilson(11, 1000).high <= BOUND
    assert tightened(near, bound=BOUND, widest=WIDEST, current=WIDEST) == WIDEST
    assert tightened(near, bound=BOUND, widest=WIDEST, current=0.0) == 0.0
    good = bands((1, 1996, 4))
    assert tightened(good, bound=BOUND, widest=WIDEST, current=0.0) == WIDEST


EVIDENCE = st.lists(
    st.builds(Band, st.integers(0, 40), st.integers(0, 400), st.integers(0, 40)),
    max_size=8,
    unique_by=lambda band: band.number,
)
BOUNDS = st.sampled_from([0.005, 0.02, 0.1, 0.5])
CURRENT = st.none() | st.floats(0, WIDEST)


@given(EVIDENCE, BOUNDS, CURRENT)
def test_it_never_widens_beyond_the_embedders_own(
    evidence: list[Band], bound: float, current: float | None
) -> None:
    """And is never less than nothing."""
    found = tightened(evidence, bound=bound, widest=WIDEST, current=current)
    assert 0.0 <= found <= WIDEST


@given(
    evidence=EVIDENCE, bound=BOUNDS, current=CURRENT, at=st.integers(0, 40), instead=st.booleans()
)
def test_more_errors_never_loosen(
    evidence: list[Band], bound: float, current: float | None, *, at: int, instead: bool
) -> None:
    """Be it one more, or one that was thought the same."""
    found = {band.number: band for band in evidence}
    band = found.get(at, Band(at))
    same = band.same - 1 if instead and band.same else band.same
    worse = {**found, at: Band(at, same, band.different + 1)}
    before, after = (
        tightened(list(each.values()), bound=bound, widest=WIDEST, current=current)
        for each in (found, worse)
    )
    assert after <= before


@given(EVIDENCE, BOUNDS, CURRENT)
def test_what_is_served_after_a_refutation_was_proved(
    evidence: list[Band], bound: float, current: float | None
) -> None:
    """A threshold between nothing and all has evidence below it that keeps the bound."""
    found = tightened(evidence, bound=bound, widest=WIDEST, current=current)
    if 0.0 < found < WIDEST and found != current:
        below = total([band for band in evidence if band.begins < found - 1e-9])
        assert below.interval.high <= bound


@dataclass
class Simulated:
    """A cache whose hits are wrong as `is_wrong` says; those that are withheld are all compared."""

    is_wrong: Callable[[float, Random], bool]
    sample_rate: float = 0.05
    threshold: float = WIDEST
    served: int = 0
    wrong: int = 0
    changes: int = 0
    _random: Random = field(default_factory=lambda: Random(7))
    _same: Counter[int] = field(default_factory=Counter)
    _different: Counter[int] = field(default_factory=Counter)

    def run(self, hits: int) -> float:
        """The part of served answers that was wrong, of so many more would-be hits."""
        self.served = self.wrong = 0
        for number in range(hits):
            self._hit(self._random.random() * WIDEST)
            if number % 50 == 0:
                self._follow()
        return self.wrong / self.served if self.served else 0.0

    def _hit(self, distance: float) -> None:
        wrong, serves = self.is_wrong(distance, self._random), distance <= self.threshold
        self.served += serves
        self.wrong += serves and wrong
        if not serves or self._random.random() < self.sample_rate:
            (self._different if wrong else self._same)[band_of(distance)] += 1

    def _follow(self) -> None:
        numbers = self._same.keys() | self._different.keys()
        evidence = [Band(each, self._same[each], self._different[each]) for each in numbers]
        new = tightened(evidence, bound=BOUND, widest=WIDEST, current=self.threshold)
        self.changes += new != self.threshold
        self.threshold = new


def test_a_kind_of_question_that_goes_wrong_is_brought_under_the_bound() -> None:
    """One in ten is wrong, all among the farther ones: those are not served any more."""
    cache = Simulated(lambda far, random: far > 0.15 and random.random() < 0.25)
    assert cache.run(1000) > 2 * BOUND
    cache.run(4000)
    assert cache.run(20_000) < BOUND
    assert 0.1 < cache.threshold < 0.17
    assert cache.served > 8000
    assert cache.changes < 20


def test_errors_at_any_distance_turn_it_off() -> None:
    """One in ten is wrong wherever: nothing by meaning is served to this tenant any more."""
    cache = Simulated(lambda _far, random: random.random() < 0.1)
    cache.run(5000)
    cache.run(20_000)
    assert cache.served < 100


@pytest.mark.parametrize("rate", [0.0, 0.005])
def test_a_good_cache_is_not_throttled_for_ever(rate: float) -> None:
    """Without errors never; with few, until they are known to be few."""
    cache = Simulated(lambda _far, random: random.random() < rate)
    cache.run(30_000)
    if not rate:
        assert cache.changes == 0
    cache.run(10_000)
    assert cache.threshold == WIDEST
    assert cache.served > 9900


def test_one_that_was_mended_recovers() -> None:
    """What is withheld is compared all the same: old evidence is outweighed, or fades."""
    good_from = 0

    def is_wrong(_far: float, random: Random) -> bool:
        return not good_from and random.random() < 0.1

    cache = Simulated(is_wrong)
    cache.run(3000)
    assert cache.threshold == 0.0
    good_from = 1
    cache.run(60_000)
    assert cache.threshold == WIDEST
