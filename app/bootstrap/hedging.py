"""What is known for hedging outlives a reload; by which policy requests are hedged, does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from app.domain.capacity.shares import RequestClass
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.routing.first_tokens import FirstTokens
from app.domain.routing.hedge_policy import HedgePolicy
from app.domain.routing.retry_budget import RetryBudget
from app.ports import Clock
from app.settings.routing import Hedging as HedgingSettings
from app.stages.upstream import Hedging
from app.stages.upstream.hedge_account import HedgeAccount


@dataclass(frozen=True, slots=True)
class Hedges:
    """One worker's."""

    first_tokens: FirstTokens = field(default_factory=FirstTokens)
    budget: RetryBudget = field(default_factory=RetryBudget)
    charged: Callable[[LedgerRow], None] = lambda _row: None
    """Is told the ledger's row of each that cost something."""

    def following(
        self, settings: HedgingSettings, account: HedgeAccount, clock: Clock
    ) -> Hedging | None:
        """By these settings; None where they ask for none."""
        if not settings.enabled:
            return None
        policy = policy_of(settings)
        self.budget.policy = policy.budget
        return Hedging(policy, self.first_tokens, self.budget, account, clock)


def policy_of(settings: HedgingSettings) -> HedgePolicy:
    """The settings as a policy."""
    return HedgePolicy(
        classes=frozenset(RequestClass[name.upper()] for name in settings.classes),
        part=int(settings.after.removeprefix("p")) / 100,
        after_s=settings.after_s,
        percent=settings.percent,
    )
