"""What is kept of a request, so that it can be explained: values of its receipt, as they are.

Every request leaves this behind, and hardly any is asked about. So nothing is worked out here; it
is when somebody asks. As an explanation it holds ids and counts, no word of what was asked or
answered.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.domain.cache.outcome import BYPASSED, CacheRecord
from app.domain.call.errand import Purpose
from app.domain.call.request import Operation
from app.domain.capacity.demand import Demand
from app.domain.capacity.shares import RequestClass
from app.domain.capacity.spill import SpillReason
from app.domain.explain.explanation import LimitRecord, PolicyRecord
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.policy.findings import Finding, PolicyKind
from app.domain.quota.limit import Limit
from app.domain.quota.reservation import Amounts, Reservation
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Attempt
from app.domain.routing.deployment import Kind
from app.domain.routing.route import Absence, Candidate, RoutePlan

#: Sets of limits that are remembered; of one key and model all requests of a day have the same.
_MOST_LIMITS: Final = 4096
#: MessagePack has no larger integers; a config may name any amount, as good as no limit.
_MOST: Final = 2**63 - 1


class KeptPlan(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where it was to go; `demand` None: it costs nothing."""

    candidates: tuple[Candidate, ...]
    absences: tuple[Absence, ...]
    last_resort: bool
    demand: Demand | None = None
    request_class: RequestClass = RequestClass.STANDARD


class KeptReservation(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What it took; `left` and `over` are of the limits, in their order."""

    amounts: Amounts
    limits: tuple[LimitRecord, ...]
    left: tuple[int, ...]
    over: tuple[int, ...]
    degraded: str | None


class Kept(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Named as in receipts. Fields are only ever added, at the end and with a default."""

    request_id: str
    started_at: float
    duration: float
    outcome: Outcome
    tenant: str
    spill: SpillReason
    status: int | None
    error: str | None
    operation: Operation | None
    stream: bool
    key_id: str | None
    model: str | None
    deployment: str | None
    deployment_kind: Kind | None
    time_to_first_token: float | None
    cache: CacheRecord | None  # None: no cache is on for it
    plan: KeptPlan | None
    skipped: tuple[Absence, ...]
    attempts: tuple[Attempt, ...]
    started: float
    reservation: KeptReservation | None
    usage: Usage | None
    nano_usd: int
    flags: tuple[str, ...]
    policies: tuple[PolicyRecord, ...]
    errand: Purpose | None


_DECODER: Final = msgspec.msgpack.Decoder(Kept)


def unpacked(data: bytes) -> Kept:
    """What was packed. Raises ValueError."""
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(type(error).__name__) from None


class Packing:
    """Makes bytes of receipts: a Kept each, as MessagePack, which holds any float."""

    def __init__(self) -> None:
        """What many requests have in common is encoded once."""
        self._encode = msgspec.msgpack.Encoder().encode
        self._limits: dict[int, tuple[tuple[Limit, ...], msgspec.Raw]] = {}

    def packed(self, receipt: Receipt) -> bytes:
        """What is kept of it."""
        cache, plan, reservation = receipt.cache, receipt.plan, receipt.reservation
        return self._encode(  # a tuple in the order of Kept
            (
                receipt.request_id,
                receipt.started_at,
                receipt.duration,
                receipt.outcome,
                receipt.tenant or "",
                receipt.spill,
                receipt.status,
                receipt.error,
                receipt.operation,
                receipt.stream,
                receipt.key_id,
                receipt.model,
                receipt.deployment,
                receipt.deployment_kind,
                receipt.time_to_first_token,
                None if cache is BYPASSED else cache,
                None if plan is None else _planned(plan),
                receipt.skipped,
                receipt.attempts,
                receipt.started,
                None if reservation is None else self._taken(reservation),
                receipt.usage,
                receipt.nano_usd,
                receipt.flags,
                [_policy(each) for each in receipt.findings] if receipt.findings else (),
                receipt.errand,
            )
        )

    def _taken(self, reservation: Reservation) -> tuple[object, ...]:
        ask = reservation.ask
        known = self._limits.get(id(ask.limits))  # what is remembered keeps its limits and their id
        return (
            ask.amounts,
            known[1] if known is not None else self._limits_of(ask.limits),
            reservation.left,
            reservation.over,
            reservation.degraded,
        )

    def _limits_of(self, limits: tuple[Limit, ...]) -> msgspec.Raw:
        if len(self._limits) >= _MOST_LIMITS:
            self._limits.clear()
        records = [
            LimitRecord(each.name, each.scope, min(each.amount, _MOST), mode=each.mode)
            for each in limits
        ]
        packed = msgspec.Raw(self._encode(records))
        self._limits[id(limits)] = limits, packed
        return packed


def _planned(plan: RoutePlan) -> tuple[object, ...]:
    load = plan.load
    if load is None:
        return plan.candidates, plan.absences, plan.last_resort
    request_class = load.claim.request_class
    return plan.candidates, plan.absences, plan.last_resort, load.demand, request_class


def _policy(finding: Finding) -> PolicyRecord:
    """A parameter's name is the caller's own word, and stays out of records."""
    is_named = finding.kind is PolicyKind.PARAMETER
    field = "" if is_named else finding.field
    return PolicyRecord(finding.kind, finding.name, finding.action, field)
