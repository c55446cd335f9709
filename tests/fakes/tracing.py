"""Tracing that sends nothing anywhere."""

from __future__ import annotations

import random

from app.domain.ledger.completion import Receipt
from app.domain.tracing.said import Said
from app.domain.tracing.sampling import Sampler, SamplingPolicy


class FakeTracing(Sampler):
    """Decides as it would be decided, and keeps what is to be recorded."""

    def __init__(self, policy: SamplingPolicy) -> None:
        super().__init__(policy, random.Random(7).randbytes)
        self.recorded: list[tuple[Receipt, Said]] = []
        self.most_content = 0

    def record(self, receipt: Receipt, said: Said) -> None:
        """Keep it."""
        self.recorded.append((receipt, said))
