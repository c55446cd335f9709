"""Who of a tier is asked first."""

from __future__ import annotations

import random
from collections import Counter
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.routing.ranking import Contender, Warm, by_weight, choose, preferred

waits = st.floats(0, 100) | st.just(inf)
weights = st.floats(0.001, 1000)
tiers = st.lists(
    st.builds(Contender, st.text("abcdefgh", min_size=1), weights, waits),
    min_size=1,
    max_size=6,
    unique_by=lambda each: each.name,
)
seeds = st.integers(0, 1 << 32)
#: Draws that leave the order as it is given: growing exponential times.
SMALL, ROUNDS = 1e-9, 10_000


def in_order() -> random.Random:
    class Growing(random.Random):
        drawn = 0.0

        def random(self) -> float:
            self.drawn += SMALL
            return self.drawn

    return Growing()


def names(order: list[Contender]) -> str:
    return "".join(each.name for each in order)


def tier(*waits_s: float) -> list[Contender]:
    return [Contender(name, wait_s=wait) for name, wait in zip("abcdef", waits_s, strict=False)]


def shares(*contenders: Contender) -> dict[str, float]:
    draw = random.Random(20_260_101).random
    first = Counter(choose(contenders, draw)[0].name for _ in range(ROUNDS))
    return {name: count / ROUNDS for name, count in first.items()}


@given(tiers, seeds, st.none() | st.builds(Warm, st.text("abcdefgh", max_size=2), waits))
def test_everybody_has_one_place(given_tier: list[Contender], seed: int, warm: Warm | None) -> None:
    """Nobody is lost or asked twice, whatever is warm."""
    order = choose(given_tier, random.Random(seed).random, warm)
    assert Counter(order) == Counter(given_tier)


@given(tiers, seeds)
def test_of_the_first_two_the_quicker_goes_first(given_tier: list[Contender], seed: int) -> None:
    """The rest is in its weighted order, however long it waits."""
    order = choose(given_tier, random.Random(seed).random)
    drawn = by_weight(given_tier, random.Random(seed).random)
    assert order[2:] == drawn[2:]
    assert order[0].wait_s == min(each.wait_s for each in drawn[:2])


@pytest.mark.parametrize("given_weights", [(1.0, 1.0), (3.0, 1.0), (8.0, 1.0, 1.0), (1, 1, 0.1)])
def test_with_equal_waits_shares_follow_weights(given_weights: tuple[float, ...]) -> None:
    """Within two percent over ten thousand choices."""
    contenders = [Contender(str(place), each, 0.5) for place, each in enumerate(given_weights)]
    for contender in contenders:
        expected = contender.weight / sum(given_weights)
        assert shares(*contenders)[contender.name] == pytest.approx(expected, abs=0.02)


def test_the_slowest_is_first_only_without_an_alternative() -> None:
    """Of three with equal weights, the quickest is first in two of three cases, the slowest never.

    Each pair is as likely, and two pairs hold the quickest.
    """
    found = shares(*tier(0.1, 0.2, 0.3))
    assert found["a"] == pytest.approx(2 / 3, abs=0.02)
    assert found["b"] == pytest.approx(1 / 3, abs=0.02)
    assert "c" not in found


@pytest.mark.parametrize(
    ("waits_s", "warm", "order"),
    [
        ((1.0, 2.0, 3.0), None, "abc"),
        ((2.0, 1.0, 3.0), None, "bac"),
        ((1.0, 1.0, 0.0), None, "abc"),
        ((1.0, 2.0, 3.0), Warm("b", 1.0), "bac"),
        ((1.0, 2.0, 3.0), Warm("b", 0.9), "abc"),
        ((1.0, 2.0, 3.0), Warm("c", 2.0), "cab"),
        ((2.0, 1.0, 3.0), Warm("c", 2.0), "cba"),
        ((2.0, 1.0, 3.0), Warm("c", 1.5), "bac"),
        ((1.0, 2.0, 3.0), Warm("z", 9.0), "abc"),
        ((inf, inf, inf), Warm("c", 0.0), "cab"),
    ],
)
def test_a_warm_cache_is_worth_some_waiting(
    waits_s: tuple[float, ...], warm: Warm | None, order: str
) -> None:
    """As much as it saves, compared to whoever would be first without it."""
    assert names(choose(tier(*waits_s), in_order().random, warm)) == order


named = st.dictionaries(st.text(max_size=5), weights, min_size=1, max_size=6)


@given(st.binary(max_size=200), named, st.data())
def test_when_another_leaves_the_preferred_one_stays(
    key: bytes, given_weights: dict[str, float], data: st.DataObject
) -> None:
    """Only the keys of what left move."""
    chosen = preferred(key, given_weights)
    assert chosen is not None
    kept = data.draw(st.sets(st.sampled_from(sorted(given_weights)))) | {chosen}
    assert preferred(key, {name: given_weights[name] for name in kept}) == chosen


@given(st.binary(max_size=200), named, st.data())
def test_when_the_preferred_one_gains_weight_it_stays(
    key: bytes, given_weights: dict[str, float], data: st.DataObject
) -> None:
    """A ramp brings keys back, and moves none between others."""
    chosen = preferred(key, given_weights)
    name = data.draw(st.sampled_from(sorted(given_weights)))
    heavier = preferred(key, {**given_weights, name: given_weights[name] * 2})
    assert heavier in {chosen, name}


def test_keys_are_shared_by_weight() -> None:
    """Within two percent over twenty thousand keys."""
    given_weights = {"ptu-east": 3.0, "ptu-west": 1.0, "paygo": 0.4}
    found = Counter(preferred(b"%d" % key, given_weights) for key in range(20_000))
    for name, weight in given_weights.items():
        assert found[name] / 20_000 == pytest.approx(weight / 4.4, abs=0.02)


def test_all_replicas_prefer_the_same() -> None:
    """The choice depends on nothing but names, weights and key, in whatever order they come."""
    given_weights = {"ptu-east": 1.0, "ptu-west": 1.0, "paygo": 1.0}
    turned = dict(reversed(given_weights.items()))
    chosen = [preferred(key, given_weights) for key in (b"a", b"b", b"c", b"x" * 500)]
    assert chosen == [preferred(key, turned) for key in (b"a", b"b", b"c", b"x" * 500)]
    assert chosen == ["ptu-west", "paygo", "paygo", "paygo"]
    assert preferred(b"a", {}) is None
