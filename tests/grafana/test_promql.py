"""The reader of expressions finds what is wrong with one, so that dashboards' tests can fail."""

from __future__ import annotations

import promql_parser as promql
import pytest

from tests.grafana.promql import Wrong, labels

LATENCY = "sum by (le, model) (rate(llm_request_latency_seconds_bucket[1m]))"
HELD = "sum by (deployment) (llm_deployment_hold_seconds)"
REGIONS = "max by (deployment, region) (llm_deployment_info)"
SPENT = "sum by (job, tenant) (increase(llm_cost_dollars_total[1h]))"


@pytest.mark.parametrize(
    ("expr", "known"),
    [
        ("sum(rate(llm_requests_total[1m]))", ()),
        ("sum by (model) (rate(llm_requests_total[1m]))", ("model",)),
        ("3 * llm_ptu_utilization_ratio", ("job", "instance", "deployment")),
        (f"histogram_quantile(0.9, {LATENCY})", ("model",)),
        (f"{SPENT} or vector(0)", ("job", "tenant")),
        (f"{HELD} * on (deployment) group_left (region) {REGIONS}", ("deployment", "region")),
    ],
)
def test_labels_of_an_expression(expr: str, known: tuple[str, ...]) -> None:
    """What its series can be told apart by."""
    assert labels(promql.parse(expr)) == frozenset(known)


@pytest.mark.parametrize(
    ("expr", "why"),
    [
        ("llm_request_total", "no metric"),
        ("llm_request_latency_seconds", "is a histogram"),
        ("llm_requests_total_bucket", "no metric"),
        ('rate(llm_requests_total{deployment="x"}[1m])', "no label deployment"),
        ("sum by (region) (llm_ptu_utilization_ratio)", "has the label region"),
        ("sum by (model) (llm_deployment_info) / sum by (kind) (llm_deployment_info)", "match"),
        ("llm_deployment_info * on (tenant) up", "not both sides"),
        ("histogram_quantile(0.9, sum(rate(llm_request_latency_seconds_bucket[1m])))", "needs le"),
    ],
)
def test_what_is_wrong_is_found(expr: str, why: str) -> None:
    """A name, a label, a join."""
    with pytest.raises(Wrong, match=why):
        labels(promql.parse(expr))
