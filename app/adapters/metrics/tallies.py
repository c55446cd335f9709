"""Requests that are alike, added up until somebody looks.

A request counts in a dozen series. Those that are alike in all that these are labelled with are
added up in one place first, and counted there together; where each of them goes is found once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Final, NamedTuple

import msgspec

from app.adapters.metrics.instruments import Distribution
from app.domain.cache.outcome import CacheResult
from app.domain.capacity.shares import RequestClass
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.quota.usage import Usage
from app.domain.routing.deployment import Kind

#: Each token is of one of them.
TOKEN_TYPES: Final = ("input", "cached_input", "output", "reasoning")


class Alike(NamedTuple):
    """What of a request its counts are labelled with."""

    model: str | None
    tenant: str | None
    status: int | None
    deployment: str | None
    deployment_kind: Kind | None
    spill: SpillReason
    request_class: RequestClass | None
    cache: CacheResult
    cache_reason: str
    outcome: Outcome

    @property
    def is_well(self) -> bool:
        """Whether the answer was a success, and arrived whole."""
        status = self.status
        is_2xx = status is not None and 200 <= status < 300  # noqa: PLR2004  # 2xx
        return is_2xx and self.outcome is Outcome.FINISHED


class Tokens:
    """Tokens: all of the input, those of them that were cached, and the same of the output."""

    __slots__ = ("cached_input", "input", "output", "reasoning")

    def __init__(self) -> None:
        self.input = self.cached_input = self.output = self.reasoning = 0

    def add(self, usage: Usage) -> None:
        """More cached tokens than input are not believed, nor more of reasoning than output."""
        self.input += usage.input
        self.output += usage.output
        if usage.cached:
            self.cached_input += min(usage.cached, usage.input)
        if usage.reasoning:
            self.reasoning += min(usage.reasoning, usage.output)

    def by_type(self) -> list[tuple[str, int]]:
        """Each in one type; without those that there were none of."""
        cached, reasoning = self.cached_input, self.reasoning
        counts = (self.input - cached, cached, self.output - reasoning, reasoning)
        return [each for each in zip(TOKEN_TYPES, counts, strict=True) if each[1] > 0]


class Places(msgspec.Struct, frozen=True, gc=False):
    """Where requests that are alike count: under which labels, and in which histograms."""

    model: str
    tenant: str
    latency: Distribution | None  # None: they did not go well
    input: Distribution | None = None  # None: nobody served them
    output: Distribution | None = None


class Tally:
    """What requests came to together: all, those that reserved anything, and what they cost."""

    __slots__ = ("alike", "nano_usd", "places", "requests", "reserved", "tokens")

    def __init__(self, alike: Alike, places: Places) -> None:
        self.alike = alike
        self.places = places
        self.requests = self.reserved = self.nano_usd = 0
        self.tokens = Tokens()


class Tallies:
    """By what requests have in common."""

    def __init__(self, places_of: Callable[[Alike], Places]) -> None:
        self._tallies: dict[tuple[Hashable, ...], Tally] = {}
        self._places_of = places_of

    def __len__(self) -> int:
        return len(self._tallies)

    def add(self, receipt: Receipt) -> Places:
        """Add one request to those that it is like; where they count."""
        plan, cache = receipt.plan, receipt.cache
        load = None if plan is None else plan.load
        alike = (  # in the order of Alike
            receipt.model,
            receipt.tenant,
            receipt.status,
            receipt.deployment,
            receipt.deployment_kind,
            receipt.spill,
            None if load is None else load.claim.request_class,
            cache.result,
            cache.reason,
            receipt.outcome,
        )
        tally = self._tallies.get(alike) or self._begun(Alike(*alike))
        places = tally.places
        tally.requests += 1
        if receipt.reservation is not None:
            tally.reserved += 1
            usage = receipt.usage
            if usage is not None and places.input is not None and places.output is not None:
                tally.nano_usd += receipt.nano_usd
                tally.tokens.add(usage)
                if usage.input or usage.output:
                    places.input.later(usage.input)
                    places.output.later(usage.output)
        return places

    def _begun(self, alike: Alike) -> Tally:
        tally = self._tallies[alike] = Tally(alike, self._places_of(alike))
        return tally

    def take(self) -> Sequence[Tally]:
        """All of them; they begin anew."""
        taken, self._tallies = self._tallies, {}
        return [*taken.values()]


def disjoint(usage: Usage) -> list[tuple[str, int]]:
    """The tokens of one request, by type."""
    tokens = Tokens()
    tokens.add(usage)
    return tokens.by_type()
