"""Explains a request by what was kept of it."""

from __future__ import annotations

from math import isfinite

from msgspec.structs import replace

from app.domain.cache.outcome import BYPASSED, CacheRecord
from app.domain.explain.explanation import (
    AttemptRecord,
    CachedRecord,
    CandidateRecord,
    Explanation,
    LoadRecord,
    ReservedRecord,
    SettledRecord,
    SkipRecord,
)
from app.domain.explain.kept import Kept, KeptPlan, KeptReservation
from app.domain.routing.attempt import Attempt
from app.domain.routing.route import Absence, Candidate

#: Tenths of a millisecond, or of a per mille: the rest is noise.
_DIGITS = 4


def explained(kept: Kept) -> Explanation:
    """All that it explains."""
    plan, reservation = kept.plan, kept.reservation
    return Explanation(
        request_id=kept.request_id,
        at=kept.started_at,
        duration_s=_rounded(kept.duration),
        outcome=kept.outcome,
        tenant=kept.tenant,
        spill=kept.spill,
        status=kept.status,
        error=kept.error,
        operation=kept.operation,
        stream=kept.stream,
        key_id=kept.key_id,
        model=kept.model,
        deployment=kept.deployment,
        deployment_kind=kept.deployment_kind,
        time_to_first_token_s=_maybe(kept.time_to_first_token),
        cache=None if kept.cache is None else _cached(kept.cache),
        load=None if plan is None else _load(plan),
        last_resort=plan is not None and plan.last_resort,
        candidates=() if plan is None else tuple(map(_candidate, plan.candidates)),
        skipped=_skipped(kept),
        attempts=tuple(_attempt(each, kept.started) for each in kept.attempts),
        reserved=None if reservation is None else _reserved(reservation),
        settled=None if reservation is None else _settled(kept),
        flags=kept.flags,
        policies=kept.policies,
        errand=kept.errand or "",
    )


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


def _load(plan: KeptPlan) -> LoadRecord | None:
    demand, request_class = plan.demand, plan.request_class
    if demand is None:
        return None
    return LoadRecord(demand.prompt, demand.output, demand.cached, request_class.name.lower())


def _candidate(candidate: Candidate) -> CandidateRecord:
    return CandidateRecord(
        candidate.deployment,
        candidate.tier,
        _maybe(candidate.utilization),
        _maybe(candidate.weight),
        _rounded(candidate.wait_s),
        candidate.is_warm,
    )


def _skipped(kept: Kept) -> tuple[SkipRecord, ...]:
    """Decided right before the first was asked, or when nobody was: at the end."""
    attempts, absences = kept.attempts, kept.plan.absences if kept.plan else ()
    decided = attempts[0].started if attempts else kept.started + kept.duration
    skips = [_skip(absence, decided, at_its_turn=False) for absence in absences]
    for absence in kept.skipped:
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
    return AttemptRecord(
        deployment=attempt.deployment,
        tier=attempt.tier,
        verdict=attempt.verdict,
        began_s=_rounded(attempt.started - started),
        took_s=_rounded(attempt.ended - attempt.started),
        kind=attempt.kind,
        status=attempt.status,
        code=attempt.code,
        throttle=attempt.throttle,
        retry_after_s=_maybe(attempt.retry_after_s),
        actual_utilization=_maybe(attempt.utilization),
        upstream_request_id=attempt.upstream_request_id,
        native_spillover_from=attempt.native_spillover_from,
    )


def _reserved(reservation: KeptReservation) -> ReservedRecord:
    amounts, left, over = reservation.amounts, reservation.left, reservation.over
    limits = [
        replace(limit, left=left[index] if index < len(left) else None, is_over=index in over)
        for index, limit in enumerate(reservation.limits)
    ]
    return ReservedRecord(
        amounts.requests, amounts.tokens, amounts.nano_usd, tuple(limits), reservation.degraded
    )


def _settled(kept: Kept) -> SettledRecord:
    usage = kept.usage
    if usage is None:
        return SettledRecord(nano_usd=kept.nano_usd)
    return SettledRecord(usage.input, usage.cached, usage.output, usage.reasoning, kept.nano_usd)


def _maybe(value: float | None) -> float | None:
    return None if value is None else _rounded(value)


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
