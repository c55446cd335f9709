"""What replicas share, opened together: holds, owners of responses, the ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.adapters.redis.connection import redis_breaker, redis_client, subscribing_client
from app.adapters.redis.holds import SharedHoldBoard
from app.adapters.redis.ledger import RedisLedger
from app.adapters.redis.response_owners import RedisResponseOwners
from app.ports import Clock, HoldBoard, Ledger, ResponseOwners


@dataclass(frozen=True, slots=True)
class State:
    """The shared state behind its ports. `held_names` are the deployments whose holds are read."""

    clock: Clock
    holds: HoldBoard
    owners: ResponseOwners
    ledger: Ledger
    held_names: set[str]


@asynccontextmanager
async def shared_state(url: str, clock: Clock) -> AsyncIterator[State]:
    """State in the Redis at `url`; it need not answer yet, nor always."""
    names: set[str] = set()
    breaker = redis_breaker(clock)
    async with redis_client(url) as client, subscribing_client(url) as subscriber:
        board = SharedHoldBoard(
            client, subscriber, breaker=breaker, clock=clock, deployments=lambda: names
        )
        async with board:
            owners = RedisResponseOwners(client, breaker)
            yield State(clock, board, owners, RedisLedger(client, breaker), names)
