"""What a simulated run came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import Final

from app.domain.quota.limit import NANO
from app.domain.quota.price import Price, Rates
from app.domain.quota.usage import Usage

#: gpt-4o, Global, US dollars per million tokens; see app/data/models.toml for the source.
PAYGO_RATES: Final = Rates(Fraction("2.5"), Fraction("1.25"), Fraction(10))
_P95: Final = 0.95


@dataclass(slots=True)
class Tally:
    """Sums over a run. Amounts of the PTU are input tokens as it weighs them.

    A request is judged at the moment at which it is, or would have been, at the PTU: kept back
    rightly if the true bucket would have refused it then, and wrongly if not.
    """

    requests: int = 0
    tokens: int = 0
    """Prompts and answers, wherever they were served."""
    spilled_tokens: int = 0
    admitted: int = 0
    refused: int = 0
    """Wasted round trips: each was sent to the PTU and then to pay-as-you-go."""
    kept_back_rightly: int = 0
    kept_back_wrongly: int = 0
    served: float = 0.0
    """The weight of what the gateway had served by the PTU."""
    foreign_served: float = 0.0
    messages: int = 0
    """Sent from a replica to all others."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run's sums, and what is made of them."""

    tally: Tally
    capacity: float
    """What the PTU could have drained from the first moment to the last arrival."""
    used: float
    """What it did drain by then, foreign traffic included, overestimates not."""
    bill: Usage
    """What pay-as-you-go served."""
    round_trip_s: float

    @property
    def utilization(self) -> float:
        return self.used / self.capacity

    @property
    def spilled(self) -> float:
        """The share of all tokens that pay-as-you-go served."""
        return self.tally.spilled_tokens / max(1, self.tally.tokens)

    @property
    def mean_wait_s(self) -> float:
        """What asking in vain added to the mean request."""
        return self.round_trip_s * self.tally.refused / max(1, self.tally.requests)

    @property
    def p95_wait_s(self) -> float:
        """The 95th percentile of it: a request waits for one round trip, or not at all."""
        many = self.tally.refused > (1.0 - _P95) * self.tally.requests
        return self.round_trip_s if many else 0.0

    @property
    def usd(self) -> float:
        """The pay-as-you-go bill; the PTU costs the same whatever it does."""
        return Price.of(PAYGO_RATES).charge(self.bill) / NANO

    @property
    def precision(self) -> float | None:
        """Of the requests kept back, the share that would have been refused; None without any."""
        kept = self.tally.kept_back_rightly + self.tally.kept_back_wrongly
        return self.tally.kept_back_rightly / kept if kept else None

    @property
    def recall(self) -> float | None:
        """Of the requests that were or would have been refused, the share kept back."""
        hopeless = self.tally.kept_back_rightly + self.tally.refused
        return self.tally.kept_back_rightly / hopeless if hopeless else None


def summed(outcomes: Sequence[Outcome]) -> Outcome:
    """All of them together: tokens and capacities of different deployments are added up.

    Of waits only the mean is one of all requests. Raises IndexError where there is none.
    """
    tallies = [each.tally for each in outcomes]
    names = [each.name for each in fields(Tally)]
    bills = [each.bill for each in outcomes]
    return Outcome(
        Tally(**{name: sum(getattr(tally, name) for tally in tallies) for name in names}),
        capacity=sum(each.capacity for each in outcomes),
        used=sum(each.used for each in outcomes),
        bill=Usage(
            input=sum(each.input for each in bills),
            cached=sum(each.cached for each in bills),
            output=sum(each.output for each in bills),
        ),
        round_trip_s=outcomes[0].round_trip_s,
    )
