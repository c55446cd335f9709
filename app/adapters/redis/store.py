"""A way to Redis, one server or a cluster, opened alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial

import msgspec

from app.adapters.redis.batch import Batch, batching
from app.adapters.redis.cluster import ClusterBatch, clustered
from app.adapters.redis.connection import (
    Place,
    batching_client,
    breaker_of,
    subscribed,
    subscribing_client,
)
from app.adapters.redis.subscription import Subscription
from app.ports import Clock

__all__ = ["Place", "Store", "Subscribed", "opened_store"]


#: Hears a channel as long as its scope is open. Raises RedisError, OSError.
Subscribed = Callable[[str, Callable[[bytes], None]], AbstractAsyncContextManager[Subscription]]


class Store(msgspec.Struct, frozen=True):
    """Commands on keys, subscriptions, and the servers one by one, for what has no key.

    `hurry` has lost servers asked at once whether they are back.
    """

    batch: Batch
    subscribed: Subscribed
    servers: Callable[[], Sequence[Batch]]
    hurry: Callable[[], None]


@asynccontextmanager
async def opened_store(place: Place, clock: Clock, name: str = "redis") -> AsyncIterator[Store]:
    """A way of its own to Redis, which need not answer yet, nor always; the log calls it `name`."""
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        if place.cluster:
            cluster = await enter(clustered(place, clock, name=name))
            all_nodes = ClusterBatch(cluster)
            yield Store(all_nodes, cluster.subscribed, cluster.batches, cluster.hurry)
            return
        client = await enter(batching_client(place))
        breaker = opened.enter_context(breaker_of(place, clock, name))
        batch = await enter(
            batching(client, breaker, patience_s=place.patience_s, login=place.login)
        )
        client = await enter(subscribing_client(place))
        yield Store(batch, partial(subscribed, client), lambda: [batch], breaker.hurry)
