from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from app.adapters.embedder.local import EmbedderMissing, Encoder
from app.adapters.embedder.threaded import BATCH_CHARS, MOST_WAITING, ThreadedEmbedder
from app.adapters.embedder.trouble import Trouble
from app.errors import EmbedderUnavailable
from tests.fakes.embedder import FakeEncoder, packed

PATIENCE_S = 20.0


@asynccontextmanager
async def opened(
    encoder: FakeEncoder, patience_s: float = PATIENCE_S
) -> AsyncIterator[ThreadedEmbedder]:
    async with ThreadedEmbedder(patience_s=patience_s, load_model=lambda _: encoder) as embedder:
        assert await embedder.loaded()
        try:
            yield embedder
        finally:
            encoder.thaw()


async def began(encoder: FakeEncoder) -> None:
    """Wait until the model is at work."""
    assert await asyncio.to_thread(encoder.began.wait, 30)


async def test_it_computes_in_one_other_thread() -> None:
    """However many ask, and never on the event loop."""
    encoder = FakeEncoder()
    async with opened(encoder) as embedder:
        for i in range(3):
            await asyncio.gather(*(embedder.embed(f"{i} {j}") for j in range(5)))
    assert len(encoder.threads) == 1
    assert threading.get_ident() not in encoder.threads


async def test_what_waited_meanwhile_is_one_batch() -> None:
    """As far as a batch may be long, so that nobody waits for many others."""
    encoder = FakeEncoder()
    long = "x" * (BATCH_CHARS - 10)
    async with opened(encoder) as embedder:
        encoder.freeze()
        first = asyncio.ensure_future(embedder.embed("first"))
        await began(encoder)
        texts = ["a", "b", long, "y" * 11, "z" * 3 * BATCH_CHARS, "c"]
        others = asyncio.gather(*map(embedder.embed, texts))
        await asyncio.sleep(0)
        encoder.thaw()
        await asyncio.gather(first, others)
    assert encoder.batches == [["first"], ["a", "b", long], ["y" * 11], [texts[4]], ["c"]]
    assert (embedder.embedded_total, embedder.batches_total) == (7, 5)


async def test_who_gave_up_costs_nothing() -> None:
    """Texts whose callers left while they waited are not computed."""
    encoder = FakeEncoder()
    async with opened(encoder) as embedder:
        encoder.freeze()
        calls = [asyncio.ensure_future(embedder.embed("first"))]
        await began(encoder)
        calls += [asyncio.ensure_future(embedder.embed(text)) for text in ("left", "stayed")]
        await asyncio.sleep(0)
        calls[1].cancel()
        await asyncio.sleep(0)
        encoder.thaw()
        await asyncio.gather(*calls, return_exceptions=True)
    assert encoder.batches == [["first"], ["stayed"]]


async def test_the_queue_is_bounded() -> None:
    """One more than may wait is refused at once; places of those who left are free again."""
    encoder = FakeEncoder()
    async with opened(encoder) as embedder:
        encoder.freeze()
        calls = [asyncio.ensure_future(embedder.embed("first"))]
        await began(encoder)
        calls += [asyncio.ensure_future(embedder.embed(str(i))) for i in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(EmbedderUnavailable, match="Too many"):
            await embedder.embed("one too many")
        calls[1].cancel()
        await asyncio.sleep(0)
        last = asyncio.ensure_future(embedder.embed("in the place of another"))
        await asyncio.sleep(0)
        assert not last.done()
        encoder.thaw()
        assert len(await last) == 4 * embedder.dimensions
        await asyncio.gather(*calls, return_exceptions=True)
    assert embedder.troubles_total == {Trouble.FULL: 1}


async def test_while_it_is_stuck_nobody_waits() -> None:
    """The first call pays the patience, those after it nothing, until the model comes back."""
    encoder = FakeEncoder()
    async with opened(encoder, patience_s=0.1) as embedder:
        encoder.freeze()
        with pytest.raises(EmbedderUnavailable, match="too long"):
            await embedder.embed("first")
        for _ in range(2 * MOST_WAITING):
            with pytest.raises(EmbedderUnavailable, match="does not come back"):
                await embedder.embed("others")
        encoder.thaw()
        async with asyncio.timeout(30):
            while embedder.embedded_total == 0:
                await asyncio.sleep(0.005)
    assert embedder.troubles_total == {Trouble.LATE: 1, Trouble.STUCK: 2 * MOST_WAITING}
    assert encoder.batches == [["first"]]


async def test_a_text_that_the_model_cannot_take_harms_no_other() -> None:
    """Its batch is computed again, one by one; the log has the error once and not the text."""
    encoder = FakeEncoder({"good": (3, 4)})
    encoder.poison = "my secret prompt"
    async with opened(encoder) as embedder:
        with capture_logs() as logs:
            for _ in range(2):
                encoder.freeze()
                first = asyncio.ensure_future(embedder.embed("first"))
                await began(encoder)
                both = asyncio.gather(
                    embedder.embed(encoder.poison), embedder.embed("good"), return_exceptions=True
                )
                await asyncio.sleep(0)
                encoder.thaw()
                await first
                bad, good = await both
                assert isinstance(bad, EmbedderUnavailable)
                assert good == packed((0.6, 0.8), embedder.dimensions)
    assert [(each["event"], each["error"]) for each in logs] == [("embedder_failed", "ValueError")]
    assert "secret" not in repr(logs)


async def test_nobody_waits_for_loading() -> None:
    """Calls are refused at once until the model is there; entering the scope does not wait."""
    may_load = threading.Event()
    encoder = FakeEncoder()

    def load(_: str) -> Encoder:
        may_load.wait()
        return encoder

    async with ThreadedEmbedder(patience_s=PATIENCE_S, load_model=load) as embedder:
        with pytest.raises(EmbedderUnavailable, match="not loaded"):
            await embedder.embed("early")
        may_load.set()
        assert await embedder.loaded()
        assert await embedder.embed("later")


async def test_a_model_that_cannot_be_loaded_is_told_of_and_refused() -> None:
    """The gateway runs on without; the log says what to install."""

    def load(_: str) -> Encoder:
        raise EmbedderMissing("pip install 'spillgate[semantic]'")

    with capture_logs() as logs:
        async with ThreadedEmbedder(load_model=load) as embedder:
            assert not await embedder.loaded()
            with pytest.raises(EmbedderUnavailable, match="not loaded"):
                await embedder.embed("never")
    assert logs == [
        {
            "event": "embedder_not_loaded",
            "log_level": "error",
            "embedder": "use-multilingual-3",
            "error": "EmbedderMissing",
            "reason": "pip install 'spillgate[semantic]'",
        }
    ]


async def test_closing_does_not_wait_for_a_model_that_hangs() -> None:
    """Whoever waits is told, the thread is left behind, and its late result hurts nobody."""
    encoder = FakeEncoder()
    with capture_logs() as logs:
        async with ThreadedEmbedder(
            patience_s=PATIENCE_S, load_model=lambda _: encoder
        ) as embedder:
            assert await embedder.loaded()
            encoder.freeze()
            stuck = asyncio.ensure_future(embedder.embed("stuck"))
            await began(encoder)
            waiting = asyncio.ensure_future(embedder.embed("waiting"))
            await asyncio.sleep(0)
        with pytest.raises(EmbedderUnavailable, match="closed"):
            await waiting
        with pytest.raises(EmbedderUnavailable, match="closed"):
            await embedder.embed("afterwards")
    assert [each["event"] for each in logs] == ["embedder_abandoned"]
    encoder.thaw()
    assert len(await stuck) == 4 * embedder.dimensions


async def test_what_is_under_way_is_finished_on_closing() -> None:
    """Within the second that closing waits."""
    encoder = FakeEncoder()
    async with ThreadedEmbedder(patience_s=PATIENCE_S, load_model=lambda _: encoder) as embedder:
        assert await embedder.loaded()
        call = asyncio.ensure_future(embedder.embed("under way"))
        await began(encoder)
    assert len(await call) == 4 * embedder.dimensions


def test_the_end_of_the_process_does_not_wait_either() -> None:
    """A process whose model hangs ends; an executor's thread would be waited for, for ever."""
    threads = {thread for thread in threading.enumerate() if thread.name.startswith("embedder ")}

    async def leave_behind() -> None:
        encoder = FakeEncoder()
        async with ThreadedEmbedder(load_model=lambda _: encoder) as embedder:
            await embedder.loaded()
            left = {t for t in threading.enumerate() if t.name.startswith("embedder ")} - threads
            assert [thread.daemon for thread in left] == [True]

    asyncio.run(leave_behind())
