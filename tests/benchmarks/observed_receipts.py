"""What it costs to watch one request, and what a scrape costs.

Microseconds of processor time, the least of many rounds: to have the request observed from its
beginning to its receipt; to count the receipt in the metrics, of a streamed request that a PTU
served, of one that was throttled and spilled, and of one that was refused; the quota that a
reservation tells of; its explanation, until it is handed to Redis; its line in the log, as one of
a part of a bunch, where 20 secrets are known, until it is handed to the thread that writes.
`python -m tests.benchmarks.observed_receipts`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.adapters.bunches import PART
from app.adapters.clock import SystemClock
from app.adapters.logs import configure_logs
from app.adapters.logs.request_log import RequestLog
from app.adapters.metrics.exposition import Metrics
from app.adapters.metrics.merging import merged
from app.domain.capacity.spill import SpillReason
from app.domain.explain.kept import Packing
from app.domain.ledger.completion import Outcome, Stage
from app.domain.quota.limit import Kind, Limit, LimitName, Measure
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Verdict
from app.domain.routing.throttle import ThrottleClass
from app.observation import Observation
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.receipts import attempt, reservation, served

_ROUNDS: Final = 15
_TIMES: Final = 2000
_SCRAPES: Final = 5
_TENANTS: Final = 100
_WORKERS: Final = 4
_STAGES: Final[tuple[Stage, ...]] = (
    "authenticate", "read", "admit", "cache", "route", "upstream",
)  # fmt: skip
_USAGE: Final = Usage(100, 0, 50)

_GRANTED: Final = reservation(
    Limit(LimitName.RPM, "tenant", Kind.WINDOW, Measure.REQUESTS, 600, window_ms=60_000),
    Limit(LimitName.TPM, "tenant", Kind.WINDOW, Measure.TOKENS, 200_000, window_ms=60_000),
    Limit(LimitName.USD_PER_DAY, "tenant", Kind.DAY, Measure.NANO_USD, 10**12),
    left=(500, 100_000, 10**11),
)
_SERVED: Final = served(reservation=_GRANTED)
_REFUSED_ATTEMPT: Final = attempt(
    "ptu", Verdict.THROTTLED, status=429, retry_after_s=1.0, throttle=ThrottleClass.PROVISIONED
)
_SPILLED: Final = served(
    deployment="paygo",
    spill=SpillReason.THROTTLED,
    attempts=(_REFUSED_ATTEMPT, attempt("paygo", tier=1)),
)
_REFUSED: Final = served(
    status=429, error="rate_limit_exceeded", limit="tpm", outcome=Outcome.REFUSED, attempts=(),
    deployment=None, usage=None, plan=None, reservation=None, time_to_first_token=None,
)  # fmt: skip


def _us(work: Callable[[], object]) -> float:
    rounds = []
    for _ in range(_ROUNDS):
        began = time.thread_time()
        for _ in range(_TIMES):
            work()
        rounds.append((time.thread_time() - began) / _TIMES * 1e6)
    return min(rounds)


def _observed(call: FakeCall, clock: SystemClock) -> None:
    observation = Observation(call, clock)
    for stage in _STAGES:
        observation.enter(stage)
    observation.answered()
    observation.conclude(200, None)
    observation.charged(_USAGE, 5, ())


def _log() -> Callable[..., None]:
    """Written to where nobody reads."""
    logs = configure_logs("info", Path(os.devnull).open("w"))  # noqa: SIM115  # until the end
    logs.redaction.know(f"a secret of this gateway's, number {number}" for number in range(20))
    return RequestLog(logs.flood, logs.write_request).observe


async def _scrape_ms() -> tuple[int, float, float]:
    """Series of a page, milliseconds to render it, and to add up four."""
    metrics = Metrics(_TENANTS, FakeClock())
    for number in range(_TENANTS):
        metrics.receipts.observe(served(tenant=f"tenant-{number}"))
        metrics.receipts.observe(served(tenant=f"tenant-{number}", model=f"model-{number % 10}"))
    page = await metrics.openmetrics()
    began = time.process_time()
    for _ in range(_SCRAPES):
        await metrics.openmetrics()
    rendered = time.process_time()
    for _ in range(_SCRAPES):
        merged([page] * _WORKERS)
    ended = time.process_time()
    series = sum(not line.startswith(b"#") for line in page.splitlines())
    return series, (rendered - began) / _SCRAPES * 1e3, (ended - rendered) / _SCRAPES * 1e3


def main() -> None:
    """Print a table."""
    metrics, log, call, clock = Metrics(_TENANTS, FakeClock()), _log(), FakeCall(), SystemClock()
    packed = Packing().packed
    rows = {
        "observed, to its receipt": lambda: _observed(call, clock),
        "counted: a stream that a PTU served": lambda: metrics.receipts.observe(_SERVED),
        "the same, spilled after a 429": lambda: metrics.receipts.observe(_SPILLED),
        "refused for a limit": lambda: metrics.receipts.observe(_REFUSED),
        "three limits of a reservation": lambda: metrics.quota.watch(_GRANTED),
        "its explanation": lambda: packed(_SERVED),
    }
    for name, work in rows.items():
        sys.stdout.write(f"{name}: {_us(work):.1f} us\n")
    line_us = _us(lambda: log(*[_SERVED] * PART)) / PART
    sys.stdout.write(f"its line in the log, told with others: {line_us:.1f} us\n")
    series, rendering, adding = asyncio.run(_scrape_ms())
    sys.stdout.write(f"a page of {series} series: {rendering:.1f} ms\n")
    sys.stdout.write(f"four of them as one: {adding:.1f} ms\n")


if __name__ == "__main__":
    main()
