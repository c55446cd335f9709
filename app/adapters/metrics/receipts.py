"""Counts receipts: what a caller's request came to, and what an errand of our own did.

Each request comes by here, so series are looked up in dicts by what the receipt has anyway. What
requests have in common is added up, and counted when somebody looks.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from app.adapters.metrics import families as f
from app.adapters.metrics.instruments import Instruments
from app.adapters.metrics.names import OTHER, TenantLabels, model_label
from app.adapters.metrics.tallies import Alike, Places, Tallies, Tally, disjoint
from app.domain.cache.outcome import BYPASSED, CacheRecord
from app.domain.call.errand import Purpose
from app.domain.capacity.shares import RequestClass
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.background_charge import BACKGROUND
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.ledger.error_type import FAULTS, error_type
from app.domain.ledger.ledger_row import LedgerRow
from app.domain.policy.findings import Finding
from app.domain.quota.limit import NANO
from app.domain.quota.reservation import Reservation
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Attempt, Verdict

#: Nobody sent a status to a client that left before there was one (nginx's own code for it).
CLIENT_LEFT: Final = 499
#: A PTU drains within a minute: what its last answer said is over by then. Seconds.
REPORTED_FOR_S: Final = 60.0
#: How a hedge ends that is paid for: another deployment had answered first.
GIVEN_UP: Final = "given_up"
_ESTIMATED: Final = "estimated"
#: Requests that are not alike, beyond which they are counted before anybody looks: it is one step.
_MOST_TALLIES: Final = 1_000
#: Receipts whose times and sizes wait for each other.
_MOST_WAITING: Final = 128
_FINISHED: Final = Outcome.FINISHED
_THROTTLED: Final = Verdict.THROTTLED
#: An enum's `name` is computed each time.
_CLASSES: Final = {each: each.name.lower() for each in RequestClass}


class ReceiptMetrics:
    """An Observer."""

    def __init__(self, instruments: Instruments, tenants: TenantLabels) -> None:
        """`tenants` is shared with whatever else has series of tenants."""
        self._tenants = tenants
        self._tallies = Tallies(self._places_of)
        self._waiting = 0  # receipts, for histograms to catch up
        self._catch_up = instruments.catch_up
        self._spending = _Spending(instruments)
        self._routing = _Routing(instruments)
        self._cache = _Cache(instruments)
        self._errands = _Errands(instruments)
        self._requests = instruments.counters(f.REQUESTS)
        self._errors = instruments.counters(f.ERRORS)
        self._latency = instruments.histograms(f.LATENCY)
        self._input = instruments.histograms(f.INPUT_TOKENS)
        self._output = instruments.histograms(f.OUTPUT_TOKENS)
        self._first_token = instruments.histograms(f.FIRST_TOKEN)
        self._output_token = instruments.histograms(f.OUTPUT_TOKEN)
        self._estimated = instruments.counters(f.ESTIMATED)
        self._refusals = instruments.counters(f.QUOTA_REFUSALS)
        self._degraded = instruments.counters(f.DEGRADED)
        self._policies = instruments.counters(f.POLICY_FINDINGS)

    def observe(self, *receipts: Receipt) -> None:
        """Count them."""
        for receipt in receipts:
            self._observe(receipt)
        self._waiting += len(receipts)
        if self._waiting >= _MOST_WAITING:
            self._waiting = 0
            self._catch_up()
        if len(self._tallies) >= _MOST_TALLIES:
            self.count_tallies()

    def _observe(self, receipt: Receipt) -> None:
        """An errand counts only among errands."""
        if receipt.errand is not None:
            self._errands.count(receipt.errand, receipt)
            return
        places = self._tallies.add(receipt)
        if places.latency is not None:
            if receipt.trace_id is None:
                places.latency.later(receipt.duration)
            else:
                places.latency.observe(receipt.duration, _example(receipt))
        else:
            self._failed(receipt, places)
        if receipt.stream and receipt.time_to_first_token is not None:
            self._streamed(receipt, receipt.time_to_first_token, places.model)
        if receipt.findings:
            self._found(receipt.findings)
        self._routing.observe(receipt)
        if receipt.reservation is not None:
            self._reserved(receipt, receipt.reservation, places)

    def _reserved(self, receipt: Receipt, reservation: Reservation, places: Places) -> None:
        if receipt.flags and _ESTIMATED in receipt.flags and BACKGROUND not in receipt.flags:
            self._guessed(receipt)
        if reservation.degraded is not None:
            self._degraded[places.tenant, reservation.degraded].value += 1
        if receipt.cache is not BYPASSED:
            self._cache.observe(receipt.cache, places)

    def _guessed(self, receipt: Receipt) -> None:
        if receipt.deployment is not None and receipt.usage is not None:
            self._estimated[(receipt.deployment,)].value += 1

    def count_tallies(self) -> None:
        """Count what was added up, and what waits; before anybody looks."""
        self._catch_up()
        for tally in self._tallies.take():
            labels = tally.places.model, tally.places.tenant, _status(tally.alike.status)
            self._requests[labels].value += tally.requests
            self._routing.count(tally)
            if tally.reserved:
                self._spending.count(tally)
                self._cache.count(tally)

    def hedged(self, row: LedgerRow) -> None:
        """Count what a hedge cost: it has a row of its own, and no receipt."""
        self._errands.hedged(row)

    def reported(self, now: float) -> dict[tuple[str, ...], float]:
        """By PTU deployment, how full its last answer said that it is; `now` is monotonic."""
        return self._routing.reported(now)

    def _places_of(self, alike: Alike) -> Places:
        model = model_label(alike.model)
        of_model, is_served = (model,), alike.deployment is not None
        return Places(
            model,
            self._tenants(alike.tenant),
            self._latency[of_model] if alike.is_well else None,
            self._input[of_model] if is_served else None,
            self._output[of_model] if is_served else None,
        )

    def _failed(self, receipt: Receipt, places: Places) -> None:
        kind = error_type(receipt)
        if kind is not None:
            self._errors[places.model, kind, FAULTS[kind]].value += 1
        if receipt.limit is not None:
            self._refusals[places.tenant, receipt.limit].value += 1

    def _found(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            self._policies[finding.kind, finding.action].value += 1

    def _streamed(self, receipt: Receipt, first: float, model: str) -> None:
        deployment = receipt.deployment
        if deployment is None:
            return
        example = _example(receipt)
        self._first_token[model, deployment].observe(first, example)
        is_whole, usage = receipt.outcome is _FINISHED, receipt.usage
        if is_whole and usage is not None and usage.output > 1 and _ESTIMATED not in receipt.flags:
            each = max(0.0, receipt.duration - first) / (usage.output - 1)
            self._output_token[model, deployment].observe(each, example)


class _Spending:
    """Tokens and dollars; both are the ledger's."""

    def __init__(self, instruments: Instruments) -> None:
        self._tokens = instruments.counters(f.TOKENS_USED)
        self._of_deployment = instruments.counters(f.DEPLOYMENT_TOKENS)
        self._cost = instruments.counters(f.COST)
        self._cost_of_deployment = instruments.counters(f.DEPLOYMENT_COST)
        self._spill_cost = instruments.counters(f.SPILL_COST)

    def count(self, tally: Tally) -> None:
        alike, model, tenant = tally.alike, tally.places.model, tally.places.tenant
        for kind, tokens in tally.tokens.by_type():
            self._tokens[model, tenant, kind].value += tokens
            self._of_deployment[alike.deployment, kind].value += tokens
        if tally.nano_usd:
            dollars = tally.nano_usd / NANO
            self._cost[model, tenant].value += dollars
            self._cost_of_deployment[alike.deployment, alike.deployment_kind or ""].value += dollars
            if alike.spill is not SpillReason.NONE:
                self._spill_cost[(tenant,)].value += dollars


class _Routing:
    """Who was asked, who refused, and who served in the end."""

    def __init__(self, instruments: Instruments) -> None:
        self._spill = instruments.counters(f.SPILL)
        self._classes = instruments.counters(f.CLASS_REQUESTS)
        self._attempts = instruments.counters(f.ATTEMPTS)
        self._throttles = instruments.counters(f.THROTTLES)
        self._retry_after = instruments.histograms(f.RETRY_AFTER)
        self._wait = instruments.histograms(f.QUEUE_WAIT)
        self._overhead = instruments.histograms(f.OVERHEAD)[()]
        self._reported: dict[str, tuple[float, float]] = {}  # what, and when

    def observe(self, receipt: Receipt) -> None:
        plan, attempts = receipt.plan, receipt.attempts
        waited_s = None if plan is None else plan.waited_s
        if attempts:
            before = attempts[0].started - receipt.started
            if waited_s is not None:
                before = max(0.0, before - waited_s)
            self._overhead.later(before)
        for attempt in attempts:
            tried = attempt.deployment, attempt.verdict
            (self._attempts.get(tried) or self._attempts[tried]).value += 1  # twice as fast
            if attempt.verdict is _THROTTLED:
                self._throttled(attempt)
            if attempt.utilization is not None:
                self._reported[attempt.deployment] = (attempt.utilization, attempt.ended)
        if plan is not None and waited_s is not None and plan.load is not None:
            self._wait[(_CLASSES[plan.load.claim.request_class],)].observe(waited_s)

    def count(self, tally: Tally) -> None:
        alike = tally.alike
        if alike.spill is not SpillReason.NONE:
            self._spill[tally.places.model, alike.spill].value += tally.requests
        if alike.request_class is not None and alike.deployment is not None:
            name = _CLASSES[alike.request_class]
            self._classes[name, alike.spill].value += tally.requests

    def reported(self, now: float) -> dict[tuple[str, ...], float]:
        """What was told lately."""
        told = self._reported.items()
        return {(name,): used for name, (used, at) in told if now - at < REPORTED_FOR_S}

    def _throttled(self, attempt: Attempt) -> None:
        if attempt.throttle is not None:
            self._throttles[attempt.deployment, attempt.throttle].value += 1
        if attempt.retry_after_s is not None:
            self._retry_after[(attempt.deployment,)].observe(attempt.retry_after_s)


class _Cache:
    """What the cache did for requests that it could be asked for."""

    def __init__(self, instruments: Instruments) -> None:
        self._results = instruments.counters(f.CACHE_REQUESTS)
        self._reasons = instruments.counters(f.CACHE_REASONS)
        self._distance = instruments.histograms(f.CACHE_DISTANCE)
        self._saved_cost = instruments.counters(f.CACHE_SAVED_COST)
        self._saved_tokens = instruments.counters(f.CACHE_SAVED_TOKENS)
        self._saved_time = instruments.counters(f.CACHE_SAVED_TIME)

    def count(self, tally: Tally) -> None:
        alike = tally.alike
        self._results[(alike.cache,)].value += tally.reserved
        if alike.cache_reason:
            self._reasons[alike.cache, alike.cache_reason].value += tally.reserved

    def observe(self, cache: CacheRecord, places: Places) -> None:
        if cache.distance is not None:
            self._distance[(cache.result,)].observe(cache.distance)
        if not cache.is_hit:
            return
        model = places.model
        self._saved_cost[model, places.tenant].value += cache.saved_nano_usd / NANO
        self._saved_time[(model,)].value += max(0.0, cache.saved_s)
        if cache.saved is not None:
            for kind, tokens in disjoint(cache.saved):
                self._saved_tokens[model, kind].value += tokens


class _Errands:
    """The gateway's own requests."""

    def __init__(self, instruments: Instruments) -> None:
        self._errands = instruments.counters(f.ERRANDS)
        self._tokens = instruments.counters(f.ERRAND_TOKENS)
        self._cost = instruments.counters(f.ERRAND_COST)

    def count(self, purpose: Purpose, receipt: Receipt) -> None:
        self._errands[purpose, receipt.outcome].value += 1
        if receipt.deployment is not None and receipt.usage is not None:
            self._spent(purpose, receipt.usage, receipt.nano_usd)

    def hedged(self, row: LedgerRow) -> None:
        self._errands[Purpose.HEDGE, GIVEN_UP].value += 1
        usage = Usage(row.input, row.cached_input, row.output, row.reasoning)
        self._spent(Purpose.HEDGE, usage, row.nano_usd)

    def _spent(self, purpose: Purpose, usage: Usage, nano_usd: int) -> None:
        for kind, tokens in disjoint(usage):
            self._tokens[purpose, kind].value += tokens
        self._cost[(purpose,)].value += nano_usd / NANO


def _example(receipt: Receipt) -> dict[str, str] | None:
    """Where a span of it is recorded, its trace is where somebody can look at it."""
    return None if receipt.trace_id is None else {"trace_id": receipt.trace_id}


def _status(status: int | None) -> int | str:
    if status is None:
        return CLIENT_LEFT
    return status if 100 <= status < 600 else OTHER  # noqa: PLR2004  # what HTTP has
