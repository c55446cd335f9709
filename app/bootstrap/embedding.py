"""What turns prompts into vectors: a model that ships as a package, or one of `models:`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from itertools import chain
from types import MappingProxyType
from typing import Final

import structlog

from app.adapters.embedder.local import DEFAULT, missing
from app.adapters.embedder.remembering import RememberingEmbedder
from app.adapters.embedder.routed import Ask, EmbeddingModel, RoutedEmbedder
from app.adapters.embedder.threaded import ThreadedEmbedder
from app.ports import Clock
from app.settings import Settings

_MS: Final = 1000
_LOADING_S: Final = 30.0
#: Numbers in a vector, where nobody says how many. Those of the third generation can be had
#: shorter (OpenAI: API reference, embeddings, 2026), which is enough for short prompts.
_DIMENSIONS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "text-embedding-3-small": 512,
        "text-embedding-3-large": 1024,
        "text-embedding-ada-002": 1536,
    }
)


@asynccontextmanager
async def embedding(
    settings: Settings, clock: Clock, ask: Ask
) -> AsyncIterator[RememberingEmbedder | None]:
    """The embedder of a process; None where there is none, which is said once."""
    patience_s = settings.cache.semantic_lookup_ms / _MS
    model = _routed(settings)
    reason = missing(DEFAULT) if settings.cache.embedder.model is None else _unknown(model)
    if reason:
        structlog.get_logger().warning("semantic_cache_off", reason=reason)
        yield None
    elif model is not None:
        async with RoutedEmbedder(ask, model, clock=clock, patience_s=patience_s) as routed:
            yield RememberingEmbedder(routed)
    else:
        async with ThreadedEmbedder(patience_s=patience_s) as local:
            await _loaded(local)
            yield RememberingEmbedder(local)


def _routed(settings: Settings) -> EmbeddingModel | None:
    """None for the one that is built in, and where it is not known how long its vectors are."""
    name, dimensions = settings.cache.embedder.model, settings.cache.embedder.dimensions
    if name is None:
        return None
    target = next(chain.from_iterable(settings.tiers_of(name)))
    base = settings.deployments[target.name].model
    known = dimensions or _DIMENSIONS.get(base)
    return EmbeddingModel(name, base, known) if known else None


def _unknown(model: EmbeddingModel | None) -> str:
    return "" if model else "cache.embedder.dimensions: must be said for this model"


async def _loaded(embedder: ThreadedEmbedder) -> None:
    """Before the first request comes, where that takes no longer than a start may."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LOADING_S):
            await embedder.loaded()
