"""A way to Redis, one server or a cluster, opened alike."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from redis.asyncio.client import PubSub

from app.adapters.redis.batch import Batch, batching
from app.adapters.redis.cluster import ClusterBatch, ClusterSubscriber, clustered
from app.adapters.redis.connection import (
    BATCH_TIMEOUT_S,
    OPERATION_TIMEOUT_S,
    redis_breaker,
    redis_client,
    subscribing_client,
)
from app.ports import Clock


class Subscriber(Protocol):
    """Whoever can subscribe to channels."""

    def pubsub(self) -> PubSub:
        """A subscription of its own."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where Redis is; a round trip to it has `patience_s` seconds."""

    url: str = field(repr=False)
    cluster: bool = False
    patience_s: float = OPERATION_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Store:
    """Commands on keys, and subscriptions."""

    batch: Batch
    subscriber: Subscriber


@asynccontextmanager
async def opened_store(place: Place, clock: Clock, name: str = "redis") -> AsyncIterator[Store]:
    """A way of its own to Redis, which need not answer yet, nor always; the log calls it `name`."""
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        if place.cluster:
            cluster = await enter(
                clustered(place.url, clock, name=name, patience_s=place.patience_s)
            )
            yield Store(ClusterBatch(cluster), ClusterSubscriber(cluster))
            return
        client = await enter(
            redis_client(place.url, operation_timeout_s=place.patience_s + BATCH_TIMEOUT_S)
        )
        breaker = redis_breaker(clock, name)
        batch = await enter(batching(client, breaker, patience_s=place.patience_s))
        yield Store(batch, await enter(subscribing_client(place.url)))
