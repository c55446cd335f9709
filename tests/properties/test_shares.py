"""Tenants that share a PTU get their parts of what it really did, with one replica and with three.

Over simulated minutes, from several seeds. Figures are parts of the whole capacity.
"""

from __future__ import annotations

from itertools import product

import pytest

from app.domain.capacity.shares import CREDIT_S, Claim
from tests.fakes.shared_ptu import Asks, SharedPtu, Tally

BIG, SMALL = Claim("big", 0.7), Claim("small", 0.3)
POINTS = 0.02
WARM, MINUTES = 3, 24
MEASURED = range(WARM, MINUTES)
#: One seed each time; the others in `make test-long`.
replicas_and_seeds = pytest.mark.parametrize(
    ("replicas", "seed"),
    [
        *product((1, 3), (1,)),
        *(pytest.param(*each, marks=pytest.mark.long) for each in product((1, 3), (2, 3))),
    ],
)
replicas_alone = pytest.mark.parametrize("replicas", [1, 3])


def played(*tenants: Asks, replicas: int, seed: int, minutes: int = MINUTES) -> Tally:
    return SharedPtu(tenants, replicas=replicas, seed=seed).run(minutes)


@replicas_and_seeds
@pytest.mark.parametrize("size_s", [0.15, 0.8], ids=["small", "large"])
@pytest.mark.parametrize("rate", [0.3, 0.6], ids=["its part", "more"])
def test_beside_a_flood_the_other_gets_its_part(
    rate: float, size_s: float, replicas: int, seed: int
) -> None:
    """Within two points of the lesser of its part and what it asks; the flooder gets the rest."""
    tally = played(Asks(BIG, 3, size_s), Asks(SMALL, rate, size_s), replicas=replicas, seed=seed)
    small, big = (tally.part(tenant, MEASURED) for tenant in ("small", "big"))
    due = min(0.3, tally.asked_part("small", MEASURED))
    assert due - POINTS <= small <= 0.3 + POINTS
    assert big == pytest.approx(1 - small, abs=POINTS)


@replicas_alone
def test_the_smaller_share_may_flood_as_well(replicas: int) -> None:
    """It gets what is left of the larger one's, and no more."""
    tally = played(Asks(BIG, 0.6), Asks(SMALL, 3), replicas=replicas, seed=4)
    asked = tally.asked_part("big", MEASURED)
    assert tally.part("big", MEASURED) == pytest.approx(asked, abs=POINTS)
    assert tally.part("small", MEASURED) == pytest.approx(1 - asked, abs=POINTS)


@replicas_alone
def test_who_asks_in_bursts_gets_its_part_over_all(replicas: int) -> None:
    """Twice its part for twenty seconds, then nothing for twenty: the silence is made up for."""
    bursts = Asks(SMALL, 0.6, on_s=20, off_s=20)
    tally = played(Asks(BIG, 3), bursts, replicas=replicas, seed=4)
    small = tally.part("small", MEASURED)
    due = min(0.3, tally.asked_part("small", MEASURED))
    assert due - POINTS <= small <= 0.3 + 2 * POINTS
    assert tally.part("big", MEASURED) == pytest.approx(1 - small, abs=POINTS)


@replicas_alone
def test_an_owner_that_was_away_has_its_part_within_ten_seconds(replicas: int) -> None:
    """Away for so long that all was lent, and the bucket filled to the brim."""
    away = CREDIT_S + 60
    back = Asks(SMALL, 0.3, on_s=60, off_s=away)
    tally = played(Asks(BIG, 3), back, replicas=replicas, seed=4, minutes=19)
    returns = range(180, 60 * 18, int(60 + away))
    early = [tally.between("small", second, second + 10) for second in returns]
    asked = [tally.asked_between("small", second, second + 10) for second in returns]
    assert sum(early) >= 0.8 * sum(asked)
    later = [tally.between("small", second + 10, second + 60) for second in returns]
    asked = [tally.asked_between("small", second + 10, second + 60) for second in returns]
    assert sum(later) >= 0.95 * sum(asked)


@replicas_and_seeds
@pytest.mark.parametrize(("every", "cap_s"), [(20, 60.0), (5, 10.0)], ids=["huge", "large"])
def test_who_gives_up_huge_requests_gains_nothing(
    every: int, cap_s: float, replicas: int, seed: int
) -> None:
    """Caps that are dropped at once: neither credit, nor holds that keep the owner out."""
    feints = Asks(Claim("feints"), 3, feint_every=every, feint_s=cap_s)
    tally = played(feints, Asks(BIG, 0.7), replicas=replicas, seed=seed, minutes=13)
    measured = range(WARM, 13)
    big = tally.part("big", measured)
    assert big >= min(0.7, tally.asked_part("big", measured)) - 2 * POINTS
    assert tally.part("feints", measured) == pytest.approx(1 - big, abs=POINTS)


@replicas_alone
def test_without_guarantees_weights_share(replicas: int) -> None:
    """Two floods of weights 3 and 1."""
    three, one = Claim("three", weight=3), Claim("one")
    tally = played(Asks(three, 3), Asks(one, 3), replicas=replicas, seed=4)
    assert tally.part("three", MEASURED) == pytest.approx(0.75, abs=POINTS)
    assert tally.part("one", MEASURED) == pytest.approx(0.25, abs=POINTS)


@pytest.mark.parametrize(
    ("size_s", "replicas"),
    [
        (0.15, 3),
        pytest.param(0.15, 1, marks=pytest.mark.long),
        *(pytest.param(*each, marks=pytest.mark.long) for each in product((0.02, 0.8), (1, 3))),
    ],
)
def test_without_guarantees_who_asks_for_little_gets_it_beside_a_flood(
    size_s: float, replicas: int
) -> None:
    """Within two points of what it asks, or four where requests are nearly a second each."""
    asks = [Asks(Claim("flood"), 3, size_s), Asks(Claim("little"), 0.3, size_s)]
    tally = played(*asks, replicas=replicas, seed=4, minutes=12)
    measured = range(WARM, 12)
    little = tally.part("little", measured)
    points = POINTS if size_s < 0.5 else 2 * POINTS  # seconds
    assert little >= tally.asked_part("little", measured) - points
    assert tally.part("flood", measured) == pytest.approx(1 - little, abs=POINTS)
