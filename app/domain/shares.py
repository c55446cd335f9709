"""Who may use how much of a provisioned deployment while more is asked of it than it can do.

Each tenant that asks is entitled to a part of the capacity: its guarantee, and by its weight a part
of what is guaranteed to nobody who asks. What it is entitled to and does not take is kept free for
it for a few seconds (its credit); the rest is lent to whoever comes. A tenant whose credit is used
up must leave the others' room, so an owner that comes back has its part within these seconds, and
the deployment is never idle while anybody asks. Lower classes leave room to higher ones that ask.

Amounts are seconds of the deployment's capacity, so a tenant entitled to 0.3 earns 0.3 a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

#: For how long a tenant's part is kept free, in seconds of that part.
CREDIT_S: Final = 20.0
#: How far a tenant is pushed back at most for having taken more: what was idle is no debt.
DEBT_S: Final = 5.0
#: A tenant that has not asked for so long has no claim.
ACTIVE_S: Final = 5.0
#: What each class leaves free for every higher one that asks.
CLASS_STEP_S: Final = 2.0
#: Entitlements change when tenants come and go; they are worked out anew at most so often.
_REFRESH_S: Final = 0.1


class RequestClass(IntEnum):
    """Who spills first: the lowest."""

    BATCH = 0
    STANDARD = 1
    INTERACTIVE = 2
    CRITICAL = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """What a tenant may claim: `guarantee` is a part of each deployment, 0 to 1."""

    tenant: str
    guarantee: float = 0.0
    weight: float = 1.0
    request_class: RequestClass = RequestClass.STANDARD


class _Account:
    """One tenant's credit."""

    __slots__ = ("asked_at", "claim", "credit", "part")

    def __init__(self, claim: Claim, now: float) -> None:
        self.claim = claim
        self.asked_at = now
        self.part = claim.guarantee
        self.credit = CREDIT_S * claim.guarantee


class Shares:
    """The tenants of one deployment, as one replica knows them; `now` never runs backwards."""

    __slots__ = ("_accounts", "_classes", "_owed", "_refreshed")

    def __init__(self, now: float) -> None:
        self._accounts: dict[str, _Account] = {}
        self._classes: dict[RequestClass, float] = {}
        self._owed = 0.0
        self._refreshed = now

    def asked(self, claim: Claim, now: float, pace: float = 1.0) -> None:
        """A tenant asks: it has a claim for the next seconds. `pace` is earned a second by all."""
        self._classes[claim.request_class] = now
        account = self._accounts.get(claim.tenant)
        if account is not None and account.claim == claim:
            account.asked_at = now
            if now - self._refreshed >= _REFRESH_S:
                self._refresh(now, pace)
            return
        if account is None:
            self._refresh(now, pace)
            self._accounts[claim.tenant] = _Account(claim, now)
        else:
            account.claim, account.asked_at = claim, now
        self._entitle()

    def headroom(self, claim: Claim, now: float) -> float:
        """What this tenant must leave free for others now."""
        higher = sum(
            now - asked_at < ACTIVE_S
            for request_class, asked_at in self._classes.items()
            if request_class > claim.request_class
        )
        room = higher * CLASS_STEP_S
        account = self._accounts.get(claim.tenant)
        if account is None:
            return room + self._owed
        return room if account.credit > 0 else room + self._owed

    def took(self, tenant: str, seconds: float) -> None:
        """A tenant took so much; below zero, it gave back."""
        account = self._accounts.get(tenant)
        if account is None:
            return
        before = max(0.0, account.credit)
        most = CREDIT_S * account.part
        account.credit = min(most, max(-DEBT_S, account.credit - seconds))
        self._owed += max(0.0, account.credit) - before

    def parts(self) -> dict[str, float]:
        """By tenant, the part of the capacity that it is entitled to now."""
        return {tenant: account.part for tenant, account in self._accounts.items()}

    def _refresh(self, now: float, pace: float) -> None:
        passed, self._refreshed = now - self._refreshed, now
        gone = [
            tenant
            for tenant, account in self._accounts.items()
            if now - account.asked_at >= ACTIVE_S
        ]
        for tenant in gone:
            del self._accounts[tenant]
        for account in self._accounts.values():
            earned = account.credit + account.part * passed * pace
            account.credit = min(CREDIT_S * account.part, earned)
        if gone:
            self._entitle()
        else:
            self._owed = self._owed_now()

    def _entitle(self) -> None:
        """Guarantees first, in proportion where there are too many; the rest by weight."""
        accounts = self._accounts.values()
        guaranteed = sum(account.claim.guarantee for account in accounts)
        weights = sum(account.claim.weight for account in accounts) or 1.0
        scale, rest = 1 / max(1.0, guaranteed), max(0.0, 1 - guaranteed)
        for account in accounts:
            claim = account.claim
            account.part = claim.guarantee * scale + rest * claim.weight / weights
        self._owed = self._owed_now()

    def _owed_now(self) -> float:
        return sum(max(0.0, account.credit) for account in self._accounts.values())
