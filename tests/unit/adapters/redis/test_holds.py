"""The shared board's own lifetime; what it does with Redis is tested on a real one."""

from __future__ import annotations

import pytest

from app.adapters.clock import SystemClock
from app.adapters.redis.breaker import Breaker
from app.adapters.redis.connection import redis_client, subscribing_client
from app.adapters.redis.holds import SharedHoldBoard

NOBODY = "unix:///nonexistent/redis.sock"


@pytest.mark.parametrize("error", [OSError("no address"), KeyError("key"), KeyboardInterrupt()])
async def test_a_failure_of_the_block_is_not_the_boards(error: BaseException) -> None:
    """It comes out as it was raised, so that whoever expects it recognises it."""
    clock = SystemClock()
    async with redis_client(NOBODY) as client, subscribing_client(NOBODY) as subscriber:
        board = SharedHoldBoard(
            client, subscriber, breaker=Breaker(clock), clock=clock, deployments=list
        )
        with pytest.raises(type(error)) as raised:
            async with board:
                raise error

    assert raised.value is error
