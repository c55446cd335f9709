"""A statement in a currency: every part is rounded so that the parts add up.

The whole is rounded once. Tenants (and what is kept central) get whole units of it by the largest
remainder, then the tags of a tenant of what that got, then the columns of a line. So a tenant owes
the same to the cent whoever asks, and by whatever it is broken down.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from app.domain.billing.apportion import apportioned
from app.domain.billing.currency import Currency
from app.domain.billing.spent import Part, Sums
from app.domain.billing.statement import Account, Statement

#: What a line's amounts are, in their order; they add up to what is owed.
AMOUNTS: Final = ("paygo", "spilled", "ptu_used", "ptu_idle", "other")

Key = tuple[str | None, ...]


@dataclass(slots=True)
class Line:
    """One line: its owner's values, what is owed in units and in nano-dollars, and for what."""

    key: Key
    units: list[int] = field(default_factory=lambda: [0] * len(AMOUNTS))
    nano_usd: list[int] = field(default_factory=lambda: [0] * len(AMOUNTS))
    parts: dict[Part, Sums] = field(default_factory=lambda: defaultdict(Sums))

    @property
    def owed(self) -> int:
        """In the currency's smallest unit."""
        return sum(self.units)

    @property
    def owed_nano_usd(self) -> int:
        return sum(self.nano_usd)

    def add(self, account: Account, units: int) -> None:
        """An account that owes so many units."""
        for place, part in enumerate(apportioned(units, account.amounts)):
            self.units[place] += part
            self.nano_usd[place] += account.amounts[place]
        for each, sums in account.parts.items():
            _add(self.parts[each], sums)


@dataclass(frozen=True, slots=True)
class Bill:
    """`central` units are nobody's; None of a bill of one tenant, who is not told."""

    statement: Statement
    currency: Currency
    lines: tuple[Line, ...]
    central: int | None

    @property
    def total(self) -> Line:
        """All lines together, without what is kept central."""
        total = Line(())
        for line in self.lines:
            for place, (units, nano_usd) in enumerate(zip(line.units, line.nano_usd, strict=True)):
                total.units[place] += units
                total.nano_usd[place] += nano_usd
            for part, sums in line.parts.items():
                _add(total.parts[part], sums)
        return total


def billed(
    stated: Statement,
    currency: Currency,
    key_of: Callable[[Account], Key],
    *,
    tenant: str | None = None,
) -> Bill:
    """The bill with a line for each key, in the order of the keys; of one tenant if asked."""
    by_tenant = [[*own] for _, own in groupby(stated.accounts, key=lambda each: each.owner.tenant)]
    owed = [sum(each.owed for each in own) for own in by_tenant]
    units = apportioned(currency.units(stated.owed), [*owed, stated.central])
    lines: dict[Key, Line] = {}
    for own, part in zip(by_tenant, units, strict=False):
        if tenant in {None, own[0].owner.tenant}:
            _add_tenant(lines, own, part, key_of)
    in_order = tuple(sorted(lines.values(), key=lambda line: _order(line.key)))
    return Bill(stated, currency, in_order, units[-1] if tenant is None else None)


def _add_tenant(
    lines: dict[Key, Line], own: Sequence[Account], units: int, key_of: Callable[[Account], Key]
) -> None:
    parts = apportioned(units, [each.owed for each in own])
    for account, part in zip(own, parts, strict=True):
        key = key_of(account)
        lines.setdefault(key, Line(key)).add(account, part)


def _add(to: Sums, sums: Sums) -> None:
    to.requests += sums.requests
    to.input += sums.input
    to.cached_input += sums.cached_input
    to.output += sums.output
    to.nano_usd += sums.nano_usd
    to.saved_nano_usd += sums.saved_nano_usd


def _order(key: Iterable[str | None]) -> tuple[tuple[bool, str], ...]:
    """Rows without a value last."""
    return tuple((value is None, value or "") for value in key)
