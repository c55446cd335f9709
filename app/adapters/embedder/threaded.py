"""A model on this machine behind the port: off the event loop, in batches, within a patience.

One thread computes, one batch at a time, of what was asked for meanwhile. A model that is stuck
costs whoever asks nothing: while one batch takes longer than the patience, calls are refused at
once, and the first batch that comes back ends that.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

import msgspec
import structlog

from app.adapters.embedder.local import DEFAULT, MODELS, EmbedderMissing, Encoder, load
from app.adapters.embedder.thread import Worker
from app.adapters.embedder.trouble import Notes, Trouble, unavailable
from app.errors import EmbedderUnavailable

#: Calls that wait at a time; more are refused.
MOST_WAITING: Final = 64
#: Characters of a batch, about 10 ms; a longer text is a batch by itself.
BATCH_CHARS: Final = 1500
#: How long closing waits for the batch at hand, seconds.
CLOSE_S: Final = 1.0


class _Call(msgspec.Struct, frozen=True):
    text: str
    vector: asyncio.Future[bytes | Trouble]

    def answer(self, vector: bytes | Trouble) -> None:
        """Tell whoever still waits."""
        if not self.vector.done():
            self.vector.set_result(vector)


class ThreadedEmbedder:
    """An `Encoder` as an `Embedder`; usable within `async with`, by one event loop.

    `embedded_total` counts texts, `batches_total` what they were computed in, and
    `troubles_total` the calls that got no vector, by reason.
    """

    def __init__(
        self,
        model: str = DEFAULT,
        *,
        patience_s: float = 0.2,
        load_model: Callable[[str], Encoder] = load,
    ) -> None:
        """A model of `local.MODELS`; no call takes longer than `patience_s` seconds."""
        self.name = model
        self.dimensions = MODELS[model].dimensions
        self.embedded_total = 0
        self.batches_total = 0
        self.troubles_total: Counter[Trouble] = Counter()
        self._patience_s = patience_s
        self._load = load_model
        self._encoder: Encoder | None = None
        self._worker: Worker | None = None
        self._waiting: deque[_Call] = deque()
        self._loaded = asyncio.Event()
        self._busy_since: float | None = None
        self._notes = Notes(model)

    async def __aenter__(self) -> Self:
        """Begin to load the model; `embed` raises EmbedderUnavailable until that is done."""
        self._worker = Worker(f"embedder {self.name}")
        self._worker.submit(lambda: self._load(self.name), self._on_loaded)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Refuse whoever waits, and let go of the thread, within a second."""
        worker, self._worker = self._worker, None
        for call in self._waiting:
            call.answer(Trouble.CLOSED)
        self._waiting.clear()
        if worker is not None and not await worker.stop(CLOSE_S):
            structlog.get_logger().warning("embedder_abandoned", embedder=self.name)

    async def loaded(self) -> bool:
        """Wait until the model is loaded; False where it cannot be, which was logged."""
        await self._loaded.wait()
        return self._encoder is not None

    async def embed(self, text: str, tenant: str = "") -> bytes:  # noqa: ARG002  # for routed ones
        """The vector, of length 1, as little-endian f32. Raises EmbedderUnavailable."""
        trouble = self._trouble()
        if trouble is not None:
            raise self._unavailable(trouble)
        call = _Call(text, asyncio.get_running_loop().create_future())
        self._waiting.append(call)
        self._work()
        try:
            async with asyncio.timeout(self._patience_s):
                vector = await call.vector
        except TimeoutError:
            vector = Trouble.LATE
        if isinstance(vector, Trouble):
            raise self._unavailable(vector)
        return vector

    @property
    def is_well(self) -> bool:
        """Whether its model is loaded and its thread comes back; a crowd passes."""
        return self._trouble() in {None, Trouble.FULL}

    def _trouble(self) -> Trouble | None:
        """Why it is no use to wait."""
        if self._worker is None:
            return Trouble.CLOSED
        if self._encoder is None:
            return Trouble.LOADING
        if self._busy_since is not None and self._now() > self._busy_since + self._patience_s:
            return Trouble.STUCK
        if len(self._waiting) >= MOST_WAITING:
            self._waiting = deque(call for call in self._waiting if not call.vector.done())
        return Trouble.FULL if len(self._waiting) >= MOST_WAITING else None

    def _unavailable(self, trouble: Trouble) -> EmbedderUnavailable:
        self.troubles_total[trouble] += 1
        return unavailable(trouble)

    def _work(self) -> None:
        """Hand the next batch to the thread, if it has none."""
        if self._worker is None or self._encoder is None or self._busy_since is not None:
            return
        if not (batch := self._batch()):
            return
        encoder, texts = self._encoder, [call.text for call in batch]
        self._busy_since = self._now()
        self._worker.submit(
            lambda: _encode(encoder, texts),
            lambda vectors, error: self._on_encoded(batch, vectors, error),
        )

    def _batch(self) -> list[_Call]:
        """What is computed at once: the longest waiting, whoever gave up left out."""
        batch: list[_Call] = []
        room = BATCH_CHARS
        while self._waiting and (not batch or len(self._waiting[0].text) <= room):
            call = self._waiting.popleft()
            if not call.vector.done():
                batch.append(call)
                room -= len(call.text)
        return batch

    def _on_loaded(self, encoder: Encoder | None, error: Exception | None) -> None:
        self._encoder = encoder
        self._loaded.set()
        if error is not None:
            reason = str(error) if isinstance(error, EmbedderMissing) else ""
            self._notes.take("embedder_not_loaded", error, reason=reason)

    def _on_encoded(
        self, batch: Sequence[_Call], results: Sequence[bytes | Exception], _: Exception | None
    ) -> None:
        self._busy_since = None
        self.batches_total += 1
        for call, result in zip(batch, results, strict=True):
            if isinstance(result, bytes):
                self.embedded_total += 1
                call.answer(result)
            else:
                self._notes.take("embedder_failed", result)
                call.answer(Trouble.FAILED)
        self._work()

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _encode(encoder: Encoder, texts: Sequence[str]) -> list[bytes] | list[bytes | Exception]:
    """All of them at once; each by itself where that fails, so that one does not harm others."""
    try:
        return encoder.encode(texts)
    except Exception:  # noqa: BLE001  # the second try tells whose it is
        return [_encode_one(encoder, text) for text in texts]


def _encode_one(encoder: Encoder, text: str) -> bytes | Exception:
    try:
        return encoder.encode([text])[0]
    except Exception as error:  # noqa: BLE001  # noted on the loop
        return error
