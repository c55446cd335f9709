"""The arithmetic of docs/scale.md."""

from __future__ import annotations

import pytest

from loadtest.bench.scale import Figures, cell, hottest, report, shards

PLAIN = Figures(gateway_us=100.0, redis_us=50.0, row_bytes=500.0, told_per_s=200, hearing_us=10.0)


def test_what_a_cell_serves_and_hears() -> None:
    """11 workers at half a core; each hears them all 200 times a second, itself too, out of it."""
    found = cell(PLAIN, 11, 0.5)
    assert found.requests_per_s == pytest.approx(11 * (0.5 - 0.022) / 100e-6)
    assert found.hearing_share == pytest.approx(11 * 200 * 10e-6)
    assert found.deliveries_per_s == pytest.approx(11 * 11 * 200)


def test_how_many_nodes() -> None:
    """Half a core each: 100,000 requests take five cores' worth; there is always one."""
    assert shards(PLAIN, 100_000, 0.5) == 10
    assert shards(PLAIN, 1, 0.5) == 1


def test_that_few_tenants_are_uneven_and_many_are_not() -> None:
    """Without skew a node's load comes near the mean; the same again by its seed."""
    even = hottest(20_000, 4, 0.0, 3, seed=1)
    assert max(even) < 1.1
    skewed = hottest(100, 4, 1.0, 3, seed=1)
    assert min(skewed) > max(even)
    assert skewed == hottest(100, 4, 1.0, 3, seed=1)


def test_the_report() -> None:
    """Cores, bytes and cells of what is asked for."""
    told = report(PLAIN, requests_per_s=1_000_000, use=0.5, seed=1)
    assert "- 200 cores of gateways" in told
    assert "- 100 cores of Redis" in told
    assert "- 500 MB/s of ledger" in told
    assert "| 32 | 139,520 | 6% | 204,800 | 8 |" in told
