"""Requests that are alike, added up until somebody looks.

A request counts in a dozen series. Those that are alike in all that these are labelled with are
added up in one place first, and counted there together. There are no more different ones than
labels allow, whether anybody looks or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from app.domain.cache.outcome import CacheResult
from app.domain.capacity.shares import RequestClass
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.quota.usage import Usage
from app.domain.routing.deployment import Kind

#: Each token is of one of them.
TOKEN_TYPES: Final = ("input", "cached_input", "output", "reasoning")


class Alike(msgspec.Struct, frozen=True, gc=False):
    """What of a request its counts are labelled with; `model` and `tenant` are labels."""

    model: str
    tenant: str
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
    """Tokens by type, each counted once and in one type."""

    __slots__ = ("cached_input", "input", "output", "reasoning")

    def __init__(self) -> None:
        self.input = self.cached_input = self.output = self.reasoning = 0

    def add(self, usage: Usage) -> None:
        """More cached tokens than input are not believed, nor more of reasoning than output."""
        cached, reasoning = usage.cached, usage.reasoning
        if cached:
            cached = min(cached, usage.input)
            self.cached_input += cached
        if reasoning:
            reasoning = min(reasoning, usage.output)
            self.reasoning += reasoning
        self.input += usage.input - cached
        self.output += usage.output - reasoning

    def by_type(self) -> list[tuple[str, int]]:
        """Without those that there were none of."""
        counts = (self.input, self.cached_input, self.output, self.reasoning)
        return [each for each in zip(TOKEN_TYPES, counts, strict=True) if each[1] > 0]


class Tally:
    """What requests came to together: all, those that reserved anything, and what they cost."""

    __slots__ = ("is_well", "nano_usd", "requests", "reserved", "tokens")

    def __init__(self, alike: Alike) -> None:
        self.is_well = alike.is_well
        self.requests = self.reserved = self.nano_usd = 0
        self.tokens = Tokens()


class Tallies:
    """By what requests have in common."""

    def __init__(self) -> None:
        self._tallies: dict[Alike, Tally] = {}

    def add(self, receipt: Receipt, model: str, tenant: str) -> Tally:
        """Add one request to those that it is like."""
        plan, cache, usage = receipt.plan, receipt.cache, receipt.usage
        load = None if plan is None else plan.load
        alike = Alike(
            model,
            tenant,
            receipt.status,
            receipt.deployment,
            receipt.deployment_kind,
            receipt.spill,
            None if load is None else load.claim.request_class,
            cache.result,
            cache.reason,
            receipt.outcome,
        )
        tally = self._tallies.get(alike)
        if tally is None:
            tally = self._tallies[alike] = Tally(alike)
        tally.requests += 1
        if receipt.reservation is not None:
            tally.reserved += 1
            if usage is not None and receipt.deployment is not None:
                tally.tokens.add(usage)
                tally.nano_usd += receipt.nano_usd
        return tally

    def take(self) -> Iterable[tuple[Alike, Tally]]:
        """All of them; they begin anew."""
        taken, self._tallies = self._tallies, {}
        return taken.items()


def disjoint(usage: Usage) -> list[tuple[str, int]]:
    """The tokens of one request, by type."""
    tokens = Tokens()
    tokens.add(usage)
    return tokens.by_type()
