"""The page as Prometheus' own tool reads it."""

from __future__ import annotations

import subprocess

from app.adapters.metrics.exposition import Metrics
from app.domain.routing.attempt import Verdict
from tests.fakes.clock import FakeClock
from tests.fakes.receipts import attempt, served
from tests.tools.debian import program


async def test_promtool_finds_nothing_to_say() -> None:
    """Names, help, units and types of every family, and the series of some requests."""
    metrics = Metrics(10, FakeClock())
    throttled = attempt("ptu", Verdict.THROTTLED, status=429, retry_after_s=1.0)
    for each in (served(), served(attempts=(throttled, attempt("paygo", tier=1)))):
        metrics.receipts.observe(each)
    _, page = await metrics.page("text/plain")
    answer = subprocess.run(  # noqa: ASYNC221  # nobody else is served meanwhile
        [program("promtool", package="prometheus"), "check", "metrics"],
        input=page,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert (answer.returncode, answer.stdout.decode()) == (0, "")
