"""One line in the log for each request, with all that explains it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec
import structlog

from app.domain.ledger.completion import Receipt
from app.domain.routing.attempt import Attempt
from app.domain.routing.route import Absence

#: Of the receipt: what is told in another form, and what only a trace shows.
_LEFT_OUT: Final = (
    "plan", "reservation", "started", "skipped",
    "trace", "stage_ends", "relayed", "output_cap", "choices",
)  # fmt: skip


class ReceiptLog:
    """Writes the event `request`; how it looks is decided where logging is set up."""

    def __init__(self) -> None:
        self._log = structlog.get_logger()

    def observe(self, receipt: Receipt) -> None:
        """Write the line. It holds ids and counts, and no word of what was asked or answered."""
        fields = msgspec.to_builtins(replace(receipt, plan=None, reservation=None))
        for name in _LEFT_OUT:
            del fields[name]
        fields["attempts"] = [_attempt(attempt) for attempt in receipt.attempts]
        if receipt.plan is not None:
            absences = (*receipt.plan.absences, *receipt.skipped)
            fields["skipped"] = [_absence(absence) for absence in absences]
        self._log.info("request", **fields)


def _attempt(attempt: Attempt) -> str:
    status = attempt.status if attempt.status is not None else "no_answer"
    took_ms = (attempt.ended - attempt.started) * 1000
    return f"{attempt.deployment} {status} {attempt.verdict} {took_ms:.0f}ms"


def _absence(absence: Absence) -> str:
    return f"{absence.deployment} {absence.reason}"
