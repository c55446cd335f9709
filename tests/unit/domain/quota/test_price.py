"""What tokens cost."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.quota.price import (
    ALWAYS,
    Cost,
    Price,
    PricePeriod,
    PriceTable,
    PtuSize,
    Rates,
    reserved_rates,
)
from app.domain.quota.usage import Usage

GPT_4O = Rates(Fraction("2.5"), Fraction("1.25"), Fraction(10))
MAXIMUM = Price.of(Rates(Fraction(15), Fraction(15), Fraction(60)), known=False)
THIRDS = Rates(Fraction(20, 3), Fraction(0), Fraction(80, 3))

tokens = st.integers(0, 10_000_000)
dollars = st.fractions(min_value=0, max_value=1000, max_denominator=10**6)
rates = st.builds(Rates, dollars, dollars, dollars)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    read = draw(tokens)
    return Usage(input=read, cached=draw(st.integers(0, read)), output=draw(tokens))


def table(**periods: list[tuple[float, Rates]]) -> PriceTable:
    made = {
        name: tuple(PricePeriod(since, Price.of(each)) for since, each in listed)
        for name, listed in periods.items()
    }
    return PriceTable(made, MAXIMUM)


def exactly(price: Rates, usage: Usage) -> Fraction:
    """Nano-dollars by the book, in fractions from end to end."""
    read, cached, made = (rate * 1000 for rate in price)
    return (usage.input - usage.cached) * read + usage.cached * cached + usage.output * made


def test_cached_tokens_are_part_of_input_and_reasoning_of_output() -> None:
    """Each token is paid for once: 600 at 2,500, 400 at 1,250 and 100 at 10,000 nano-dollars."""
    usage = Usage(input=1000, cached=400, output=100, reasoning=70)
    cost = table(paygo=[(ALWAYS, GPT_4O)]).cost("paygo", usage, 0)
    assert cost == Cost(600 * 2500 + 400 * 1250 + 100 * 10_000)


def test_a_request_is_rounded_up_once() -> None:
    """Three tokens of a third of a nano-dollar cost one, and so does a single one."""
    price = Price.of(Rates(*[Fraction(1, 3000)] * 3))
    assert price.charge(Usage(input=2, cached=1, output=1)) == 1
    assert price.charge(Usage(input=1)) == 1
    assert price.charge(Usage(input=2, output=2)) == 2
    assert price.charge(Usage()) == 0


@pytest.mark.parametrize(
    ("usage", "like"),
    [
        (Usage(input=10, cached=50), Usage(input=10, cached=10)),
        (Usage(input=-10, cached=-5, output=-1), Usage()),
        (Usage(input=10, cached=-5), Usage(input=10)),
    ],
)
def test_counts_that_cannot_be_are_not_believed(usage: Usage, like: Usage) -> None:
    """No upstream's mistake pays a tenant back."""
    price = Price.of(GPT_4O)
    assert price.charge(usage) == price.charge(like)


def test_what_nobody_priced_costs_the_maximum_and_says_so() -> None:
    """A deployment out of the table, a time before its first price, and a price not known."""
    guessed = PriceTable({"guess": (PricePeriod(ALWAYS, MAXIMUM),)}, MAXIMUM)
    later = table(later=[(100, GPT_4O)])
    usage = Usage(input=2, output=1)
    most = Cost(2 * 15_000 + 60_000, frozenset({"unpriced"}))
    assert guessed.cost("guess", usage, 0) == guessed.cost("gone", usage, 0) == most
    assert later.cost("later", usage, 99) == most
    assert not later.cost("later", usage, 100).flags


def test_the_newest_price_that_has_begun_holds() -> None:
    """From its very second on."""
    one, two, three = (Rates(Fraction(n), Fraction(n), Fraction(n)) for n in (1, 2, 3))
    prices = table(d=[(ALWAYS, one), (100, two), (200, three)])
    at = {
        time: prices.cost("d", Usage(input=1), time).nano_usd for time in (0, 99.9, 100, 199, 200)
    }
    assert at == {0: 1000, 99.9: 1000, 100: 2000, 199: 2000, 200: 3000}


def test_an_hour_of_a_full_ptu_costs_its_price_whatever_filled_it() -> None:
    """A gpt-4o PTU at a dollar an hour: 150,000 input tokens, or 37,500 output tokens."""
    hour = reserved_rates(Fraction(1), PtuSize(Fraction(2500), Fraction(0), Fraction(4)))
    assert hour == THIRDS
    for usage in (Usage(input=150_000), Usage(output=37_500), Usage(input=30_000, output=30_000)):
        assert Price.of(hour).charge(usage) == 1_000_000_000
    assert Price.of(hour).charge(Usage(input=9000, cached=9000)) == 0


def test_a_cached_token_has_the_weight_that_its_model_gives_it() -> None:
    """GPT-6 counts a tenth of it."""
    size = PtuSize(Fraction(3000), Fraction("0.1"), Fraction(5))
    priced = reserved_rates(Fraction(1), size)
    assert priced.cached_input == priced.input / 10
    assert priced.output == priced.input * 5


def test_a_price_below_zero_is_refused() -> None:
    """Nobody is paid for asking."""
    with pytest.raises(ValueError, match="below zero"):
        Price.of(Rates(Fraction(1), Fraction(-1), Fraction(1)))


def test_the_bound_is_that_of_the_dearest_deployment() -> None:
    """Of one that nobody knows the price of too, and of none at all."""
    prices = table(ptu=[(ALWAYS, THIRDS)], paygo=[(ALWAYS, GPT_4O)])
    assert prices.bound(["paygo"], 1000, 100, 0) == 1000 * 2500 + 100 * 10_000
    assert prices.bound(["ptu", "paygo"], 1000, 0, 0) == 6_666_667
    assert prices.bound(iter(["ptu", "gone"]), 1, 1, 0) == 75_000
    assert prices.bound([], 1, 1, 0) == 75_000


def test_a_bound_holds_where_cached_input_is_dearer() -> None:
    """Nobody sells that; an override may say it."""
    price = Price.of(Rates(Fraction(1), Fraction(2), Fraction(0)))
    assert price.most(10, 0) == price.charge(Usage(input=10, cached=10)) == 20_000


@given(rates, usages())
def test_nothing_is_lost_to_floating_point(price: Rates, usage: Usage) -> None:
    """A charge is the exact amount, rounded up."""
    assert Price.of(price).charge(usage) == ceil(exactly(price, usage))


@given(rates, usages(), tokens, tokens)
def test_more_tokens_never_cost_less(price: Rates, usage: Usage, read: int, made: int) -> None:
    """More input, more output, or fewer of the input cached where that is the cheaper kind."""
    charge = Price.of(price).charge
    more = Usage(usage.input + read, usage.cached, usage.output + made)
    assert charge(more) >= charge(usage)
    uncached = Usage(usage.input, 0, usage.output)
    assert (charge(uncached) >= charge(usage)) or price.cached_input > price.input


@given(st.lists(rates, min_size=1, max_size=4), usages(), tokens, tokens)
def test_no_usage_within_a_bound_costs_more(
    each: list[Rates], usage: Usage, read: int, made: int
) -> None:
    """What was reserved is enough, whichever deployment serves."""
    names = [f"d{number}" for number in range(len(each))]
    prices = table(**{name: [(ALWAYS, one)] for name, one in zip(names, each, strict=True)})
    bound = prices.bound(names, usage.input + read, usage.output + made, 0)
    assert all(prices.cost(name, usage, 0).nano_usd <= bound for name in names)


@given(st.lists(rates, min_size=1, max_size=4), tokens, tokens)
def test_a_bound_is_no_more_than_somebody_may_charge(
    each: list[Rates], read: int, made: int
) -> None:
    """Nothing is reserved that no usage could cost: a quota is not starved."""
    names = [f"d{number}" for number in range(len(each))]
    prices = table(**{name: [(ALWAYS, one)] for name, one in zip(names, each, strict=True)})
    usages = (Usage(read, 0, made), Usage(read, read, made))
    costs = [prices.cost(name, usage, 0).nano_usd for name in names for usage in usages]
    assert prices.bound(names, read, made, 0) == max(costs)
