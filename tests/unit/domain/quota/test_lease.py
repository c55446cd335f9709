"""How much may be taken ahead, and of what."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.lease import MOST, STRICT, is_leasable, leased
from app.domain.quota.limit import Limit, LimitName, LimitRule, Measure, limit_of, spill_limits
from app.domain.quota.reservation import Amounts, Ask
from tests.fakes.changed import replace

#: What was asked for in the last quarter of a second.
WANTED = Amounts(100, 50_000, 2_000_000)


def a_limit(name: LimitName, amount: float) -> Limit:
    return limit_of(LimitRule(name, amount), 0.0)


def asking(*limits: Limit) -> Ask:
    return Ask("r", "t", ("tenant",), Amounts(1), limits, days_around(0.0), months_around(0.0))


def test_all_that_is_wanted_where_much_is_left() -> None:
    """A fortieth of what is left is more."""
    limits = (a_limit(LimitName.TPM, 10_000_000), a_limit(LimitName.USD_PER_DAY, 100))
    left = (9_000_000, 80_000_000_000)
    assert leased(WANTED, limits, left, sharers=2) == WANTED


def test_a_fortieth_of_what_is_left_shared_by_all() -> None:
    """Of the limit that is nearest, and of the other measures as much as goes with it."""
    tpm = a_limit(LimitName.TPM, 4_000_000)
    found = leased(WANTED, (tpm,), (2_000_000,), sharers=2)
    assert found == Amounts(50, 25_000, 1_000_000)


@pytest.mark.parametrize("left", [0, 49_999])
def test_little_is_left_to_those_who_ask(left: int) -> None:
    """Below a twentieth of any limit each request asks for itself."""
    tpm, rpm = a_limit(LimitName.TPM, 1_000_000), a_limit(LimitName.RPM, 1_000_000)
    assert leased(WANTED, (rpm, tpm), (1_000_000, left), sharers=1) is None


def test_a_lease_for_a_few_is_not_worth_it() -> None:
    """A small limit is always strict."""
    rpm = a_limit(LimitName.RPM, 300)
    assert leased(WANTED, (rpm,), (300,), sharers=1) is None
    assert leased(WANTED, (rpm,), (320,), sharers=1) == Amounts(8, 4_000, 160_000)


AMOUNTS = st.integers(0, 10**6)


@given(
    wanted=st.builds(Amounts, st.integers(1, 10_000), AMOUNTS, AMOUNTS),
    rooms=st.lists(st.tuples(st.sampled_from(LimitName), AMOUNTS, AMOUNTS), max_size=4),
    sharers=st.integers(1, 64),
)
def test_never_more_than_wanted_nor_than_the_part(
    wanted: Amounts, rooms: list[tuple[LimitName, int, int]], sharers: int
) -> None:
    """Whatever is limited, and however often."""
    limits = tuple(a_limit(name, amount + 1) for name, amount, _ in rooms)
    left = tuple(left for *_, left in rooms)
    found = leased(wanted, limits, left, sharers)
    if found is None:
        return
    for measure in Measure:
        assert found.of(measure) <= wanted.of(measure)
    for limit, remaining in zip(limits, left, strict=True):
        assert remaining >= STRICT * limit.amount
        assert found.of(limit.measure) * sharers <= MOST * remaining


def test_what_can_be_taken_ahead() -> None:
    """Rates by the minute and budgets."""
    names = (LimitName.RPM, LimitName.TPM, LimitName.TOKENS_PER_DAY, LimitName.USD_PER_MONTH)
    assert is_leasable(asking(*(a_limit(name, 1000) for name in names)))
    assert is_leasable(asking())


@pytest.mark.parametrize(
    "limit",
    [
        pytest.param(a_limit(LimitName.CONCURRENCY, 1000), id="who runs now"),
        pytest.param(a_limit(LimitName.RPS, 1000), id="a window of a second"),
        pytest.param(spill_limits(100.0)[0], id="a spill budget"),
    ],
)
def test_what_cannot(limit: Limit) -> None:
    """It would be over before it is used, or held for what does not use it."""
    assert not is_leasable(asking(a_limit(LimitName.TPM, 1000), limit))


def test_what_measures_the_cache_asks_for_itself() -> None:
    """It has limits of its own, and comes seldom."""
    assert not is_leasable(replace(asking(), aside=True))
