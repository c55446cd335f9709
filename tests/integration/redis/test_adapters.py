"""The Redis adapters on a server that works, and on one that does not."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from app.adapters.clock import SystemClock
from app.adapters.redis import holds
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.holds import SharedHoldBoard
from app.adapters.redis.response_owners import KEPT_S, RedisResponseOwners
from app.adapters.redis.store import opened_store
from app.errors import StoreUnavailable
from tests.fakes.patient import PATIENCE_S, patient, patient_client
from tests.integration.redis.frozen import FrozenAtWill

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
CLOCK = SystemClock()
#: Longer than the test takes.
LONG_S = 60.0
#: Redis counts milliseconds.
ROUNDED_S = 0.002
NOBODY = "unix:///nonexistent/redis.sock"


@pytest.fixture
async def scope() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def client_of(scope: AsyncExitStack, url: str) -> Redis:
    return await scope.enter_async_context(patient_client(url))


async def owners_of(
    scope: AsyncExitStack, url: str, known: Callable[[str], object] = lambda _tenant: None
) -> RedisResponseOwners:
    store = await scope.enter_async_context(opened_store(patient(url), CLOCK))
    return RedisResponseOwners(store.batch, known)


async def board_of(scope: AsyncExitStack, url: str, name: str) -> SharedHoldBoard:
    store = await scope.enter_async_context(opened_store(patient(url), CLOCK))
    board = SharedHoldBoard(store, clock=CLOCK, deployments=lambda: [name])
    return await scope.enter_async_context(board)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; fail when it does not come about."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.002)


async def subscribers(client: Redis, number: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while (await client.pubsub_numsub("spillgate:holds"))[0][1] < number:
            await asyncio.sleep(0.005)


class TestSharedHolds:
    """Replicas hold together."""

    async def test_others_learn_at_once(
        self, redis_url: str, scope: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A hold is told to another replica, which does not have to read it, with the same end."""
        monkeypatch.setattr(holds, "REREAD_S", LONG_S)
        name = str(uuid4())
        first = await board_of(scope, redis_url, name)
        second = await board_of(scope, redis_url, name)
        await subscribers(await client_of(scope, redis_url), 2)

        end = CLOCK.now() + LONG_S
        first.hold(name, end)

        await until(lambda: name in second.holds())
        assert end - ROUNDED_S <= second.holds()[name] <= CLOCK.now() + LONG_S + ROUNDED_S

    async def test_a_shorter_hold_does_not_shorten(
        self, redis_url: str, scope: AsyncExitStack
    ) -> None:
        """Whoever holds for less learns of the longer hold and changes nothing."""
        name = str(uuid4())
        first = await board_of(scope, redis_url, name)
        end = CLOCK.now() + LONG_S
        first.hold(name, end)
        client = await client_of(scope, redis_url)
        key = f"spillgate:hold:{{{name}}}"
        async with asyncio.timeout(PATIENCE_S):
            while not await client.exists(key):
                await asyncio.sleep(0.005)

        # This one does not know yet: it is a replica that has just begun.
        second = await board_of(scope, redis_url, name)
        second.hold(name, CLOCK.now() + 2.0)

        await until(lambda: second.holds()[name] >= end - ROUNDED_S)
        assert 2000 < await client.pttl(key) <= LONG_S * 1000
        assert end <= first.holds()[name] <= CLOCK.now() + LONG_S

    async def test_a_new_replica_learns_what_is_held(
        self, redis_url: str, scope: AsyncExitStack
    ) -> None:
        """Holds from before its start count for it too."""
        name = str(uuid4())
        client = await client_of(scope, redis_url)
        await client.set(f"spillgate:hold:{{{name}}}", "1", px=60_000)

        board = await board_of(scope, redis_url, name)

        await until(lambda: name in board.holds())

    async def test_a_lost_message_is_made_up_for(
        self, redis_url: str, scope: AsyncExitStack
    ) -> None:
        """What was not heard is read within about a second."""
        name = str(uuid4())
        board = await board_of(scope, redis_url, name)
        client = await client_of(scope, redis_url)
        await subscribers(client, 1)
        await client.set(f"spillgate:hold:{{{name}}}", "1", px=60_000)

        await until(lambda: name in board.holds())

    async def test_a_frozen_server_delays_nobody(
        self, own_redis: FrozenAtWill, scope: AsyncExitStack
    ) -> None:
        """Holding and asking stay immediate; what could not be told is told afterwards."""
        name = str(uuid4())
        first = await board_of(scope, own_redis.url, name)
        second = await board_of(scope, own_redis.url, name)
        await subscribers(await client_of(scope, own_redis.url), 2)

        own_redis.freeze()
        longest = 0.0
        for number in range(200):
            started = CLOCK.now()
            first.hold(name, started + LONG_S + number)
            assert name in first.holds()
            longest = max(longest, CLOCK.now() - started)
            await asyncio.sleep(0.002)
        assert longest < PATIENCE_S / 10, "nobody waited for the server"
        assert name not in second.holds()

        own_redis.thaw()
        await until(lambda: second.holds().get(name, 0.0) > first.holds()[name] - 0.1)

    async def test_a_server_that_comes_late(self, tmp_path: Path, scope: AsyncExitStack) -> None:
        """A replica that began without Redis joins the others later; no change is logged twice."""
        name = str(uuid4())
        with capture_logs() as logs:
            board = await board_of(scope, f"unix://{tmp_path / 'redis.sock'}", name)
            board.hold(name, CLOCK.now() + LONG_S)
            await until(lambda: bool(logs))
            async with embedded_redis(tmp_path) as server:
                other = await board_of(scope, server.url, name)
                await until(lambda: name in other.holds())
                await subscribers(await client_of(scope, server.url), 2)
                await until(lambda: len(logs) >= 2)
                events = [log["event"] for log in logs]
                await scope.aclose()

        assert sorted(set(events)) == sorted(events)

    @pytest.mark.parametrize(
        "arguments", [["0", "c", "d"], ["1.5", "c", "d"], ["x", "c", "d"], ["1"]]
    )
    async def test_the_script_refuses_nonsense(self, redis_url: str, arguments: list[str]) -> None:
        """Its contract is asserted, not trusted."""
        source = Path("app/adapters/redis/lua/hold.lua").read_text("utf-8")
        async with patient_client(redis_url) as client:
            with pytest.raises(ResponseError, match="hold: "):
                await client.register_script(source)(keys=[str(uuid4())], args=arguments)


class TestResponseOwners:
    """Owners survive a replica, and a lost Redis is not a lost answer."""

    async def test_replicas_share_them(self, redis_url: str, scope: AsyncExitStack) -> None:
        """What one replica claimed another finds, for 30 days, under a key without the id."""
        tenant, client = str(uuid4()), await client_of(scope, redis_url)
        await (await owners_of(scope, redis_url)).claim(tenant, "resp_1", "ptu-east")

        assert await (await owners_of(scope, redis_url)).owner(tenant, "resp_1") == "ptu-east"
        (key,) = [key async for key in client.scan_iter(f"spillgate:{{{tenant}}}:*")]
        assert b"resp_1" not in key
        assert KEPT_S - 10 < await client.ttl(key) <= KEPT_S

    async def test_what_an_earlier_tenant_made_is_nobodys(
        self, redis_url: str, scope: AsyncExitStack
    ) -> None:
        """In the process that ends it, in one that knew, in one that did not; others' stays."""
        tenant, entry = str(uuid4()), [object()]
        knowing = await owners_of(scope, redis_url, lambda _tenant: entry[0])
        ending, new = [await owners_of(scope, redis_url) for _ in range(2)]
        for name, owners in itertools.product((tenant, f"{tenant}-other"), (knowing, ending)):
            await owners.claim(name, "resp_1", "ptu-east")
        await asyncio.sleep(ROUNDED_S)
        entry[0] = object()
        await ending.forget_all(tenant)
        for owners in (knowing, ending, new):
            assert await owners.owner(tenant, "resp_1") is None
            assert await owners.owner(f"{tenant}-other", "resp_1") == "ptu-east"

        await new.claim(tenant, "resp_1", "paygo")
        for owners in (knowing, ending, new):
            assert await owners.owner(tenant, "resp_1") == "paygo"

    async def test_without_redis_only_own_claims_are_known(self, scope: AsyncExitStack) -> None:
        """What this process claimed it answers; of anything else it says that it cannot tell."""
        owners = await owners_of(scope, NOBODY)
        await owners.claim("search", "resp_1", "ptu-east")

        assert await owners.owner("search", "resp_1") == "ptu-east"
        assert owners.lost_claims_total == 1
        with pytest.raises(StoreUnavailable):
            await owners.owner("search", "resp_2")
