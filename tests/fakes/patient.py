"""Ways to Redis for tests whose subject is not time: a busy machine is no lost store.

The gateway itself waits for Redis for tens of milliseconds. Tests of that, and those that freeze a
server and have to wait until it is given up, say their own times.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final

from redis.asyncio import Redis

from app.adapters.redis.batch import Batch, batching
from app.adapters.redis.connection import Examine, Place, redis_breaker, redis_client
from app.ports import Clock

#: Longer than any machine is busy, shorter than a test may take.
PATIENCE_S: Final = 20.0
#: For tests that freeze a server: long enough for a busy one, and not too long to wait for.
FROZEN_AFTER_S: Final = 0.5


def patient(url: str, *, cluster: bool = False, examine: Examine | None = None) -> Place:
    """A place that is never given up for being slow."""
    return Place(url, cluster=cluster, patience_s=PATIENCE_S, examine=examine)


def patient_client(url: str) -> Redis:
    """A client that waits for connections and answers; `async with` it."""
    return redis_client(url, operation_timeout_s=PATIENCE_S, connect_timeout_s=PATIENCE_S)


def patient_batch(
    client: Redis, clock: Clock, *, patience_s: float = PATIENCE_S
) -> AbstractAsyncContextManager[Batch]:
    """A batch over such a client."""
    return batching(client, redis_breaker(clock), patience_s=patience_s)
