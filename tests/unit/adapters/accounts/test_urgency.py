"""What is told at one look of a settlement is what is found by looking at each of its limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.adapters.accounts.urgency import Urgency
from app.adapters.redis.account import Settlement
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import Kind, LimitName, LimitRule, Measure, limit_of
from app.domain.quota.reservation import Amounts, Ask, Charge, Part, Reservation

DAYS, MONTHS = days_around(0.0), months_around(0.0)
LIMITS = tuple(
    limit_of(LimitRule(name, amount), 0.0)
    for name, amount in (
        (LimitName.RPM, 1000),
        (LimitName.TPM, 100_000),
        (LimitName.CONCURRENCY, 100),
        (LimitName.USD_PER_DAY, 0.00001),
    )
)
#: Some of them; the same are the same object, as of requests that are alike.
SOME = [LIMITS[:count] for count in range(len(LIMITS) + 1)]


def settled(left: tuple[int, ...], amounts: Amounts, actual: Amounts) -> Settlement:
    """One that left so much of some of the limits, or degraded of none."""
    ask = Ask("r", "t", ("tenant",), amounts, SOME[len(left)], DAYS, MONTHS)
    return Settlement(Reservation(ask, "g", DAYS[1], MONTHS[1], left), Charge(actual, b"{}"))


def is_scarce(place: int, left: int, amounts: Amounts, actual: Amounts) -> bool:
    """Whether somebody may wait for what it gives back of one limit."""
    limit = LIMITS[place]
    if limit.measure is Measure.REQUESTS and limit.kind is not Kind.LIVE and actual.requests:
        return False
    needed = 1 if limit.measure is Measure.REQUESTS else amounts.of(limit.measure)
    return left <= max(64 * needed, 0.1 * limit.amount)


@given(
    lefts=st.lists(st.lists(st.integers(-10, 20_000), max_size=4), min_size=1, max_size=3),
    amounts=st.builds(Amounts, st.just(1), st.integers(0, 500), st.integers(0, 500)),
    actual=st.sampled_from([Amounts(), Amounts(1, 5, 5)]),
)
def test_what_frees_what_is_scarce_is_urgent(
    lefts: list[list[int]], amounts: Amounts, actual: Amounts
) -> None:
    """Of several that have limits in common, too."""
    urgency = Urgency()
    for left in lefts:
        scarce = any(is_scarce(place, each, amounts, actual) for place, each in enumerate(left))
        assert urgency.is_urgent(settled(tuple(left), amounts, actual)) is scarce


def test_neither_rows_alone_nor_parts_of_leases_are() -> None:
    """The first free nothing; of what is leased, much is left."""
    held = settled((0, 0, 0, 0), Amounts(1, 10, 10), Amounts()).reservation
    assert held is not None
    part = Reservation(held.ask, "g", DAYS[1], MONTHS[1], (0, 0, 0, 0), part=Part("lease", 1))
    assert not Urgency().is_urgent(Settlement(part, Charge(Amounts(), b"{}")))
    assert not Urgency().is_urgent(Settlement(None, Charge(Amounts(), b"{}")))
    assert Urgency().is_urgent(Settlement(held, Charge(Amounts(), b"{}")))
