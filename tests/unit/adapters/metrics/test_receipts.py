"""What receipts come to in the metrics."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.adapters.metrics.exposition import Metrics
from app.adapters.metrics.families import FAMILIES
from app.domain.cache.outcome import CacheRecord, CacheResult
from app.domain.call.errand import Purpose
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome, Receipt
from app.domain.policy.findings import Finding, PolicyKind
from app.domain.policy.rules import Action
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Verdict
from app.domain.routing.deployment import Kind
from app.domain.routing.throttle import ThrottleClass
from app.observation import UNKNOWN_MODEL
from tests.fakes.clock import FakeClock
from tests.fakes.receipts import attempt, plan, reservation, served

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def samples_of(metrics: Metrics) -> Samples:
    """Every line of the page."""
    _, page = await metrics.page("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


async def counted(*receipts: Receipt, most_tenants: int = 10) -> Any:
    """What these receipts come to: a function of a line's name and labels."""
    metrics = Metrics(most_tenants, FakeClock())
    for each in receipts:
        metrics.receipts.observe(each)
    samples = await samples_of(metrics)

    def value(name: str, **labels: str) -> float:
        return samples.get((name, frozenset(labels.items())), 0.0)

    return value


async def test_every_family_is_there_before_anything_happens() -> None:
    """With its help and type, so that a dashboard tells "nothing yet" from "no such metric"."""
    _, page = await Metrics(10, FakeClock()).page("")
    for family in FAMILIES:
        assert f"# TYPE {family.name} {family.kind}\n" in page.decode()
        assert f"# HELP {family.name} " in page.decode()


async def test_usage_that_was_not_told_is_counted() -> None:
    """Not of responses in the background, which nobody can tell yet."""
    estimated = {"usage": Usage(5, 0, 3), "reservation": reservation()}
    value = await counted(
        served(**estimated, flags=("estimated",)),
        served(**estimated, flags=("estimated", "background")),
    )
    assert value("llm_usage_estimated_total", deployment="ptu") == 1


async def test_what_is_counted_together_is_counted_once() -> None:
    """Times and sizes wait for each other, and requests for those that they are like."""
    metrics, together = Metrics(10, FakeClock()), Metrics(10, FakeClock())
    receipts = [
        served(
            duration=place / 64, trace_id=None if place % 3 else "ab" * 16, model=f"m{place % 7}"
        )
        for place in range(300)
    ]
    for receipt in receipts:
        metrics.receipts.observe(receipt)
        metrics.receipts.count_tallies()
    for begin in range(0, 300, 16):
        together.receipts.observe(*receipts[begin : begin + 16])
    expected = await samples_of(metrics)
    assert expected["llm_requests_total", frozenset(_labels_of("m1"))] == 43
    assert _lasting(await samples_of(together)) == _lasting(expected)
    assert _lasting(await samples_of(together)) == _lasting(expected)


def _labels_of(model: str) -> set[tuple[str, str]]:
    return {("model", model), ("tenant", "search"), ("status", "200")}


def _lasting(samples: Samples) -> Samples:
    """What does not count the process itself."""
    return {each: round(value, 9) for each, value in samples.items() if each[0].startswith("llm_")}


async def test_a_stream_is_counted_timed_and_priced() -> None:
    """Tokens by types that are disjoint; 49 tokens in 490 ms are 10 ms each."""
    value = await counted(served())
    assert value("llm_requests_total", model="gpt-4o", tenant="search", status="200") == 1
    of = {"model": "gpt-4o", "deployment": "ptu"}
    assert value("llm_time_to_first_token_seconds_sum", **of) == pytest.approx(0.51)
    assert value("llm_time_per_output_token_seconds_sum", **of) == pytest.approx(0.01)
    assert value("llm_request_latency_seconds_sum", model="gpt-4o") == 1.0
    assert value("llm_gateway_overhead_seconds_sum") == pytest.approx(0.01)
    assert value("llm_request_input_tokens_sum", model="gpt-4o") == 100
    assert value("llm_request_output_tokens_sum", model="gpt-4o") == 50
    for kind, tokens in {"input": 60, "cached_input": 40, "output": 30, "reasoning": 20}.items():
        told = {"model": "gpt-4o", "tenant": "search", "type": kind}
        assert value("llm_tokens_total", **told) == tokens
        assert value("llm_deployment_tokens_total", deployment="ptu", type=kind) == tokens
    assert value("llm_cost_dollars_total", model="gpt-4o", tenant="search") == 0.002
    assert value("llm_deployment_cost_dollars_total", deployment="ptu", kind="ptu") == 0.002
    assert value("llm_attempts_total", deployment="ptu", verdict="accept") == 1
    assert value("llm_class_requests_total", **{"class": "interactive", "spill": "none"}) == 1


async def test_a_spilled_request_tells_why_and_what_it_cost() -> None:
    """And of the PTU that refused it, its reason and for how long it asked to be left alone."""
    refused = attempt(
        "ptu",
        Verdict.THROTTLED,
        status=429,
        retry_after_s=2.0,
        throttle=ThrottleClass.PROVISIONED,
    )
    spilled = served(
        spill=SpillReason.THROTTLED,
        deployment="paygo",
        deployment_kind=Kind.PAYGO,
        attempts=(refused, attempt("paygo", tier=1)),
        plan=plan(waited_s=0.3),
    )
    value = await counted(spilled)
    assert value("llm_spill_total", model="gpt-4o", reason="throttled") == 1
    assert value("llm_spill_cost_dollars_total", tenant="search") == 0.002
    assert value("llm_throttles_total", deployment="ptu", reason="provisioned") == 1
    assert value("llm_retry_after_seconds_sum", deployment="ptu") == 2.0
    assert value("llm_queue_wait_seconds_sum", **{"class": "interactive"}) == pytest.approx(0.3)
    assert value("llm_class_requests_total", **{"class": "interactive", "spill": "throttled"}) == 1


async def test_a_refusal_is_an_error_of_whoever_refused() -> None:
    """With the limit that had no room; it has neither tokens nor latency."""
    refused = served(
        status=429,
        outcome=Outcome.REFUSED,
        error="rate_limit_exceeded",
        limit="tpm",
        reservation=None,
        usage=None,
        deployment=None,
        attempts=(),
        plan=None,
        time_to_first_token=None,
    )
    value = await counted(refused)
    told = {"model": "gpt-4o", "error_type": "rate_limited", "fault": "policy"}
    assert value("llm_errors_total", **told) == 1
    assert value("llm_quota_refusals_total", tenant="search", limit="tpm") == 1
    assert value("llm_requests_total", model="gpt-4o", tenant="search", status="429") == 1
    assert value("llm_request_latency_seconds_count", model="gpt-4o") == 0
    assert value("llm_cache_requests_total", result="bypass") == 0


async def test_a_client_that_left_before_the_answer_is_a_499() -> None:
    """No status was sent; the error is its own."""
    gone = served(status=None, outcome=Outcome.CLIENT_DISCONNECTED)
    value = await counted(gone)
    assert value("llm_requests_total", model="gpt-4o", tenant="search", status="499") == 1
    told = {"model": "gpt-4o", "error_type": "client_disconnected", "fault": "client"}
    assert value("llm_errors_total", **told) == 1


async def test_an_answer_from_the_cache_saves_and_costs_nothing() -> None:
    """It has no time to first token of a deployment; what it saved is told."""
    saved = Usage(input=10, output=5)
    hit = CacheRecord(
        CacheResult.SEMANTIC, "", distance=0.03, saved=saved, saved_nano_usd=3_000, saved_s=1.5
    )
    value = await counted(
        served(cache=hit, deployment=None, attempts=(), plan=None, usage=None, nano_usd=0)
    )
    assert value("llm_cache_requests_total", result="semantic") == 1
    assert value("llm_cache_nearest_distance_sum", result="semantic") == pytest.approx(0.03)
    of = {"model": "gpt-4o", "tenant": "search"}
    assert value("llm_cache_saved_dollars_total", **of) == pytest.approx(3e-6)
    assert value("llm_cache_saved_seconds_total", model="gpt-4o") == 1.5
    assert value("llm_cache_saved_tokens_total", model="gpt-4o", type="input") == 10
    assert value("llm_cost_dollars_total", **of) == 0
    assert value("llm_cache_decisions_total", result="semantic", reason="") == 0


async def test_an_errand_is_counted_among_errands_alone() -> None:
    """No caller sent it; its tokens and dollars are still somebody's."""
    value = await counted(served(errand=Purpose.SAMPLE))
    assert value("spillgate_errands_total", purpose="sample", outcome="finished") == 1
    assert value("spillgate_errand_tokens_total", purpose="sample", type="cached_input") == 40
    assert value("spillgate_errand_cost_dollars_total", purpose="sample") == 0.002
    assert value("llm_requests_total", model="gpt-4o", tenant="search", status="200") == 0
    assert value("llm_tokens_total", model="gpt-4o", tenant="search", type="output") == 0


async def test_a_grant_without_the_account_is_told_by_its_policy() -> None:
    """How many of a tenant's requests ran on credit."""
    value = await counted(served(reservation=reservation(degraded="local_share")))
    assert value("llm_degraded_requests_total", tenant="search", policy="local_share") == 1


async def test_what_callers_write_makes_no_series() -> None:
    """Models that are not configured, strangers and tenants beyond the cap are all `other`."""
    strangers = [served(tenant=None, model=UNKNOWN_MODEL), served(tenant=None, model=None)]
    tenants = [served(tenant=name) for name in ("a", "b", "c", "d", "a")]
    value = await counted(*strangers, *tenants, most_tenants=2)
    told = {"model": "gpt-4o", "status": "200"}
    assert value("llm_requests_total", tenant="a", **told) == 2
    assert value("llm_requests_total", tenant="b", **told) == 1
    assert value("llm_requests_total", tenant="other", **told) == 2
    assert value("llm_requests_total", model="other", tenant="other", status="200") == 2


async def test_a_status_outside_http_is_other() -> None:
    """Whatever an upstream may write there."""
    value = await counted(served(status=999, outcome=Outcome.FINISHED))
    assert value("llm_requests_total", model="gpt-4o", tenant="search", status="other") == 1


async def test_what_policies_find_is_counted_by_kind_and_action() -> None:
    """Whoever asked and whatever the rule is called: those sets are closed."""
    flagged = Finding(PolicyKind.PATTERN, "card", Action.FLAG)
    blocked = Finding(PolicyKind.FEATURE, "forbidden.tools", Action.BLOCK)
    value = await counted(served(findings=(flagged, flagged, blocked)))
    assert value("llm_policy_findings_total", kind="pattern", action="flag") == 2
    assert value("llm_policy_findings_total", kind="feature", action="block") == 1
