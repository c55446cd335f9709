"""Receipts of requests that nobody made, and what they are made of."""

from __future__ import annotations

from typing import Any

from app.domain.call.request import Operation
from app.domain.call.trace import TraceContext
from app.domain.capacity.demand import Demand, Load
from app.domain.capacity.shares import Claim, RequestClass
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.quota.calendar import CalendarWindow
from app.domain.quota.limit import Limit
from app.domain.quota.reservation import Amounts, Ask, Reservation
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.deployment import Kind
from app.domain.routing.route import RoutePlan

DAY = CalendarWindow("2026-11-21", 0, 86_400_000)
MONTH = CalendarWindow("2026-11", 0, 30 * 86_400_000)
TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"


def receipt(**changes: Any) -> Receipt:
    """One that nothing is remarkable about, nor recorded of it."""
    fields: dict[str, Any] = {
        "request_id": "req-1",
        "started_at": 1_790_000_000.0,
        "started": 100.0,
        "duration": 1.0,
        "outcome": Outcome.FINISHED,
        "operation": Operation.CHAT_COMPLETIONS,
        "stream": False,
        "status": 200,
        "error": None,
        "tenant": "search",
        "key_id": "k1",
        "model": "gpt-4o",
        "deployment": "ptu",
        "deployment_kind": None,
        "spill": SpillReason.NONE,
        "usage": None,
        "attempts": (attempt(),),
        "plan": None,
        "time_to_first_token": None,
        "bytes_relayed": 0,
        "frames_relayed": 0,
        "reservation": reservation(),
        "trace": TraceContext("f" * 32, "1" * 16, is_sampled=False),
    }
    return Receipt(**(fields | changes))


def recorded(number: int = 1) -> Receipt:
    """One of several whose spans are to be sent."""
    trace = TraceContext(TRACE_ID, f"{number * 0x10000:016x}", is_sampled=True)
    return receipt(trace=trace, trace_id=TRACE_ID)


def served(**changes: Any) -> Receipt:
    """A stream of 50 tokens that a PTU served within a second, all of it as it should be."""
    fields: dict[str, Any] = {
        "stream": True,
        "deployment_kind": Kind.PTU,
        "usage": Usage(input=100, cached=40, output=50, reasoning=20),
        "plan": plan(),
        "time_to_first_token": 0.51,
        "bytes_relayed": 1000,
        "frames_relayed": 52,
        "nano_usd": 2_000_000,
    }
    return receipt(**(fields | changes))


def attempt(deployment: str = "ptu", verdict: Verdict = Verdict.ACCEPT, **said: Any) -> Attempt:
    """A deployment asked 10 ms after the request came, for half a second."""
    fields: dict[str, Any] = {"tier": 0, "status": 200, "started": 100.01, "ended": 100.51}
    return Attempt(deployment=deployment, verdict=verdict, **(fields | said))


def plan(**said: Any) -> RoutePlan:
    """For a request of the class interactive."""
    claim = Claim("search", request_class=RequestClass.INTERACTIVE)
    return RoutePlan((), load=Load(claim, Demand(100, 50)), **said)


def reservation(
    *limits: Limit, left: tuple[int, ...] = (), tenant: str = "search", degraded: str | None = None
) -> Reservation:
    """One that was granted."""
    ask = Ask("r1", tenant, ("tenant",), Amounts(1, 100, 5), limits, (DAY,) * 3, (MONTH,) * 3)
    return Reservation(ask, "g1", DAY, MONTH, left, degraded=degraded)
