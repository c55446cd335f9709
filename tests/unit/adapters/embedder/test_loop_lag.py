"""What embedding costs whoever shares its process; prints what it measured (`pytest -rP`)."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest
import uvloop

from app.adapters.embedder import local
from app.adapters.embedder.threaded import ThreadedEmbedder
from app.errors import EmbedderUnavailable

SECONDS = 10.0
EACH_S = 0.001
#: By how much other requests may be late, seconds.
P99_S = 0.02
CALLERS = 8
PROMPT = (
    "How do I change the delivery address of an order that was already shipped to another country?"
)


async def lag_p99() -> float:
    """How late a task wakes up that asked for a millisecond, seconds: 99 of 100 wake earlier."""
    late: list[float] = []
    ends = time.perf_counter() + SECONDS
    while (began := time.perf_counter()) < ends:
        await asyncio.sleep(EACH_S)
        late.append(time.perf_counter() - began - EACH_S)
    return sorted(late)[len(late) * 99 // 100]


async def asking(embedder: ThreadedEmbedder, text: str, done: list[float]) -> None:
    while True:
        began = time.perf_counter()
        with suppress(EmbedderUnavailable):
            await embedder.embed(text)
            done.append(time.perf_counter() - began)
        await asyncio.sleep(0)


@pytest.mark.long
@pytest.mark.timeout(120)
@pytest.mark.parametrize("model", local.MODELS)
@pytest.mark.parametrize("repeats", [1, 12])
def test_the_loop_goes_on_while_texts_are_embedded(model: str, repeats: int) -> None:
    """Without a pause, by eight callers: p99 lag under 20 ms more than the machine's own."""
    if reason := local.missing(model):
        pytest.skip(reason)
    text = PROMPT * repeats

    async def measured() -> tuple[float, float, list[float], int]:
        async with ThreadedEmbedder(model, patience_s=5) as embedder:
            assert await embedder.loaded()
            idle = await lag_p99()
            done: list[float] = []
            callers = [asyncio.ensure_future(asking(embedder, text, done)) for _ in range(CALLERS)]
            busy = await lag_p99()
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)
            return idle, busy, sorted(done), embedder.batches_total

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        idle, busy, done, batches = runner.run(measured())
    print(  # noqa: T201  # the measurement is half of what this test is for
        f"{model}, {len(text)} characters: loop lag p99 {busy * 1000:.1f} ms, idle "
        f"{idle * 1000:.1f} ms; {len(done) / SECONDS:.0f} texts/s in {batches} batches, "
        f"p50 {done[len(done) // 2] * 1000:.1f} ms, p99 {done[len(done) * 99 // 100] * 1000:.1f} ms"
    )
    assert busy < P99_S + idle
