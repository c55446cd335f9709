"""An explanation in plain sentences: why each deployment was skipped or asked, and what came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from app.domain.cache.outcome import CacheResult
from app.domain.capacity.spill import SpillReason
from app.domain.explain.explanation import (
    AttemptRecord,
    CachedRecord,
    CandidateRecord,
    Explanation,
    SettledRecord,
    SkipRecord,
)
from app.domain.ledger.completion import Outcome
from app.domain.policy.rules import Action
from app.domain.routing.attempt import Verdict
from app.domain.routing.throttle import ThrottleClass

_NANO: Final = 1_000_000_000

#: From here on durations are said in seconds, and in minutes. 999.5 ms would be 1,000.
_A_SECOND: Final = 0.9995
_MINUTES: Final = 120.0

#: Of a skipped deployment: what it was, before and after the time for which it was.
_SKIPPED: Final[Mapping[SpillReason, tuple[str, str]]] = {
    SpillReason.HELD: ("was held", "as it had asked"),
    SpillReason.PREDICTED: ("had no room", "predicted"),
    SpillReason.SHARE: ("had room for other tenants only", "their guaranteed parts"),
    SpillReason.SIZE: ("was kept from a request as large", "it would block others"),
    SpillReason.UNHEALTHY: ("was left out", "it failed too often"),
    SpillReason.POLICY: ("was left out", "the tenant's policy, or it is draining"),
    SpillReason.THROTTLED: ("was left out", "it had refused"),
    SpillReason.ERROR: ("was left out", "it had failed"),
    SpillReason.NONE: ("was left out", "no reason was recorded"),
}
_SPILLED: Final[Mapping[SpillReason, str]] = {
    SpillReason.THROTTLED: "was refused by",
    SpillReason.ERROR: "failed at",
    SpillReason.HELD: "found a hold on",
    SpillReason.PREDICTED: "would not have fitted into",
    SpillReason.SHARE: "had used its tenant's part of",
    SpillReason.SIZE: "was too large for",
    SpillReason.UNHEALTHY: "was kept from the failing",
    SpillReason.POLICY: "was not to go to",
}
_THROTTLES: Final[Mapping[ThrottleClass, str]] = {
    ThrottleClass.TOKENS: "its tokens per minute are used up",
    ThrottleClass.CALLS: "its requests per minute are used up",
    ThrottleClass.LOWERED: "Azure allows it fewer tokens per minute than configured",
    ThrottleClass.PROVISIONED: "the PTU is full",
    ThrottleClass.PEAK_LOAD: "Azure itself is full",
}
_VERDICTS: Final[Mapping[Verdict, str]] = {
    Verdict.ACCEPT: "gave the answer",
    Verdict.THROTTLED: "refused",
    Verdict.FAILED: "failed",
    Verdict.MISCONFIGURED: "did not accept the gateway's credential, name or URL",
    Verdict.TOO_LONG: "has too small a context window",
    Verdict.HEDGED: "was given up, because another one answered first",
}
_OUTCOMES: Final[Mapping[Outcome, str]] = {
    Outcome.FINISHED: "The answer arrived whole",
    Outcome.REFUSED: "The gateway refused it",
    Outcome.UPSTREAM_FAILED: "No deployment gave an answer",
    Outcome.UPSTREAM_ABORTED: "The answer broke off",
    Outcome.CLIENT_DISCONNECTED: "The client left",
    Outcome.SHUT_DOWN: "The gateway was shut down",
    Outcome.INTERNAL_ERROR: "The gateway failed",
}


_CACHED: Final[Mapping[CacheResult, str]] = {
    CacheResult.EXACT: "was the same request",
    CacheResult.SEMANTIC: "meant the same",
}


def why_skipped(skip: SkipRecord) -> str:
    """`ptu-east had no room for 2.3 s (predicted, 101 % full)`."""
    was, because = _SKIPPED[skip.reason]
    when = "when its turn came, " if skip.at_its_turn else ""
    how_long = f" for {duration(skip.wait_s)}" if skip.wait_s else ""
    return f"{skip.deployment} {was}{how_long} ({when}{because}{_full(skip.predicted_utilization)})"


def why_asked(attempt: AttemptRecord) -> str:
    """`ptu-east refused (429, the PTU is full, told 104 % full) after 12 ms, retry in 800 ms`."""
    said = [str(attempt.status) if attempt.status is not None else "no answer"]
    said += [_THROTTLES[attempt.throttle]] if attempt.throttle else []
    said += [f"{attempt.actual_utilization * 100:.0f} % full"] if attempt.actual_utilization else []
    sentence = f"{attempt.deployment} {_VERDICTS[attempt.verdict]} ({', '.join(said)})"
    sentence += f" after {duration(attempt.took_s)}"
    if attempt.retry_after_s is not None and attempt.verdict is not Verdict.ACCEPT:
        sentence += f", to be asked again in {duration(attempt.retry_after_s)}"
    if attempt.native_spillover_from:
        sentence += f"; Azure itself moved it there from {attempt.native_spillover_from}"
    return sentence


def why_candidate(candidate: CandidateRecord, explanation: Explanation) -> str:
    """What became of one that was to be asked."""
    name, tier = candidate.deployment, candidate.tier + 1
    used = candidate.predicted_utilization
    room = f"predicted {used * 100:.0f} % full" if used is not None else "no use of it known"
    place = f"{name} was in tier {tier}, {room}"
    if any(each.deployment == name for each in explanation.attempts):
        return f"{place}, and was asked"
    if any(each.deployment == name and each.at_its_turn for each in explanation.skipped):
        return f"{place}, and was skipped when its turn came"
    if explanation.deployment is not None:
        return f"{place}, and was not needed: {explanation.deployment} had answered"
    return f"{place}, and was not asked: time, retries or its context window did not allow it"


def summary(explanation: Explanation) -> list[str]:
    """How it ended, why it left its first tier, and what it took and cost."""
    policies = _policies(explanation)
    return [*_ending(explanation), *policies, *_spilling(explanation), *_accounting(explanation)]


def duration(seconds: float) -> str:
    """`800 ms`, `2.3 s`, `4 min`."""
    if seconds < _A_SECOND:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < _MINUTES else f"{seconds / 60:.0f} min"


def _ending(explanation: Explanation) -> Iterator[str]:
    told = ", ".join(str(each) for each in (explanation.status, explanation.error) if each)
    status = f" ({told})" if told else ""
    after = f" after {duration(explanation.duration_s)}"
    yield f"{_OUTCOMES[explanation.outcome]}{status}{after}."
    cache = explanation.cache
    if cache is not None and cache.result in _CACHED:
        yield f"It is {_kept(cache)}, which {_CACHED[cache.result]}{_measured(cache)}."
    elif explanation.deployment is None and not explanation.attempts:
        yield "No deployment was asked."
    elif explanation.deployment is not None:
        asked = len(explanation.attempts)
        kind = f" ({explanation.deployment_kind})" if explanation.deployment_kind else ""
        tries = "the first asked" if asked == 1 else f"the last of {asked} asked"
        yield f"It was served by {explanation.deployment}{kind}, {tries}."
    if cache is not None:
        yield from _not_served(cache)
    if explanation.last_resort and explanation.candidates:
        yield "Nobody was expected to have room: those that might were asked all the same."


def _kept(cache: CachedRecord) -> str:
    return f"the answer to {cache.source}, from {duration(cache.age_s or 0.0)} before"


def _measured(cache: CachedRecord) -> str:
    """How near the prompts were, and what the answer is evicted by."""
    if cache.distance is None:
        return ""
    return f" (distance {cache.distance:.4f}, fingerprint {cache.fingerprint})"


def _not_served(cache: CachedRecord) -> Iterator[str]:
    """What was near, and why nobody was answered by it."""
    if cache.result is not CacheResult.MISS or cache.distance is None:
        return
    away = f"at a distance of {cache.distance:.4f}"
    if cache.would_hit:
        yield f"The cache, which only watches, would have given {_kept(cache)}, {away}."
    elif cache.source:
        yield f"The cache had {_kept(cache)}, {away}, and kept it back ({cache.reason})."
    else:
        yield f"The nearest prompt in the cache, {away}, was not taken ({cache.reason})."


def _policies(explanation: Explanation) -> Iterator[str]:
    for each in explanation.policies:
        did = "refused it" if each.action is Action.BLOCK else "flagged it"
        place = f" ({each.field})" if each.field else ""
        yield f"The tenant's policy {each.name} {did}{place}."


def _spilling(explanation: Explanation) -> Iterator[str]:
    """Why it was not served by its first tier: what befell it at the first one that it passed."""
    if explanation.spill is SpillReason.NONE:
        return
    passed = [(each.tier, each.deployment) for each in explanation.skipped]
    passed += [(each.tier, each.deployment) for each in explanation.attempts]
    first = min(passed, default=(0, "the first tier"))[1]
    yield f"It spilled ({explanation.spill}): it {_SPILLED[explanation.spill]} {first}."


def _accounting(explanation: Explanation) -> Iterator[str]:
    reserved, settled = explanation.reserved, explanation.settled
    if reserved is None:
        yield "Nothing was reserved."
        return
    yield f"Reserved were {reserved.tokens:,} tokens and up to {_dollars(reserved.nano_usd)}."
    for limit in reserved.limits:
        if limit.is_over:
            yield f"It went over the {limit.mode} limit {limit.name} of {limit.scope}."
    if reserved.degraded:
        yield f"The account was out of reach: the policy {reserved.degraded} was in force."
    if settled is None or settled == SettledRecord():
        yield "Nothing was charged."
    else:
        tokens = f"{settled.input:,} input and {settled.output:,} output tokens"
        guess = ", estimated" if "estimated" in explanation.flags else ""
        yield f"Charged were {tokens}{guess}, {_dollars(settled.nano_usd)}."


def _full(utilization: float | None) -> str:
    return f", {utilization * 100:.0f} % full" if utilization is not None else ""


def _dollars(nano_usd: int) -> str:
    return f"${nano_usd / _NANO:.6f}"
