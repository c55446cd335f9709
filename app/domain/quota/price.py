"""What tokens cost: exact prices, and whole nano-dollars (1e-9 USD), rounded up once a request.

An int of nano-dollars is exact in Python, and in a Lua script's doubles up to 9,007,199 USD
(2**53 nano-dollars).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import inf, lcm
from typing import Final, NamedTuple

import msgspec

from app.domain.quota.limit import NANO
from app.domain.quota.usage import Usage

UNPRICED: Final = "unpriced"
"""The flag of a cost whose price nobody knew, so that the maximum was taken."""

_MILLION: Final = 1_000_000
_MINUTES: Final = 60
_NO_FLAGS: Final[frozenset[str]] = frozenset()
_UNPRICED: Final = frozenset({UNPRICED})


class Rates(NamedTuple):
    """US dollars per million tokens, exact."""

    input: Fraction
    cached_input: Fraction
    output: Fraction


class PtuSize(NamedTuple):
    """What one PTU does: input tokens a minute, and how many of them other tokens weigh.

    Azure: provisioned throughput sizing page, 2026-05: normalised TPM is uncached input, plus
    cached input by its weight, plus output by its ratio.
    """

    input_tpm: Fraction
    cached_weight: Fraction
    output_ratio: Fraction


def reserved_rates(usd_per_hour: Fraction, size: PtuSize) -> Rates:
    """A PTU's hour, shared out over the tokens that it serves in one when it is full.

    The reserved cost of what ran, not of what stood idle: only a PTU that is always full charges
    out its whole price.
    """
    per_million = usd_per_hour * _MILLION / (size.input_tpm * _MINUTES)
    return Rates(per_million, per_million * size.cached_weight, per_million * size.output_ratio)


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars for every `per` tokens of a kind: whole numbers, so that sums are exact.

    Not `known`: nobody told the price and this is the most that is assumed.
    """

    input: int
    cached_input: int
    output: int
    per: int = 1
    known: bool = True

    @classmethod
    def of(cls, rates: Rates, *, known: bool = True) -> Price:
        """The same rates over their common denominator. Raises ValueError for one below zero."""
        if min(rates) < 0:
            raise ValueError("a price below zero")
        nano = [rate * NANO / _MILLION for rate in rates]
        per = lcm(*(rate.denominator for rate in nano))
        read, cached, made = (rate.numerator * (per // rate.denominator) for rate in nano)
        return cls(read, cached, made, per, known)

    def charge(self, usage: Usage) -> int:
        """Nano-dollars, rounded up once. More cached tokens than input are not believed."""
        read, cached, made = usage.input, usage.cached, usage.output
        if not 0 <= cached <= read or made < 0:
            read, made = max(0, read), max(0, made)
            cached = min(max(0, cached), read)
        units = (read - cached) * self.input + cached * self.cached_input + made * self.output
        return -(-units // self.per)

    def most(self, input_tokens: int, output_tokens: int) -> int:
        """The dearest charge for so many tokens, however many of the input are cached."""
        dearest = max(self.input, self.cached_input)
        return -(-(input_tokens * dearest + output_tokens * self.output) // self.per)


@dataclass(frozen=True, slots=True)
class PricePeriod:
    """A price and the Unix time, in seconds, from which it holds, until the next begins."""

    since: float
    price: Price


ALWAYS: Final = -inf
"""The beginning of a period that has none."""


class Cost(msgspec.Struct, frozen=True, gc=False):
    """What one request cost, and what there is to say about that."""

    nano_usd: int
    flags: frozenset[str] = _NO_FLAGS


class PricesInForce(NamedTuple):
    """Prices that hold from `since` on and before `until` (Unix times)."""

    prices: tuple[Price, ...]
    since: float
    until: float

    def bound(self, input_tokens: int, output_tokens: int) -> int:
        """The most that any of them charges for at most so many tokens."""
        return max([price.most(input_tokens, output_tokens) for price in self.prices])


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices by deployment, periods in the order of their beginning.

    `maximum` prices what has no price: a deployment that is not (or no longer) in the table, and
    any time before its first period.
    """

    periods: Mapping[str, tuple[PricePeriod, ...]]
    maximum: Price

    def price(self, deployment_name: str, at: float) -> Price:
        """The price that holds at a Unix time: of the periods that have begun, the newest."""
        periods = self.periods.get(deployment_name, ())
        if periods and periods[-1].since <= at:  # as nearly always
            return periods[-1].price
        for period in reversed(periods):
            if period.since <= at:
                return period.price
        return self.maximum

    def in_force(self, deployment_names: Iterable[str], at: float) -> PricesInForce:
        """All different prices of these at a Unix time, and for how long they are those."""
        names = tuple(deployment_names)
        moments = [each.since for name in names for each in self.periods.get(name, ())]
        return PricesInForce(
            tuple(dict.fromkeys(self.price(name, at) for name in names)) or (self.maximum,),
            max((moment for moment in moments if moment <= at), default=-inf),
            min((moment for moment in moments if moment > at), default=inf),
        )

    def cost(self, deployment_name: str, usage: Usage, at: float) -> Cost:
        """What `usage` costs there; flagged `unpriced` where nobody told the price."""
        price = self.price(deployment_name, at)
        return Cost(price.charge(usage), _NO_FLAGS if price.known else _UNPRICED)

    def bound(
        self, deployment_names: Iterable[str], input_tokens: int, output_tokens: int, at: float
    ) -> int:
        """The most that any of them would charge at that time for at most so many tokens.

        It covers a cost of the same `at` alone: a price may rise at midnight.
        """
        return self.in_force(deployment_names, at).bound(input_tokens, output_tokens)
