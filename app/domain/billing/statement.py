"""A month's statement: what everybody owes, with the PTUs' fixed cost shared out.

The ledger prices a PTU's requests by the hour that they took of it, which leaves out what stood
idle. A statement takes what the PTUs really cost instead: by use, and what was idle by a rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import Any

from app.domain.billing.apportion import apportioned
from app.domain.billing.purchase import Purchase
from app.domain.billing.spent import Owner, Part, Parts, Spent, Sums
from app.domain.quota.calendar import CalendarWindow


class IdleRule(StrEnum):
    """Who owes for what PTUs could have served and did not; a closed set."""

    SHARE = "share"  # each tenant by its guaranteed share; what nobody has is kept central
    USE = "use"  # as the used part; all of it is kept central where nothing was used
    CENTRAL = "central"  # nobody


@dataclass(frozen=True, slots=True)
class Terms:
    """How a month is billed: PTUs, who has which share of each guaranteed, and the rule.

    It is billed up to `until` (Unix seconds), where it is not over.
    """

    month: CalendarWindow
    until: float
    purchases: tuple[Purchase, ...] = ()
    idle: IdleRule = IdleRule.SHARE
    shares: Mapping[str, Mapping[str, Fraction]] = field(default_factory=dict)
    """By deployment, then by tenant: the guaranteed part, 0 to 1."""
    tags: int = 0
    """How many tags' values an owner has."""


@dataclass(frozen=True, slots=True)
class PtuBill:
    """One deployment's PTUs. `used` and `idle` add up to what they cost; `central` is of `idle`.

    `capacity` and `work` are input tokens' worth; None: nobody knows how much it could have served.
    `charged` is what its requests were charged in the ledger.
    """

    purchase: Purchase
    cost: int
    used: int
    idle: int
    central: int
    charged: int
    capacity: Fraction | None
    work: Fraction


@dataclass(frozen=True, slots=True)
class Account:
    """What one owner owes, nano-dollars; `parts` are its requests."""

    owner: Owner
    parts: Parts
    ptu_used: int = 0
    ptu_idle: int = 0

    @property
    def amounts(self) -> tuple[int, ...]:
        """Pay-as-you-go, spilled, PTUs used, PTUs idle, other; they add up to what is owed."""
        paygo, spilled = (self.spent(part) for part in (Part.PAYGO, Part.SPILLED))
        other = self.spent(Part.OTHER) + self.spent(Part.CACHED)
        return paygo, spilled, self.ptu_used, self.ptu_idle, other

    @property
    def owed(self) -> int:
        return sum(self.amounts)

    def spent(self, part: Part) -> int:
        """What the ledger charged for these."""
        return self.parts[part].nano_usd if part in self.parts else 0


@dataclass(frozen=True, slots=True)
class Statement:
    """All accounts in the order of their owners; `ledger` is all that was charged there.

    What is owed and central together is `ledger`, less what PTUs' requests were charged, and what
    the PTUs cost.
    """

    terms: Terms
    accounts: tuple[Account, ...]
    ptus: tuple[PtuBill, ...]
    ledger: int

    @property
    def central(self) -> int:
        """Idle PTUs that nobody owes for."""
        return sum(each.central for each in self.ptus)

    @property
    def owed(self) -> int:
        """All of it."""
        return sum(each.owed for each in self.accounts) + self.central


def statement(spent: Spent, terms: Terms) -> Statement:
    """Share out what the month's PTUs cost among those who were charged, and by the rule."""
    allocated = [_Allocation.of(each, spent, terms) for each in terms.purchases]
    owners = {*spent.parts, *(owner for each in allocated for owner in each.idle)}
    accounts = tuple(
        Account(
            owner,
            spent.parts.get(owner, {}),
            sum(each.used.get(owner, 0) for each in allocated),
            sum(each.idle.get(owner, 0) for each in allocated),
        )
        for owner in sorted(owners, key=lambda each: each.order)
    )
    return Statement(terms, accounts, tuple(each.bill for each in allocated), spent.nano_usd)


@dataclass(frozen=True, slots=True)
class _Allocation:
    """One deployment's PTUs, shared out."""

    used: Mapping[Owner, int]
    idle: Mapping[Owner, int]
    bill: PtuBill

    @classmethod
    def of(cls, purchase: Purchase, spent: Spent, terms: Terms) -> _Allocation:
        sums = spent.by_ptu.get(purchase.deployment, {})
        work = {owner: _work(sums[owner], purchase) for owner in sorted(sums, key=_order)}
        cost = purchase.nano_usd(terms.month, terms.until)
        capacity = purchase.capacity(terms.month, terms.until)
        done = sum(work.values(), Fraction(0))
        unused = max(Fraction(0), (done if capacity is None else capacity) - done)
        # Where nothing was done and could be, all of it stood idle.
        *used, idle = apportioned(cost, [*work.values(), unused if done + unused else 1])
        owed = _Idle(purchase, terms, work).shared_out(idle)
        charged = sum(each.nano_usd for each in sums.values())
        central = idle - sum(owed.values())
        bill = PtuBill(purchase, cost, cost - idle, idle, central, charged, capacity, done)
        return cls(dict(zip(work, used, strict=True)), owed, bill)


@dataclass(frozen=True, slots=True)
class _Idle:
    """What stood idle of one deployment; `work` is what its owners had done, in their order."""

    purchase: Purchase
    terms: Terms
    work: Mapping[Owner, Fraction]

    def shared_out(self, idle: int) -> dict[Owner, int]:
        """Who owes what of it; the rest is nobody's."""
        if self.terms.idle is IdleRule.USE and any(self.work.values()):
            parts = apportioned(idle, [*self.work.values()])
            return dict(zip(self.work, parts, strict=True))
        if self.terms.idle is IdleRule.SHARE:
            return self._by_share(idle)
        return {}

    def _by_share(self, idle: int) -> dict[Owner, int]:
        shares = self.terms.shares.get(self.purchase.deployment, {})
        tenants = sorted(name for name, share in shares.items() if share)
        guaranteed = [shares[name] for name in tenants]
        rest = max(Fraction(0), 1 - sum(guaranteed, Fraction(0)))
        parts = apportioned(idle, [*guaranteed, rest])
        owed: dict[Owner, int] = {}
        for tenant, part in zip(tenants, parts, strict=False):
            owed |= self._within(tenant, part)
        return owed

    def _within(self, tenant: str, part: int) -> dict[Owner, int]:
        """A tenant's part, by its use; without any it is owed by no tag's value."""
        own = {owner: work for owner, work in self.work.items() if owner.tenant == tenant}
        if not any(own.values()):
            return {Owner(tenant, self._untagged()): part}
        return dict(zip(own, apportioned(part, [*own.values()]), strict=True))

    def _untagged(self) -> tuple[None, ...]:
        return (None,) * self.terms.tags


def _work(sums: Sums, purchase: Purchase) -> Fraction:
    """Input tokens' worth, as the PTU weighs them; plain tokens where nobody knows how."""
    if purchase.size is None:
        return Fraction(sums.tokens)
    cached = min(sums.cached_input, sums.input)
    weighed = cached * purchase.size.cached_weight + sums.output * purchase.size.output_ratio
    return sums.input - cached + weighed


def _order(owner: Owner) -> tuple[Any, ...]:
    return owner.order
