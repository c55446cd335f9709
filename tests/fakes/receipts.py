"""Receipts of requests that nobody made."""

from __future__ import annotations

from typing import Any

from app.domain.call.request import Operation
from app.domain.call.trace import TraceContext
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.quota.calendar import CalendarWindow
from app.domain.quota.reservation import Amounts, Ask, Reservation
from app.domain.routing.attempt import Attempt, Verdict

_DAY = CalendarWindow("2026-11-21", 0, 1)
_ASK = Ask("r1", "acme", (), Amounts(requests=1, tokens=7), (), (), ())
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def receipt(**changes: Any) -> Receipt:
    """One that nothing is remarkable about, nor recorded of it."""
    fields: dict[str, Any] = {
        "request_id": "r1",
        "started_at": 1_790_000_000.0,
        "duration": 1.0,
        "outcome": Outcome.FINISHED,
        "operation": Operation.CHAT_COMPLETIONS,
        "stream": False,
        "status": 200,
        "error": None,
        "tenant": "acme",
        "key_id": "k1",
        "model": "gpt-4o",
        "deployment": "ptu",
        "deployment_kind": None,
        "spill": SpillReason.NONE,
        "usage": None,
        "attempts": (Attempt("ptu", 0, Verdict.ACCEPT, 200, 100.1, 100.5),),
        "plan": None,
        "time_to_first_token": None,
        "bytes_relayed": 0,
        "frames_relayed": 0,
        "started": 100.0,
        "reservation": Reservation(_ASK, "g1", _DAY, _DAY),
        "trace": TraceContext("f" * 32, "1" * 16, is_sampled=False),
    }
    return Receipt(**(fields | changes))


def recorded(number: int = 1) -> Receipt:
    """One of several whose spans are to be sent."""
    trace = TraceContext(TRACE_ID, f"{number * 0x10000:016x}", is_sampled=True)
    return receipt(trace=trace, trace_id=TRACE_ID)
