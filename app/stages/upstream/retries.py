"""What a process may spend on attempts after errors: retrying never makes an outage worse."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec

from app.domain.routing.retry_budget import RetryBudget
from app.stages.upstream.hedging import Hedging


@dataclass(slots=True)
class Payment:
    """Whether an attempt may be made; `failed` is to be set when it has."""

    granted: bool
    failed: bool = False


class Retries(msgspec.Struct, frozen=True):
    """`most` errors of one request, and a budget of all requests together."""

    budget: RetryBudget
    most: int = 3
    hedging: Hedging | None = None
    """None: nobody is asked before another one answered."""

    @contextmanager
    def paid(self, errors: int, now: float) -> Iterator[Payment]:
        """The scope of an attempt of a request that met so many errors so far."""
        draw = self.budget.try_spend(now) if errors else None
        payment = Payment(granted=not errors or draw is not None)
        try:
            yield payment
        finally:
            if draw is not None:
                self.budget.finished(draw, failed=payment.failed)
