"""One request explained afterwards: who could serve it, who was asked, what it took and cost.

It is made of the receipt alone and holds ids and counts, no word of what was asked or answered.
Durations are seconds, moments in them are counted from the request's arrival, and 1.0 of a
utilisation is all of a deployment's capacity.
"""

from __future__ import annotations

from math import floor, isfinite

import msgspec

from app.domain.cache.outcome import BYPASSED, CacheRecord, CacheResult
from app.domain.call.request import Operation
from app.domain.capacity.demand import Load
from app.domain.capacity.shares import RequestClass
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.policy.findings import Finding, PolicyKind
from app.domain.policy.rules import Action
from app.domain.quota.limit import LimitName, Mode
from app.domain.quota.reservation import Reservation
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.deployment import Kind
from app.domain.routing.route import Absence, Candidate
from app.domain.routing.throttle import ThrottleClass


class _Part(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Defaults are not written: thousands of records are kept at a time."""


class CandidateRecord(_Part, frozen=True):
    """One that was to be asked; they are in that order."""

    deployment: str
    tier: int
    predicted_utilization: float | None = None  # None: nothing was known of it
    weight: float | None = None  # in its tier; None: it was not drawn by weight
    expected_wait_s: float = 0.0  # of two drawn by weight the one with less goes first
    is_warm: bool = False  # its cache may know the prompt: it goes first while that is worth it


class SkipRecord(_Part, frozen=True):
    """One that was not asked, and why.

    `wait_s` is how much longer that would have held when it was decided; None: for good.
    """

    deployment: str
    tier: int
    reason: SpillReason
    wait_s: float | None = None
    predicted_utilization: float | None = None
    at_its_turn: bool = False  # it was a candidate, and found wanting when its turn came


class AttemptRecord(_Part, frozen=True):
    """One that was asked. `status` None: no answer came."""

    deployment: str
    tier: int
    verdict: Verdict
    began_s: float
    took_s: float
    kind: Kind | None = None
    status: int | None = None
    code: str | None = None
    throttle: ThrottleClass | None = None
    retry_after_s: float | None = None
    actual_utilization: float | None = None  # as its answer told
    upstream_request_id: str | None = None
    native_spillover_from: str | None = None


class LimitRecord(_Part, frozen=True):
    """A limit that was asked; in its own measure: requests, tokens or nano-dollars."""

    name: LimitName
    scope: str
    amount: int
    left: int | None = None  # with this request taken; None: nobody could tell
    mode: Mode = Mode.HARD
    is_over: bool = False  # a soft or shadow limit that it went over


class ReservedRecord(_Part, frozen=True):
    """What was taken from the tenant's account before it ran."""

    requests: int = 0
    tokens: int = 0
    nano_usd: int = 0
    limits: tuple[LimitRecord, ...] = ()
    degraded: str | None = None  # the policy in force while the account was out of reach


class SettledRecord(_Part, frozen=True):
    """What was charged in its place; `cached_input` is part of input, `reasoning` of output."""

    input: int = 0
    cached_input: int = 0
    output: int = 0
    reasoning: int = 0
    nano_usd: int = 0


class CachedRecord(_Part, frozen=True):
    """What the cache did. `source` is the request that the answer was made for."""

    result: CacheResult
    reason: str = ""
    fingerprint: str = ""
    source: str | None = None
    age_s: float | None = None
    distance: float | None = None
    would_hit: bool = False
    saved_nano_usd: int = 0
    saved_s: float = 0.0


class LoadRecord(_Part, frozen=True):
    """What it was expected to ask of a deployment: tokens, and with which weight."""

    prompt: int
    output: int
    cached: int = 0
    request_class: str = "standard"


class PolicyRecord(_Part, frozen=True):
    """A rule of its tenant's input policy that the request broke."""

    kind: PolicyKind
    name: str
    action: Action
    field: str = ""


class Explanation(_Part, frozen=True):
    """The record of one request; `at` is its arrival in Unix time."""

    request_id: str
    at: float
    duration_s: float
    outcome: Outcome
    tenant: str
    spill: SpillReason = SpillReason.NONE
    status: int | None = None
    error: str | None = None
    operation: Operation | None = None
    stream: bool = False
    key_id: str | None = None
    model: str | None = None
    deployment: str | None = None
    deployment_kind: Kind | None = None
    time_to_first_token_s: float | None = None
    cache: CachedRecord | None = None  # None: no cache is on for it
    load: LoadRecord | None = None
    last_resort: bool = False  # nobody was expected to have room: all were asked in the end
    candidates: tuple[CandidateRecord, ...] = ()
    skipped: tuple[SkipRecord, ...] = ()
    attempts: tuple[AttemptRecord, ...] = ()
    reserved: ReservedRecord | None = None
    settled: SettledRecord | None = None
    flags: tuple[str, ...] = ()
    policies: tuple[PolicyRecord, ...] = ()
    errand: str = ""  # what the gateway itself asked it for; empty: it was a caller's


_PARTS = 10_000
#: An enum's `name` is computed each time.
_CLASSES = {each: each.name.lower() for each in RequestClass}
_DECODER = msgspec.json.Decoder(Explanation)
_ENCODER = msgspec.json.Encoder()


def encoded(explanation: Explanation) -> bytes:
    """As it is kept: JSON."""
    return _ENCODER.encode(explanation)


def decoded(data: bytes) -> Explanation:
    """Back again. Raises ValueError."""
    try:
        return _DECODER.decode(data)
    except msgspec.MsgspecError as error:
        raise ValueError(type(error).__name__) from None


def explained(receipt: Receipt) -> Explanation:
    """All that the receipt explains."""
    plan, cache, reservation = receipt.plan, receipt.cache, receipt.reservation
    return Explanation(  # in the order of its fields: by their names it takes seven times as long
        receipt.request_id,
        receipt.started_at,
        _rounded(receipt.duration),
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
        _maybe(receipt.time_to_first_token),
        None if cache is BYPASSED else _cached(cache),
        None if plan is None or plan.load is None else _load(plan.load),
        plan is not None and plan.last_resort,
        () if plan is None else tuple([_candidate(each) for each in plan.candidates]),
        _skipped(receipt),
        tuple([_attempt(each, receipt.started) for each in receipt.attempts]),
        None if reservation is None else _reserved(reservation),
        None if reservation is None else _settled(receipt),
        receipt.flags,
        tuple([_policy(each) for each in receipt.findings]) if receipt.findings else (),
        receipt.errand or "",
    )


def _policy(finding: Finding) -> PolicyRecord:
    """A parameter's name is the caller's own word, and stays out of records."""
    is_named = finding.kind is PolicyKind.PARAMETER
    field = "" if is_named else finding.field
    return PolicyRecord(finding.kind, finding.name, finding.action, field)


def _cached(cache: CacheRecord) -> CachedRecord | None:
    if cache == BYPASSED:
        return None
    return CachedRecord(
        result=cache.result,
        reason=cache.reason,
        fingerprint=cache.fingerprint,
        source=cache.source,
        age_s=_maybe(cache.age_s),
        distance=_maybe(cache.distance),
        would_hit=cache.would_hit,
        saved_nano_usd=cache.saved_nano_usd,
        saved_s=_rounded(cache.saved_s),
    )


def _load(load: Load) -> LoadRecord:
    demand = load.demand
    request_class = _CLASSES[load.claim.request_class]
    return LoadRecord(demand.prompt, demand.output, demand.cached, request_class)


def _candidate(candidate: Candidate) -> CandidateRecord:
    return CandidateRecord(
        candidate.deployment,
        candidate.tier,
        _maybe(candidate.utilization),
        _maybe(candidate.weight),
        _rounded(candidate.wait_s),
        candidate.is_warm,
    )


def _skipped(receipt: Receipt) -> tuple[SkipRecord, ...]:
    """Decided right before the first was asked, or when nobody was: at the end."""
    attempts, absences = receipt.attempts, receipt.plan.absences if receipt.plan else ()
    if not absences and not receipt.skipped:
        return ()
    decided = attempts[0].started if attempts else receipt.started + receipt.duration
    skips = [_skip(absence, decided, at_its_turn=False) for absence in absences]
    for absence in receipt.skipped:
        before = [each.ended for each in attempts if each.tier <= absence.tier]
        skips.append(_skip(absence, max(before, default=decided), at_its_turn=True))
    return tuple(skips)


def _skip(absence: Absence, decided: float, *, at_its_turn: bool) -> SkipRecord:
    wait = max(0.0, absence.until - decided)
    return SkipRecord(
        deployment=absence.deployment,
        tier=absence.tier,
        reason=absence.reason,
        wait_s=_rounded(wait) if isfinite(wait) else None,
        predicted_utilization=_maybe(absence.utilization),
        at_its_turn=at_its_turn,
    )


def _attempt(attempt: Attempt, started: float) -> AttemptRecord:
    began = attempt.started
    return AttemptRecord(
        attempt.deployment,
        attempt.tier,
        attempt.verdict,
        _rounded(began - started),
        _rounded(attempt.ended - began),
        attempt.kind,
        attempt.status,
        attempt.code,
        attempt.throttle,
        _maybe(attempt.retry_after_s),
        _maybe(attempt.utilization),
        attempt.upstream_request_id,
        attempt.native_spillover_from,
    )


def _reserved(reservation: Reservation) -> ReservedRecord:
    ask, left, over = reservation.ask, reservation.left, reservation.over
    known = len(left)
    limits = [
        LimitRecord(
            limit.name,
            limit.scope,
            limit.amount,
            left[index] if index < known else None,
            limit.mode,
            index in over,
        )
        for index, limit in enumerate(ask.limits)
    ]
    amounts = ask.amounts
    return ReservedRecord(
        amounts.requests, amounts.tokens, amounts.nano_usd, tuple(limits), reservation.degraded
    )


def _settled(receipt: Receipt) -> SettledRecord:
    usage = receipt.usage
    if usage is None:
        return SettledRecord(nano_usd=receipt.nano_usd)
    return SettledRecord(usage.input, usage.cached, usage.output, usage.reasoning, receipt.nano_usd)


def _maybe(value: float | None) -> float | None:
    return None if value is None else _rounded(value)


def _rounded(value: float) -> float:
    """To tenths of a millisecond, or of a per mille: the rest is noise that has to be kept."""
    return floor(value * _PARTS + 0.5) / _PARTS  # a sixth of the time of `round`
