"""A month's ledger, summed up by whom it is charged to and by what became of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from app.domain.cache.outcome import CacheResult
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.routing.deployment import Kind

#: Spilled because the PTUs had no room; other reasons are no matter of how many there are.
FULL: Final = frozenset(
    {
        SpillReason.THROTTLED,
        SpillReason.HELD,
        SpillReason.PREDICTED,
        SpillReason.SHARE,
        SpillReason.SIZE,
    }
)
_HITS: Final = frozenset({CacheResult.EXACT, CacheResult.SEMANTIC})


class Part(StrEnum):
    """What a charged request was; a closed set."""

    PAYGO = "paygo"
    SPILLED = "spilled"  # pay-as-you-go, for the PTUs were full
    PTU = "ptu"
    CACHED = "cached"
    OTHER = "other"  # by a deployment that is not there any more, or not known


class Owner(NamedTuple):
    """Whom a request is charged to: a tenant, and the values of the tags that were asked for."""

    tenant: str
    tags: tuple[str | None, ...] = ()

    @property
    def order(self) -> tuple[Any, ...]:
        """Those without a value last."""
        return (self.tenant, *((tag is None, tag or "") for tag in self.tags))


@dataclass(slots=True)
class Sums:
    """Of some requests; tokens as in a ledger row: `cached_input` is part of `input`."""

    requests: int = 0
    input: int = 0
    cached_input: int = 0
    output: int = 0
    nano_usd: int = 0
    saved_nano_usd: int = 0

    def add(self, row: LedgerRow) -> None:
        """A charged request, or what corrects one."""
        self.requests += row.charged.requests
        self.input += row.input
        self.cached_input += row.cached_input
        self.output += row.output
        self.nano_usd += row.nano_usd
        self.saved_nano_usd += row.saved_nano_usd

    @property
    def tokens(self) -> int:
        """All of them."""
        return self.input + self.output


Parts = Mapping[Part, Sums]


@dataclass(frozen=True, slots=True)
class Spent:
    """What was charged; `by_ptu` is that part of it that PTUs served, by deployment."""

    parts: Mapping[Owner, Parts] = field(default_factory=dict)
    by_ptu: Mapping[str, Mapping[Owner, Sums]] = field(default_factory=dict)

    @property
    def nano_usd(self) -> int:
        """What the ledger says was spent."""
        return sum(sums.nano_usd for parts in self.parts.values() for sums in parts.values())


@dataclass(frozen=True, slots=True)
class Sorting:
    """What decides which part a row is: deployments with PTUs, and models that have some."""

    ptus: Collection[str]
    spilling: Collection[str]

    def part(self, row: LedgerRow) -> Part:
        """The part."""
        if row.cache in _HITS:
            return Part.CACHED
        if row.deployment_kind == Kind.PTU:
            return Part.PTU if row.deployment in self.ptus else Part.OTHER
        if row.deployment_kind != Kind.PAYGO:
            return Part.OTHER
        return Part.SPILLED if row.spill in FULL and row.model in self.spilling else Part.PAYGO


def spent(rows: Iterable[LedgerRow], sorting: Sorting, tags: Sequence[str] = ()) -> Spent:
    """Sum up the rows, of which each charge is there once; others than charged are left out."""
    parts: dict[Owner, dict[Part, Sums]] = defaultdict(lambda: defaultdict(Sums))
    by_ptu: dict[str, dict[Owner, Sums]] = defaultdict(lambda: defaultdict(Sums))
    owner_of = _owner(tuple(tags))
    for row in rows:
        if not row.is_charged:
            continue
        owner, part = owner_of(row), sorting.part(row)
        parts[owner][part].add(row)
        if part is Part.PTU and row.deployment is not None:
            by_ptu[row.deployment][owner].add(row)
    return Spent(parts, by_ptu)


def _owner(tags: tuple[str, ...]) -> Callable[[LedgerRow], Owner]:
    if not tags:
        return lambda row: Owner(row.tenant)
    return lambda row: Owner(row.tenant, tuple(row.tags.get(tag) for tag in tags))
