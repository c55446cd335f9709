"""The one place that makes Redis clients, and the one way to call them: bounded, never retried.

redis-py retries ten times and waits five seconds by default. A request can wait for neither: each
call has a limit, a failure is told at once, and after some of them the breaker stops asking.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.maint_notifications import MaintNotificationsConfig

from app.adapters.redis.breaker import Breaker
from app.errors import StoreUnavailable
from app.ports import Clock

CONNECT_TIMEOUT_S: Final = 0.25
OPERATION_TIMEOUT_S: Final = 0.05
SUBSCRIPTION_TIMEOUT_S: Final = 2.0
#: A batch counts its own time; this is only for a connection that nobody waits for any more.
BATCH_TIMEOUT_S: Final = 1.0
MAX_CONNECTIONS: Final = 32
#: Waiting for a place is our own crowd, not the store's failure: it may take longer than an answer.
POOL_TIMEOUT_S: Final = 0.25

#: Nothing takes longer than a place in the pool, a new connection, its greeting and one answer.
CALL_TIMEOUT_S: Final = POOL_TIMEOUT_S + CONNECT_TIMEOUT_S + 2 * OPERATION_TIMEOUT_S

#: Answers that say the server cannot be used, whatever it is asked.
_UNUSABLE: Final = (ReadOnlyError, OutOfMemoryError)

T = TypeVar("T")


def redis_client(url: str, *, operation_timeout_s: float = OPERATION_TIMEOUT_S) -> Redis:
    """A client for `redis://`, `rediss://` or `unix://`; `async with` it. Connects when first used.

    A burst of calls shares 32 connections; one that gets none within the limit fails.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        protocol=3,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=operation_timeout_s,
        max_connections=MAX_CONNECTIONS,
        timeout=POOL_TIMEOUT_S,
        # Both are round trips of a new connection that nothing here depends on.
        driver_info=None,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    return Redis.from_pool(pool)


def cluster_client(url: str, *, operation_timeout_s: float = OPERATION_TIMEOUT_S) -> RedisCluster:
    """A client for a cluster, of which `url` names one node; `async with` it.

    Entering the scope asks that node for the others.
    """
    return RedisCluster.from_url(
        url,
        protocol=3,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=CONNECT_TIMEOUT_S,
        socket_timeout=operation_timeout_s,
        max_connections=MAX_CONNECTIONS,
        driver_info=None,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )


def subscribing_client(url: str) -> Redis:
    """A client for subscriptions, which wait for messages rather than for answers."""
    return redis_client(url, operation_timeout_s=SUBSCRIPTION_TIMEOUT_S)


def redis_breaker(clock: Clock, name: str = "redis") -> Breaker:
    """A breaker that logs one line when the store is lost and one when it is back."""
    log = structlog.get_logger()

    def told(lost: bool) -> None:  # noqa: FBT001  # the breaker's message
        if lost:
            log.warning("store_lost", store=name)
        else:
            log.info("store_back", store=name)

    return Breaker(clock, told)


async def guarded(breaker: Breaker, operation: Callable[[], Awaitable[T]]) -> T:
    """Do one call. Raises StoreUnavailable where it failed, took too long, or was not let through.

    redis-py drops a connection whose call was cancelled: its answer would be the next caller's.
    """
    if not breaker.admits():
        raise StoreUnavailable("The gateway's store does not answer.")
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            answer = await cancellable(operation())
    except ResponseError as error:
        # It answered: what was wrong is this one call, unless it says otherwise.
        breaker.failed() if isinstance(error, _UNUSABLE) else breaker.succeeded()
        raise StoreUnavailable("The gateway's store refused a command.") from error
    except (RedisError, OSError) as error:
        breaker.failed()
        raise StoreUnavailable("The gateway's store does not answer.") from error
    except BaseException:
        breaker.abandoned()
        raise
    breaker.succeeded()
    return answer


async def cancellable(operation: Awaitable[T]) -> T:
    """Await a call of redis-py without losing a cancellation.

    redis-py sends through `asyncio.wait_for`, which up to Python 3.11 swallows a cancellation that
    arrives as the wait ends; the task would then run on.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        return await operation
    finally:
        if task and task.cancelling() > before:
            raise asyncio.CancelledError
