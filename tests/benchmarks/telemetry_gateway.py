"""A gateway whose telemetry is changed while it runs, as a process of its own.

Reads the configuration as one line of JSON, then one way after the other by its name; answers each
with the processor time, in nanoseconds, that its loop and its other threads have used. What is off
is not there: the gateway of a way has no observer, and no tracing, but its own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any, Final

from app.adapters.bunches import Bunches, in_bunches
from app.adapters.explanations import Explanations
from app.adapters.logs import configure_logs
from app.adapters.logs.request_log import RequestLog
from app.adapters.metrics.receipts import ReceiptMetrics
from app.bootstrap.gateway import Snapshot, snapshot
from app.bootstrap.process import Process
from app.bootstrap.running import running
from app.bootstrap.tracing import tracing
from app.ports import Observer
from app.settings import Settings, build
from tests.fakes.changed import replace

#: By their names, who is told of receipts, and the part of requests that is traced; None: off.
WAYS: Final[dict[str, tuple[tuple[type, ...], float | None]]] = {
    "off": ((), None),
    "metrics": ((ReceiptMetrics,), None),
    "log line": ((RequestLog,), None),
    "explanation": ((Explanations,), None),
    "traces, 0 %": ((), 0.0),
    "traces, 1 %": ((), 0.01),
    "traces, 100 %": ((), 1.0),
    "all of them, traces 1 %": ((ReceiptMetrics, RequestLog, Explanations), 0.01),
}


async def _gateway(process: Process, opened: AsyncExitStack, name: str) -> Snapshot:
    kinds, part = WAYS[name]
    settings, resources = process.current.settings, process.resources
    traced = None
    if part is not None:
        asked = settings.tracing.model_copy(update={"sample": part})
        settings = settings.model_copy(update={"tracing": asked})
        traced = await opened.enter_async_context(tracing(asked, str))
    bunches = opened.enter_context(in_bunches(_of(resources.observers, kinds)))
    observers = (bunches,) if kinds else ()
    return await snapshot(settings, replace(resources, observers=observers, traced=traced))


def _of(observers: Iterable[Observer], kinds: tuple[type, ...]) -> tuple[Observer, ...]:
    told = (each for bunches in observers if isinstance(bunches, Bunches) for each in bunches.told)
    found = tuple(each for each in told if isinstance(each, kinds))
    assert len(found) == len(kinds), "an observer has another name now"
    return found


def _say(**said: Any) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


async def _serve(settings: Settings) -> None:
    with configure_logs() as logs:
        async with AsyncExitStack() as opened, running(settings, logs=logs) as process:
            gateways = {name: await _gateway(process, opened, name) for name in WAYS}
            gc.collect()
            gc.freeze()  # a look at all that was made before would be in somebody's turn
            _say(url=process.data_url)
            while name := (await asyncio.to_thread(sys.stdin.readline)).strip():
                process.current = gateways[name]
                loop = time.thread_time_ns()
                _say(loop=loop, others=time.process_time_ns() - loop)


if __name__ == "__main__":
    asyncio.run(_serve(build(json.loads(sys.stdin.readline()))))
