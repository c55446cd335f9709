from __future__ import annotations

import pytest

from loadtest.bench.closed_loop import found
from loadtest.bench.driving import LoadFailed

SAID = """
finished in 1.50s, 2.00 req/s, 1.1KB/s
requests: 4 total, 4 started, 4 done, 3 succeeded, 1 failed, 0 errored, 0 timeout
status codes: 3 2xx, 0 3xx, 1 4xx, 0 5xx
"""
LOG = "1\t200\t1500\n2\t429\t9\n3\t200\t500\n4\t200\t1000\n"


def test_what_h2load_says_is_read() -> None:
    """Only answers that were given are answers; a refusal at once makes nobody fast."""
    closed = found(SAID, LOG)
    assert (closed.answered, closed.failed, closed.seconds) == (3, 1, 1.5)
    assert (closed.p50, closed.p99, closed.per_s) == (1.0, 1.5, 2.0)


def test_other_units_are_read() -> None:
    """A short load ends in milliseconds or microseconds."""
    assert found(SAID.replace("1.50s", "250.00ms"), LOG).seconds == 0.25
    assert found(SAID.replace("1.50s", "800us"), LOG).seconds == pytest.approx(0.0008)


def test_what_is_no_result_is_told() -> None:
    """Such as that nobody listens."""
    with pytest.raises(LoadFailed, match="connection refused"):
        found("connection refused", "")
