"""What it costs to count one request in the metrics, and what a scrape costs.

Microseconds of processor time, the median of rounds: a streamed request that a PTU served, one that
was throttled and spilled, one that was refused, and the quota that a reservation tells of. For
comparison the streamed one with each child looked up by `.labels()`, as it would be unbound.
`python -m tests.benchmarks.observed_receipts`.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from app.adapters.metrics.exposition import Metrics
from app.adapters.metrics.instruments import Children
from app.adapters.metrics.merging import merged
from app.domain.capacity.spill import SpillReason
from app.domain.ledger.completion import Outcome
from app.domain.quota.limit import Kind, Limit, LimitName, Measure
from app.domain.routing.attempt import Verdict
from app.domain.routing.throttle import ThrottleClass
from tests.fakes.clock import FakeClock
from tests.fakes.receipts import attempt, reservation, served

_ROUNDS: Final = 15
_TIMES: Final = 2000
_SCRAPES: Final = 5
_TENANTS: Final = 100
_WORKERS: Final = 4

_SERVED: Final = served()
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
_GRANTED: Final = reservation(
    Limit(LimitName.RPM, "tenant", Kind.WINDOW, Measure.REQUESTS, 600, window_ms=60_000),
    Limit(LimitName.TPM, "tenant", Kind.WINDOW, Measure.TOKENS, 200_000, window_ms=60_000),
    Limit(LimitName.USD_PER_DAY, "tenant", Kind.DAY, Measure.NANO_USD, 10**12),
    left=(500, 100_000, 10**11),
)


class _Unbound(Children[Any]):
    """Looks a child up each time."""

    def __getitem__(self, labels: Any) -> Any:
        return self._family.labels(*labels) if labels else self._family


def _unbound() -> Metrics:
    metrics = Metrics(_TENANTS, FakeClock())
    parts = vars(metrics.receipts).values()
    for part in (metrics.receipts, *(each for each in parts if hasattr(each, "__dict__"))):
        for name, value in list(vars(part).items()):
            if isinstance(value, Children):
                setattr(part, name, _Unbound(value._family))  # noqa: SLF001  # what is compared
    return metrics


def _us(work: Callable[[], object]) -> float:
    rounds = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        for _ in range(_TIMES):
            work()
        rounds.append((time.process_time() - began) / _TIMES * 1e6)
    return statistics.median(rounds)


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
    metrics, unbound = Metrics(_TENANTS, FakeClock()), _unbound()
    rows = {
        "a stream that a PTU served": lambda: metrics.receipts.observe(_SERVED),
        "the same, spilled after a 429": lambda: metrics.receipts.observe(_SPILLED),
        "refused for a limit": lambda: metrics.receipts.observe(_REFUSED),
        "three limits of a reservation": lambda: metrics.quota.watch(_GRANTED),
        "a stream, children not bound": lambda: unbound.receipts.observe(_SERVED),
    }
    for name, work in rows.items():
        sys.stdout.write(f"{name}: {_us(work):.1f} us\n")
    series, rendering, adding = asyncio.run(_scrape_ms())
    sys.stdout.write(f"a page of {series} series: {rendering:.1f} ms\n")
    sys.stdout.write(f"four of them as one: {adding:.1f} ms\n")


if __name__ == "__main__":
    main()
