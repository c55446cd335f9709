"""What is read when somebody asks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Histogram

from app.adapters.metrics.exposition import OPENMETRICS, TEXT, Metrics
from app.adapters.metrics.families import IN_FLIGHT, LEDGER_DROPPED, LOST
from app.adapters.metrics.loop_lag import LoopLag
from tests.fakes.clock import FakeClock
from tests.fakes.receipts import attempt, served


async def text_of(metrics: Metrics) -> str:
    _, page = await metrics.page("")
    return page.decode()


async def test_readers_are_asked_at_each_scrape() -> None:
    """Gauges and counters alike; several may tell parts of one family."""
    metrics, running = Metrics(10, FakeClock()), [3.0]
    metrics.readings.add(IN_FLIGHT, lambda: {(): running[0]})
    metrics.readings.add(LOST, lambda: {("span",): 1.0})
    metrics.readings.add(LOST, lambda: {("explanation",): 2.0})
    assert "llm_requests_in_flight 3.0\n" in await text_of(metrics)
    running[0] = 4.0
    page = await text_of(metrics)
    assert "llm_requests_in_flight 4.0\n" in page
    assert 'spillgate_telemetry_lost_total{kind="span"} 1.0\n' in page
    assert 'spillgate_telemetry_lost_total{kind="explanation"} 2.0\n' in page


async def test_a_reader_that_fails_leaves_its_part_out() -> None:
    """All else is told."""

    def fails() -> Mapping[tuple[str, ...], float]:
        raise RuntimeError("no")

    metrics = Metrics(10, FakeClock())
    metrics.readings.add(IN_FLIGHT, fails)
    metrics.readings.add(LEDGER_DROPPED, lambda: {("refused",): 7.0})
    page = await text_of(metrics)
    assert "\nllm_requests_in_flight " not in page
    assert 'spillgate_ledger_dropped_rows_total{kind="refused"} 7.0\n' in page


async def test_the_page_is_told_in_the_form_that_is_asked_for() -> None:
    """As Prometheus 2 asks, which prefers OpenMetrics; anybody else gets plain text."""
    metrics = Metrics(10, FakeClock())
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    content_type, page = await metrics.page(accept)
    assert content_type == OPENMETRICS
    assert page.endswith(b"# EOF\n")
    content_type, page = await metrics.page("*/*")
    assert content_type == TEXT
    assert b"# EOF" not in page


async def test_a_recorded_request_is_the_example_of_its_bucket() -> None:
    """By its trace, so that a dashboard's point leads to a request; others have none."""
    metrics = Metrics(10, FakeClock())
    metrics.receipts.observe(served(trace_id="0af7651916cd43dd8448eb211c80319c"))
    metrics.receipts.observe(served(duration=3.0))
    page = (await metrics.openmetrics()).decode()
    recorded = [line for line in page.splitlines() if "# {trace_id=" in line]
    assert {line.partition("{")[0] for line in recorded} == {
        "llm_request_latency_seconds_bucket",
        "llm_time_to_first_token_seconds_bucket",
        "llm_time_per_output_token_seconds_bucket",
    }
    assert all('{trace_id="0af7651916cd43dd8448eb211c80319c"}' in line for line in recorded)
    assert len(recorded) == 3


async def test_what_a_ptu_reported_is_told_for_a_minute() -> None:
    """Afterwards it has drained, and nobody has said so."""
    clock = FakeClock(now=100.6)
    metrics = Metrics(10, clock)
    metrics.receipts.observe(served(attempts=(attempt(utilization=0.8),)))
    assert 'llm_ptu_reported_utilization_ratio{deployment="ptu"} 0.8\n' in await text_of(metrics)
    clock.advance(61)
    assert "\nllm_ptu_reported_utilization_ratio{" not in await text_of(metrics)


async def test_a_loop_that_was_held_up_is_seen() -> None:
    """By how much, as those saw it whom it served."""
    registry = CollectorRegistry()
    lag = LoopLag(Histogram("lag", "", registry=registry, buckets=(0.05,)), every_s=0.001)
    looking = asyncio.create_task(lag.keep_looking())
    await asyncio.sleep(0)
    time.sleep(0.1)  # noqa: ASYNC251  # that is what is looked for
    async with asyncio.timeout(60):
        while not registry.get_sample_value("lag_count"):
            await asyncio.sleep(0.001)
    looking.cancel()
    assert (registry.get_sample_value("lag_sum") or 0.0) > 0.05
