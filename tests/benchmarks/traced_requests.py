"""What traces cost a request of the data plane: off, on and not chosen, chosen.

The gateway's stages are called in this process, without a server and on doubles; spans are made,
encoded and compressed in their own thread as they would be for a receiver over HTTP, and dropped.
Ways take turns with every request; figures are lower quartiles of a request's processor time,
because what else runs on a machine only ever adds.
`python -m tests.benchmarks.traced_requests`.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from app.adapters.tracing.export import Bounds, exporting_spans
from app.adapters.tracing.gentle_exporter import packed
from app.adapters.tracing.request_tracing import RequestTracing
from app.adapters.tracing.sdk_spans import form_of
from app.domain.tracing.said import NOTHING_SAID
from app.domain.tracing.sampling import Sampler, SamplingPolicy
from app.domain.tracing.span_tree import span_tree
from app.observation import Observation
from tests.fakes.call import FakeCall
from tests.fakes.clock import FakeClock
from tests.fakes.house import House

_REQUESTS: Final = 3000
_STREAMS: Final = 800
_FRAMES: Final = 100
_TIMES: Final = 20_000
_CALL: Final[dict[str, Any]] = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}]}
_TRACEPARENT: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


class Dropping(SpanExporter):
    """Does all of the work but sending."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        packed(spans)
        return SpanExportResult.SUCCESS


@dataclass(frozen=True)
class Way:
    """How much is traced, and whether callers bring a trace."""

    name: str
    ratio: float | None
    headers: dict[str, str]


WAYS: Final = (
    Way("off", None, {}),
    Way("on, none chosen", 0.0, {}),
    Way("on, none chosen, of callers with a trace", 0.0, {"traceparent": _TRACEPARENT}),
    Way("on, chosen", 1.0, {}),
)


async def _house(way: Way, opened: AsyncExitStack) -> House:
    if way.ratio is None:
        return House()
    bounds = Bounds(queue=1_000_000, batch=256, delay_s=0.2, close_s=60)
    form = form_of({"service.name": "spillgate"}, "1")
    out = await opened.enter_async_context(exporting_spans([Dropping()], form, bounds))
    policy = SamplingPolicy(ratio=way.ratio, errors=False, spills=False)
    return House(tracing=RequestTracing(Sampler(policy, random.randbytes), out))


async def _request(house: House, way: Way, fields: dict[str, Any]) -> float:
    """Microseconds of this thread; what a receiver is sent is another's."""
    script = house.upstream("ptu")
    _ = script.streams(*["word "] * _FRAMES) if fields.get("stream") else script.completes("Hello")
    call = FakeCall(fields=fields, headers=way.headers)
    began = time.thread_time()
    await house.serve(call)
    spent = (time.thread_time() - began) * 1e6
    for kept in (house.observer.receipts, house.upstream.asked, house.upstream.responses):
        kept.clear()
    house.accounts.rows.clear()
    return spent


async def _compare(name: str, fields: dict[str, Any], requests: int) -> None:
    async with AsyncExitStack() as opened:
        houses = [(way, await _house(way, opened)) for way in WAYS]
        taken: dict[str, list[float]] = {way.name: [] for way in WAYS}
        for _ in range(requests):
            for way, house in houses:
                taken[way.name].append(await _request(house, way, fields))
    least = {said: statistics.quantiles(times)[0] for said, times in taken.items()}
    base = least.pop("off")
    _say(f"{name}: off {base:.0f} µs")
    for said, spent in least.items():
        _say(f"  {said}: +{spent - base:.1f} µs")


def _parts() -> None:
    """The pieces, each by itself."""
    observation = Observation(FakeCall(), FakeClock())
    entered = _each(lambda: observation.enter("read"))
    _say(f"noting that a stage begins: {entered:.2f} µs, of 6")
    sampler = Sampler(SamplingPolicy(), random.randbytes)
    _say(f"a context that begins here: {_each(lambda: sampler.begin(None, 0.0)):.2f} µs")


async def _tree() -> None:
    sampler = Sampler(SamplingPolicy(ratio=1), random.randbytes)
    house = House(tracing=RequestTracing(sampler, _Kept()))  # type: ignore[arg-type]  # what it does is enough
    house.upstream("ptu").answers(429, code="429", retry_after_ms=1)
    house.upstream("paygo").completes("Hello")
    _, receipt = await house.serve(FakeCall(fields=_CALL))
    form = form_of({}, "1")
    spans = form.spans(span_tree(receipt, {}))
    _say(f"spans of a spilled request: {len(spans)}")
    _say(f"  as a value: {_each(lambda: span_tree(receipt, {}), 2000):.0f} µs")
    _say(f"  and the SDK's: {_each(lambda: form.spans(span_tree(receipt, {})), 2000):.0f} µs")
    _say(f"  encoding and compressing them, in the other thread: {_packing(spans):.0f} µs")


class _Kept:
    def record(self, receipt: Any, said: Any = NOTHING_SAID) -> None:
        """Nothing."""


def _each(work: Any, times: int = _TIMES) -> float:
    took = []
    for _ in range(7):
        began = time.perf_counter()
        for _ in range(times):
            work()
        took.append((time.perf_counter() - began) / times * 1e6)
    return min(took)


def _packing(spans: Sequence[ReadableSpan]) -> float:
    """Microseconds of one request's spans among those of others; the thread rests in between."""
    took = []
    for _ in range(20):
        began = time.thread_time()
        Dropping().export([*spans] * 32)
        took.append((time.thread_time() - began) / 32 * 1e6)
    return min(took)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    """All figures."""
    _parts()
    await _tree()
    await _compare("a whole answer", _CALL, _REQUESTS)
    await _compare(f"a stream of {_FRAMES} frames", {**_CALL, "stream": True}, _STREAMS)


if __name__ == "__main__":
    asyncio.run(main())
