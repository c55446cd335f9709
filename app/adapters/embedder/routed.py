"""Text embedded by a deployment, asked through the gateway's own router.

The deployment is one of `models:` like any other, so its credentials, tiers, holds and price are
the gateway's business and not this module's.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from hashlib import blake2b
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec

from app.adapters.embedder.embeddings_api import request_body, vector_of
from app.adapters.embedder.trouble import Notes, Trouble, unavailable
from app.adapters.redis.breaker import Breaker
from app.errors import EmbedderUnavailable, QuotaExceeded, QuotaUnavailable, RequestError
from app.ports import Clock

#: Calls under way at a time; more are refused.
MOST_ASKED: Final = 64
#: How long closing waits for calls that were given up, seconds.
CLOSE_S: Final = 1.0
#: What says nothing of the deployment: one tenant's quota must not pause the others' embedder.
_NOT_ITS_FAULT: Final = (RequestError, QuotaExceeded, QuotaUnavailable)


class Ask(Protocol):
    """How a deployment is asked; whoever composes the gateway has one."""

    async def __call__(self, body: bytes, tenant: str) -> bytes:
        """The body of a successful answer to `POST /embeddings`.

        `body` is a whole request, whose model is a key of `models:`. `tenant` is whose text it is:
        its policy says where the text may be processed; empty where it is nobody's. Raises
        SpillgateError. May be cancelled at any time.
        """
        ...


class EmbeddingModel(msgspec.Struct, frozen=True):
    """A key of `models:`, the one base model of all of its deployments, and what is asked of it."""

    model: str
    base_model: str
    dimensions: int

    @property
    def name(self) -> str:
        """What its vectors are known by: not the key, which may come to mean another base model."""
        plain = re.sub(r"[^a-z0-9]+", "-", self.base_model.lower()).strip("-")
        if plain == self.base_model:
            return plain
        digest = blake2b(self.base_model.encode(), digest_size=4).hexdigest()
        return f"{plain}-{digest}"


class RoutedEmbedder:
    """A deployment as an `Embedder`; usable within `async with`.

    `embedded_total` counts texts, `troubles_total` the calls that got no vector, by reason.
    """

    def __init__(
        self, ask: Ask, model: EmbeddingModel, *, clock: Clock, patience_s: float = 0.2
    ) -> None:
        """No call takes longer than `patience_s` seconds, whatever `ask` does."""
        self.name = model.name
        self.dimensions = model.dimensions
        self.embedded_total = 0
        self.troubles_total: Counter[Trouble] = Counter()
        self._ask = ask
        self._model = model
        self._patience_s = patience_s
        self._breaker = Breaker(clock)
        self._asked: set[asyncio.Task[bytes]] = set()
        self._is_open = False
        self._notes = Notes(model.name)

    async def __aenter__(self) -> Self:
        self._is_open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give up what is under way, within a second."""
        self._is_open = False
        for task in self._asked:
            task.cancel()
        if self._asked:
            await asyncio.wait(self._asked, timeout=CLOSE_S)

    async def embed(self, text: str, tenant: str = "") -> bytes:
        """The vector, of length 1, as little-endian f32. Raises EmbedderUnavailable."""
        trouble = self._trouble()
        if trouble is not None:
            raise self._unavailable(trouble)
        task = self._begin(text, tenant)
        try:
            await asyncio.wait({task}, timeout=self._patience_s)
        except asyncio.CancelledError:
            self._breaker.abandoned()
            raise
        finally:
            # Not awaited: settling what it used may take longer than anybody here waits.
            task.cancel()
        return self._vector(task)

    @property
    def is_well(self) -> bool:
        """Whether it is asked: it did not fail again and again."""
        return self._is_open and not self._breaker.is_lost

    def _trouble(self) -> Trouble | None:
        """Why it is no use to ask."""
        if not self._is_open:
            return Trouble.CLOSED
        if len(self._asked) >= MOST_ASKED:
            return Trouble.FULL
        return None if self._breaker.admits() else Trouble.PAUSED

    def _begin(self, text: str, tenant: str) -> asyncio.Task[bytes]:
        model = self._model
        task = asyncio.create_task(self._embedded(text, tenant), name=f"embed by {model.model}")
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        task.add_done_callback(_retrieve)
        return task

    async def _embedded(self, text: str, tenant: str) -> bytes:
        model = self._model
        body = request_body(
            model.model, text, base_model=model.base_model, dimensions=model.dimensions
        )
        answer = await self._ask(body, tenant)
        return vector_of(answer, dimensions=model.dimensions)

    def _vector(self, task: asyncio.Task[bytes]) -> bytes:
        """What came of it. Raises EmbedderUnavailable."""
        if not task.done():
            self._breaker.failed()
            raise self._unavailable(Trouble.LATE)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, _NOT_ITS_FAULT):
            self._breaker.abandoned()  # this text or this tenant: nothing that a pause mends
        elif error is not None or task.cancelled():
            self._breaker.failed()
        else:
            self._breaker.succeeded()
            self.embedded_total += 1
            return task.result()
        if error is not None:
            self._notes.take("embedder_failed", error)
        raise self._unavailable(Trouble.FAILED) from error

    def _unavailable(self, trouble: Trouble) -> EmbedderUnavailable:
        self.troubles_total[trouble] += 1
        return unavailable(trouble)


def _retrieve(task: asyncio.Task[bytes]) -> None:
    """Nobody else may look at what a call that was given up came to."""
    if not task.cancelled():
        task.exception()
