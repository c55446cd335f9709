"""Usage from ledger rows: which of them, grouped by what, and their sums."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Final

from app.domain.ledger.accounts_of import charged_once
from app.domain.ledger.ledger_row import LedgerRow, RowKind

TAG: Final = "tag:"

Value = str | None


def _hour(row: LedgerRow) -> str:
    return f"{datetime.fromtimestamp(row.at, UTC):%Y-%m-%dT%H:00Z}"


DIMENSIONS: Final[Mapping[str, Callable[[LedgerRow], Value]]] = {
    "tenant": lambda row: row.tenant,
    "key_id": lambda row: row.key_id,
    "model": lambda row: row.model,
    "deployment": lambda row: row.deployment,
    "deployment_kind": lambda row: row.deployment_kind,
    "operation": lambda row: row.operation,
    "outcome": lambda row: row.outcome,
    "status": lambda row: None if row.status is None else str(row.status),
    "error": lambda row: row.error,
    "spill": lambda row: row.spill,
    "cache": lambda row: row.cache,
    "errand": lambda row: row.errand or None,  # the gateway's own requests
    "kind": lambda row: row.kind.value,
    "day": lambda row: row.day,  # in the tenant's time zone, as charged
    "month": lambda row: row.month,
    "hour": _hour,  # UTC
}


class UnknownDimension(ValueError):
    """Usage cannot be grouped or filtered by this."""

    def __init__(self, name: str) -> None:
        known = ", ".join(DIMENSIONS)
        super().__init__(f"{name!r} is no dimension of usage; those are {known} and tag:<name>")


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Rows with `since <= at < until` (Unix seconds; None: open) and one of the given values.

    Raises UnknownDimension when made with one.
    """

    group_by: tuple[str, ...] = ()
    since: float | None = None
    until: float | None = None
    where: Mapping[str, frozenset[Value]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (*self.group_by, *self.where):
            dimension(name)

    def matches(self, row: LedgerRow) -> bool:
        """Whether the row is asked for."""
        return within(row, self.since, self.until) and all(
            dimension(name)(row) in values for name, values in self.where.items()
        )


@dataclass(frozen=True, slots=True)
class UsageSums:
    """Sums over rows; `requests` are those charged, `estimated` and `unpriced` some of them.

    Tokens are as in a row: `cached_input` is part of `input`, `reasoning` of `output`. What
    answers from the cache would have cost is `saved_nano_usd`.
    """

    requests: int = 0
    released: int = 0
    expired: int = 0
    refused: int = 0
    input: int = 0
    cached_input: int = 0
    output: int = 0
    reasoning: int = 0
    nano_usd: int = 0
    estimated: int = 0
    unpriced: int = 0
    saved_nano_usd: int = 0


@dataclass(frozen=True, slots=True)
class UsageGroup:
    """Rows that have the same values in the dimensions grouped by."""

    values: Mapping[str, Value]
    usage: UsageSums


def dimension(name: str) -> Callable[[LedgerRow], Value]:
    """How a row's value is read; None where it has none. Raises UnknownDimension."""
    if name.startswith(TAG) and len(name) > len(TAG):
        tag = name.removeprefix(TAG)
        return lambda row: row.tags.get(tag)
    if name not in DIMENSIONS:
        raise UnknownDimension(name)
    return DIMENSIONS[name]


def within(row: LedgerRow, since: float | None, until: float | None) -> bool:
    """Whether the row is of this period; its end is not part of it."""
    return (since is None or since <= row.at) and (until is None or row.at < until)


def selected(rows: Iterable[LedgerRow], query: UsageQuery) -> Iterator[LedgerRow]:
    """The rows asked for, each charge once."""
    return filter(query.matches, charged_once(rows))


def grouped(rows: Iterable[LedgerRow], query: UsageQuery) -> list[UsageGroup]:
    """Sums by group, in the order of the groups' values; without dimensions one group."""
    readers = [dimension(name) for name in query.group_by]
    sums: dict[tuple[Value, ...], list[int]] = {}
    for row in selected(rows, query):
        key = tuple(reader(row) for reader in readers)
        _add(sums.setdefault(key, [0] * len(_SUMS)), row)
    if not readers:
        sums.setdefault((), [0] * len(_SUMS))
    return [
        UsageGroup(dict(zip(query.group_by, key, strict=True)), UsageSums(*numbers))
        for key, numbers in sorted(sums.items(), key=lambda item: _order(item[0]))
    ]


def _row_sums(row: LedgerRow) -> tuple[int, ...]:
    """One row's part of each sum, in the order of the fields of UsageSums."""
    charged = int(row.is_charged)
    return (
        row.charged.requests,
        int(row.kind is RowKind.RELEASED),
        int(row.kind is RowKind.EXPIRED),
        int(row.kind is RowKind.REFUSED),
        charged * row.input,
        charged * row.cached_input,
        charged * row.output,
        charged * row.reasoning,
        charged * row.nano_usd,
        charged * int("estimated" in row.flags),
        charged * int("unpriced" in row.flags),
        charged * row.saved_nano_usd,
    )


_SUMS: Final = tuple(sum_.name for sum_ in fields(UsageSums))


def _add(sums: list[int], row: LedgerRow) -> None:
    for index, amount in enumerate(_row_sums(row)):
        sums[index] += amount


def _order(key: tuple[Value, ...]) -> tuple[tuple[bool, str], ...]:
    """Rows without a value last."""
    return tuple((value is None, value or "") for value in key)
