"""What a hedge costs its tenant: the one of two that lost has read the prompt, and is charged so.

A reservation covers one answer. What may be lost beside it is held by a reservation of its own, in
the same scopes and within the same budgets, before the second deployment is asked, so that a budget
stays exact; it counts in no rate and no concurrency. How much a deployment had written when it was
given up is not told: the prompt is charged, flagged `estimated`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from app.domain.call.errand import Purpose
from app.domain.ledger.ledger_row import LedgerRow, RowKind, encode
from app.domain.quota.limit import SPILLED
from app.domain.quota.price import PriceTable
from app.domain.quota.reservation import Amounts, Ask, Charge, Refusal, Reservation
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Attempt, spill_of
from app.errors import QuotaUnavailable
from app.observation import Observation
from app.ports import Accounts, Clock

_ESTIMATED: Final = "estimated"


class HedgeAccount:
    """Holds and charges what hedges cost."""

    def __init__(
        self,
        accounts: Accounts,
        prices: PriceTable,
        clock: Clock,
        *,
        new_id: Callable[[], str],
        charged: Callable[[LedgerRow], None] = lambda _row: None,
    ) -> None:
        """`new_id` names reservations, each unlike any other; `charged` is told of rows."""
        self._accounts = accounts
        self._prices = prices
        self._clock = clock
        self._new_id = new_id
        self._told = charged

    async def hold(
        self, observation: Observation, deployments: tuple[str, str], tier: int
    ) -> HedgeBill | None:
        """None where there is no room, or where nobody knows because the account is away."""
        principal, reservation = observation.principal, observation.reservation
        if principal is None or reservation is None or reservation.degraded:
            return None
        prompt = observation.demand.prompt if observation.demand else 0
        nano_usd = self._prices.bound(deployments, prompt, 0, observation.started_at)
        draft = self._row(observation, self._new_id(), RowKind.RELEASED)
        amounts = Amounts(1, prompt, nano_usd)
        ask = _beside(reservation.ask, amounts, draft, spilled=tier > 0)
        try:
            granted = await self._accounts.reserve(ask, principal.tenant)
        except QuotaUnavailable:
            return None
        if isinstance(granted, Refusal):
            return None
        bill = HedgeBill(self, granted, observation, prompt)
        if granted.degraded or not granted.may_spill:
            bill.release()
            return None
        return bill

    def settle(self, bill: HedgeBill, lost: Attempt | None) -> None:
        """Charge what was lost; None: nothing was."""
        observation, reservation = bill.observation, bill.reservation
        kind = RowKind.RELEASED if lost is None else RowKind.SETTLED
        row = self._row(observation, reservation.ask.id, kind)
        amounts, hour = reservation.ask.amounts, reservation.hour
        row = replace(
            row,
            flags=reservation.flags,
            day=reservation.day.name,
            hour=hour.name if hour else "",
            reserved_tokens=amounts.tokens,
            reserved_nano_usd=amounts.nano_usd,
        )
        if lost is not None:
            row = self._charged(row, lost, bill)
            self._told(row)
        self._accounts.settle(reservation, Charge(row.charged, encode(row), row.spilled))

    def _charged(self, row: LedgerRow, lost: Attempt, bill: HedgeBill) -> LedgerRow:
        observation, usage = bill.observation, Usage(input=bill.prompt)
        cost = self._prices.cost(lost.deployment, usage, observation.started_at)
        planned = observation.plan.absences if observation.plan else ()
        absences = (*planned, *observation.skipped)
        return replace(
            row,
            deployment=lost.deployment,
            deployment_kind=lost.kind,
            status=lost.status,
            spill=spill_of(lost.tier, observation.attempts, absences),
            input=usage.input,
            nano_usd=cost.nano_usd,
            flags=(_ESTIMATED, *row.flags, *sorted(cost.flags)),
            duration=lost.ended - lost.started,
            attempts=1,
        )

    def _row(self, observation: Observation, row_id: str, kind: RowKind) -> LedgerRow:
        principal, request = observation.principal, observation.request
        return LedgerRow(
            id=row_id,
            kind=kind,
            at=self._clock.unix(),
            tenant=principal.tenant.name if principal else "",
            request_id=observation.request_id,
            key_id=principal.key_id if principal else None,
            model=request.model if request else None,
            operation=request.operation.value if request else None,
            stream=True,
            tags=observation.ledger_tags,
            started_at=observation.started_at,
            errand=Purpose.HEDGE.value,
        )


@dataclass(slots=True)
class HedgeBill:
    """One hedge's, settled once."""

    account: HedgeAccount
    reservation: Reservation
    observation: Observation
    prompt: int
    is_settled: bool = False

    def charge(self, lost: Attempt) -> None:
        """Charge what it read."""
        self._settle(lost)

    def release(self) -> None:
        """Give it back, unless it is charged."""
        self._settle(None)

    def _settle(self, lost: Attempt | None) -> None:
        if not self.is_settled:
            self.is_settled = True
            self.account.settle(self, lost)


def _beside(ask: Ask, amounts: Amounts, draft: LedgerRow, *, spilled: bool) -> Ask:
    """The reservation's own ask, for another one beside it."""
    draft = replace(draft, reserved_tokens=amounts.tokens, reserved_nano_usd=amounts.nano_usd)
    made = replace(ask, id=draft.id, amounts=amounts, draft=encode(draft)).measuring(())
    if spilled:
        return made
    limits = tuple(limit for limit in made.limits if limit.scope != SPILLED)
    scopes = tuple(scope for scope in made.scopes if scope != SPILLED)
    return replace(made, scopes=scopes, limits=limits)
