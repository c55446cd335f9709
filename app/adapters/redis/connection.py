"""The one place that makes Redis clients: bounded, never retried, never attached to a replica.

redis-py retries ten times and waits five seconds by default. A request can wait for neither: each
call has a limit, a failure is told at once, and after some of them the breaker stops asking.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import structlog
from redis.asyncio import BlockingConnectionPool, Connection, Redis, SSLConnection
from redis.asyncio import UnixDomainSocketConnection as UnixConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ReadOnlyError
from redis.maint_notifications import MaintNotificationsConfig

from app.adapters.redis.breaker import Breaker
from app.adapters.redis.multiplexed import Multiplexed
from app.adapters.redis.subscription import Subscription
from app.adapters.redis.watched import Breakers
from app.ports import Clock

CONNECT_TIMEOUT_S: Final = 0.25
OPERATION_TIMEOUT_S: Final = 0.05
SUBSCRIPTION_TIMEOUT_S: Final = 2.0
#: A batch counts its own time. So much more has a connection that is being made when nobody waits
#: for it any more: an endpoint that is far may be used after all, and one that leads nowhere is
#: given up before it is asked for again.
BATCH_TIMEOUT_S: Final = 1.0
MAX_CONNECTIONS: Final = 32
#: Waiting for a place is our own crowd, not the store's failure: it may take longer than an answer.
POOL_TIMEOUT_S: Final = 0.25

T = TypeVar("T")

#: What a new connection is put through before it is used; it greets, and may refuse by raising.
Examine = Callable[[AbstractConnection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where Redis is; a round trip to it has `patience_s` seconds."""

    url: str = field(repr=False)
    cluster: bool = False
    patience_s: float = OPERATION_TIMEOUT_S
    examine: Examine | None = None
    breakers: Breakers | None = field(default=None, repr=False)  # whoever watches; None: nobody
    login: CredentialProvider | None = field(default=None, repr=False)  # None: what the URL says


class _LeavesReplicas(AbstractConnection):
    """Connects anew after a server said that it is a replica.

    A primary that was demoted keeps its connections; the endpoint's name leads elsewhere by then.
    """

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """As the connection's own."""
        try:
            return await super().read_response(*args, **options)
        except ReadOnlyError:
            self.mark_for_reconnect()  # type: ignore[no-untyped-call]  # redis-py's own
            raise


class _HandsOver(AbstractConnection):
    """Can be had for oneself once it was made and greeted, encryption and all."""

    async def hand_over(self, protocol: Multiplexed | Subscription) -> None:
        """Connect, greet, and let `protocol` have what comes from now on.

        Raises RedisError, OSError.
        """
        await self.connect()  # type: ignore[no-untyped-call]  # redis-py's own
        writer = self._writer
        if writer is None or writer.transport.is_closing() or await self.can_read():
            raise RedisConnectionError("The server says what it was not asked.")
        self._reader = self._writer = None
        protocol.writer = writer
        writer.transport.set_protocol(protocol)
        protocol.connection_made(writer.transport)


class _Tcp(_LeavesReplicas, _HandsOver, Connection):
    """Plain."""


class _Tls(_LeavesReplicas, _HandsOver, SSLConnection):
    """Encrypted."""


class _Unix(_LeavesReplicas, _HandsOver, UnixConnection):
    """On this machine."""


_CONNECTIONS: Final[Mapping[type[AbstractConnection], type[AbstractConnection]]] = {
    Connection: _Tcp,
    SSLConnection: _Tls,
    UnixConnection: _Unix,
}


def redis_client(
    url: str,
    *,
    operation_timeout_s: float = OPERATION_TIMEOUT_S,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    examine: Examine | None = None,
    login: CredentialProvider | None = None,
) -> Redis:
    """A client for `redis://`, `rediss://` or `unix://`; `async with` it. Connects when first used.

    `login` counts where the URL has no password. A burst of calls shares 32 connections; one that
    gets none within the limit fails.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        protocol=3,
        retry=Retry(NoBackoff(), 0),
        socket_connect_timeout=connect_timeout_s,
        socket_timeout=operation_timeout_s,
        max_connections=MAX_CONNECTIONS,
        timeout=max(POOL_TIMEOUT_S, connect_timeout_s),
        redis_connect_func=examine,
        credential_provider=None if urlsplit(url).password else login,
        # Both are round trips of a new connection that nothing here depends on.
        driver_info=None,
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )
    pool.connection_class = _CONNECTIONS[pool.connection_class]
    return Redis.from_pool(pool)


async def handed_over(client: Redis, protocol: Multiplexed | Subscription) -> None:
    """Make a connection as `client` would, and have it for oneself: `protocol` hears what comes.

    It also gets the writer, which closes the connection when it goes. Nothing is returned: of who
    is cancelled as this ends, that would be lost. Raises RedisError, OSError.
    """
    pool: Any = client.connection_pool
    connection: _HandsOver = pool.make_connection()
    try:
        await connection.hand_over(protocol)
    except BaseException:
        await connection.disconnect(nowait=True)
        raise


def batching_client(place: Place) -> Redis:
    """A client for a batch, which has patience of its own.

    Connecting, too, is only bounded for nobody: the clock on the wall would count a busy loop's own
    time as the store's failure.
    """
    timeout_s = place.patience_s + BATCH_TIMEOUT_S
    return redis_client(
        place.url,
        operation_timeout_s=timeout_s,
        connect_timeout_s=timeout_s,
        examine=place.examine,
        login=place.login,
    )


@asynccontextmanager
async def subscribed(
    client: Redis, channel: str, heard: Callable[[bytes], None]
) -> AsyncIterator[Subscription]:
    """A channel that is heard as long as the scope is open. Raises RedisError, OSError."""
    subscription = Subscription(channel, heard)
    try:
        await cancellable(handed_over(client, subscription))
        await subscription.begun(SUBSCRIPTION_TIMEOUT_S)
        yield subscription
    finally:
        await subscription.close()


def subscribing_client(place: Place) -> Redis:
    """A client for subscriptions, which wait for messages rather than for answers."""
    timeout_s = SUBSCRIPTION_TIMEOUT_S
    return redis_client(
        place.url,
        operation_timeout_s=timeout_s,
        connect_timeout_s=timeout_s,
        login=place.login,
    )


@contextmanager
def breaker_of(place: Place, clock: Clock, name: str) -> Iterator[Breaker]:
    """A breaker for what is opened there, watched as long as the scope is open."""
    breaker = redis_breaker(clock, name)
    with place.breakers.watching(name, breaker) if place.breakers else nullcontext():
        yield breaker


def redis_breaker(clock: Clock, name: str = "redis") -> Breaker:
    """A breaker that logs one line when the store is lost and one when it is back."""
    log = structlog.get_logger()

    def told(lost: bool) -> None:  # noqa: FBT001  # the breaker's message
        if lost:
            log.warning("store_lost", store=name)
        else:
            log.info("store_back", store=name)

    return Breaker(clock, told)


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
