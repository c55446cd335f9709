"""What accounts must hold, from ledger rows alone: how a lost account is made again."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from app.domain.call.errand import MEASURING
from app.domain.ledger.ledger_row import CHARGED, LedgerRow, RowKind
from app.domain.quota.limit import MEASURED, SPILLED, Measure, scope_of
from app.domain.quota.reservation import Amounts

#: An account remembers for two days what was settled: a repetition is that far away at most.
_DAYS_REMEMBERED: Final = 3
#: Settlements whose answers may have been lost with the account: each worker has a hundred of a
#: tenant under way at most, and repeats those before it sends others.
_LATEST: Final = 5000
#: Rows of what was reserved and settled, be it with nothing.
_SETTLED: Final = CHARGED | {RowKind.RELEASED}

Totals = Mapping[str, Amounts]


@dataclass(frozen=True, slots=True)
class Balances:
    """Committed totals of one tenant, by name of the window, then by scope.

    `latest` are the ids that were settled last. `hours` are those in which something was spilled,
    and have that scope alone.
    """

    days: Mapping[str, Totals]
    months: Mapping[str, Totals]
    latest: tuple[str, ...] = ()
    hours: Mapping[str, Totals] = field(default_factory=dict)


def balances(rows: Iterable[LedgerRow], days: Collection[str], months: Collection[str]) -> Balances:
    """What these days (YYYY-MM-DD) and months (YYYY-MM) hold; every one is there, even if empty.

    `rows` are one tenant's, in the archive's order, from at least the first of the days and months.
    """
    by_day = {name: _Scopes() for name in days}
    by_month = {name: _Scopes() for name in months}
    by_hour: defaultdict[str, _Scopes] = defaultdict(_Scopes)
    latest: deque[str] = deque(maxlen=_LATEST)
    for row in charged_once(rows):
        if row.kind in _SETTLED:
            latest.append(row.id)
        for scopes in (by_day.get(row.day), by_month.get(row.month)):
            if scopes is not None:
                scopes.add(row, _scopes(row))
        if row.spilled and row.hour and row.day in by_day:
            by_hour[row.hour].add(row, (SPILLED,))
    return Balances(
        {name: scopes.totals() for name, scopes in by_day.items()},
        {name: scopes.totals() for name, scopes in by_month.items()},
        tuple(latest),
        {name: scopes.totals() for name, scopes in by_hour.items()},
    )


def charged_once(rows: Iterable[LedgerRow]) -> Iterator[LedgerRow]:
    """The rows, without those that charge an id again.

    A Redis that lost its last moments forgets that a request was settled, and lets it be settled
    again; the archive then has both rows.
    """
    seen: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        if row.kind in CHARGED:
            identity = (row.tenant, row.id)
            if any(identity in ids for ids in seen.values()):
                continue
            _remember(seen, row.day, identity)
        yield row


def fields_of(totals: Totals) -> dict[str, int]:
    """Totals as `MEASURE:SCOPE`, zeros left out: how an account names them."""
    return {
        f"{measure}:{scope}": amounts.of(measure)
        for scope, amounts in totals.items()
        for measure in Measure
        if amounts.of(measure)
    }


class _Scopes:
    """Sums by scope, in numbers that can be changed."""

    def __init__(self) -> None:
        self._sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])

    def add(self, row: LedgerRow, names: Iterable[str]) -> None:
        charged = row.charged
        for scope in names:
            sums = self._sums[scope]
            sums[0] += charged.requests
            sums[1] += charged.tokens
            sums[2] += charged.nano_usd

    def totals(self) -> Totals:
        return {scope: Amounts(*sums) for scope, sums in self._sums.items()}


def _scopes(row: LedgerRow) -> set[str]:
    """All that the row counts in; without a key or a model, those that are left."""
    scopes = {
        scope_of(),
        scope_of(row.key_id),
        scope_of(model=row.model),
        scope_of(row.key_id, row.model),
    }
    if row.spilled:
        scopes.add(SPILLED)
    if row.errand in MEASURING:
        scopes.add(MEASURED)
    return scopes


def _remember(seen: dict[str, set[tuple[str, str]]], day: str, identity: tuple[str, str]) -> None:
    if day not in seen:
        seen[day] = set()
        for old in sorted(seen)[:-_DAYS_REMEMBERED]:
            del seen[old]
    if day in seen:
        seen[day].add(identity)
