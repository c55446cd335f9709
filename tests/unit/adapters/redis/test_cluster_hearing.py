"""A channel of a cluster whose nodes come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from redis.exceptions import RedisError

from app.adapters.clock import SystemClock
from app.adapters.redis import cluster as module
from app.adapters.redis.cluster import clustered
from app.adapters.redis.store import Place
from tests.fakes.patient import PATIENCE_S
from tests.fakes.scripted_redis import ScriptedRedis

SUBSCRIBED = b">3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n"
ALL_SLOTS = b"*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:%d\r\n"


async def test_a_node_that_left_is_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may answer for ever, and hears nothing of the others."""
    monkeypatch.setattr(module, "_LOOK_S", (0.01, 0.02))
    monkeypatch.setattr(module, "_REREAD_S", 0.0)
    serving = 0

    def answer(command: Sequence[bytes]) -> bytes:
        told = {b"CLUSTER": ALL_SLOTS % serving, b"SUBSCRIBE": SUBSCRIBED}
        return told.get(command[0], b"+OK\r\n")

    one, other = ScriptedRedis(), ScriptedRedis()
    one.answer = other.answer = answer
    async with (
        await asyncio.start_server(one.serve, "127.0.0.1", 0) as first,
        await asyncio.start_server(other.serve, "127.0.0.1", 0) as second,
    ):
        configured, serving = (each.sockets[0].getsockname()[1] for each in (first, second))
        place = Place(f"redis://127.0.0.1:{configured}/0", cluster=True, patience_s=PATIENCE_S)
        async with clustered(place, SystemClock(), name="redis") as cluster:
            async with cluster.subscribed("news", lambda _: None) as subscription:
                assert [b"SUBSCRIBE", b"news"] in other.heard
                serving = configured
                async with asyncio.timeout(PATIENCE_S):
                    with pytest.raises(RedisError, match="left"):
                        await subscription.kept()
            assert [b"SUBSCRIBE", b"news"] not in one.heard
            async with cluster.subscribed("news", lambda _: None):
                assert [b"SUBSCRIBE", b"news"] in one.heard
