"""A way to Redis, one server or a cluster, opened alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Protocol

import msgspec
from redis.asyncio.client import PubSub

from app.adapters.redis.batch import Batch, batching
from app.adapters.redis.cluster import ClusterBatch, ClusterSubscriber, clustered
from app.adapters.redis.connection import (
    Place,
    batching_client,
    breaker_of,
    subscribing_client,
)
from app.ports import Clock

__all__ = ["Place", "Store", "Subscriber", "opened_store"]


class Subscriber(Protocol):
    """Whoever can subscribe to channels."""

    def pubsub(self) -> PubSub:
        """A subscription of its own."""
        ...


class Store(msgspec.Struct, frozen=True):
    """Commands on keys, subscriptions, and the servers one by one, for what has no key.

    `hurry` has lost servers asked at once whether they are back.
    """

    batch: Batch
    subscriber: Subscriber
    servers: Callable[[], Sequence[Batch]]
    hurry: Callable[[], None]


@asynccontextmanager
async def opened_store(place: Place, clock: Clock, name: str = "redis") -> AsyncIterator[Store]:
    """A way of its own to Redis, which need not answer yet, nor always; the log calls it `name`."""
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        if place.cluster:
            cluster = await enter(clustered(place, clock, name=name))
            subscriber = ClusterSubscriber(cluster)
            yield Store(ClusterBatch(cluster), subscriber, cluster.batches, cluster.hurry)
            return
        client = await enter(batching_client(place))
        breaker = opened.enter_context(breaker_of(place, clock, name))
        batch = await enter(
            batching(client, breaker, patience_s=place.patience_s, login=place.login)
        )
        client = await enter(subscribing_client(place))
        yield Store(batch, client, lambda: [batch], breaker.hurry)
