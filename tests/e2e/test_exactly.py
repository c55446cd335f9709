"""Four gateway processes, one Redis, a crowd: exactly as many get in as there is room for.

On one server, and on a cluster of three nodes.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import aiohttp
import pytest
import yaml
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster

from app.adapters.redis.embedded_binaries import installed_binaries
from app.cli.key import new_key
from app.domain.quota.limit import NANO, LimitName
from tests.e2e.command import spillgate
from tests.integration.redis.cluster import running_cluster

ROOM: Final = 137
CROWD: Final = 500
WORKERS: Final = 4
ROUNDS: Final = 10
#: A rate per second is not among them: the crowd takes longer than a second to arrive. Its
#: exactness is shown where the account is tested, with a longer window. Nor are dollars an hour,
#: which are a budget for spilling alone (below).
LIMITS: Final = tuple(
    name for name in LimitName if name not in {LimitName.RPS, LimitName.USD_PER_HOUR}
)
#: Nothing is settled, and so no room comes back, before the whole crowd has asked.
ANSWER_AFTER_MS: Final = 4000
ASKED: Final = {
    "model": "gpt-4o",
    "max_tokens": 10,
    "messages": [{"role": "user", "content": "How many of us?"}],
}


class Workers:
    """Four processes with a tenant for every storm."""

    def __init__(self, redis: dict[str, Any], directory: Path) -> None:
        """`redis` is the section of the configuration."""
        self.redis = redis
        self.directory = directory
        self.mark = uuid4().hex[:8]
        self.urls: list[str] = []
        self.keys: dict[str, str] = {}
        self._running = ExitStack()

    def start(
        self,
        tenants: dict[str, dict[str, float]],
        *,
        answer_after_ms: int,
        spill: dict[str, dict[str, float]] | None = None,
    ) -> None:
        """Start them on one config; the tenants' names are made unlike any other test's.

        `tenants` have these limits, those in `spill` these spill budgets.
        """
        policies: dict[str, dict[str, Any]] = {
            **{name: {"limits": limits} for name, limits in tenants.items()},
            **{name: {"spill": budget} for name, budget in (spill or {}).items()},
        }
        self.keys = {name: new_key("test") for name in policies}
        seeds = {
            f"{name}-{self.mark}": {"keys": [self.keys[name]], **policy}
            for name, policy in policies.items()
        }
        config = self.directory / "config.yaml"
        config.write_text(yaml.safe_dump(_config(self.redis, seeds, answer_after_ms)))
        arguments = ("serve", "--simulate", "--config", str(config), "--port", "0")
        processes = [
            self._running.enter_context(
                spillgate(*arguments, "--admin-port", "0", cwd=self.directory)
            )
            for _ in range(WORKERS)
        ]
        self.urls = [process.logged("serving")["data"] for process in processes]

    def stop(self) -> None:
        """End them."""
        self._running.close()

    async def storm(self, tenant: str, *, stream: bool, size: int = CROWD) -> Counter[int]:
        """Everybody at once, spread over the workers; the statuses."""
        headers = {"api-key": self.keys[tenant]}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, headers=headers) as http:

            async def ask(number: int) -> int:
                url = f"{self.urls[number % WORKERS]}/v1/chat/completions"
                async with http.post(url, json=ASKED | {"stream": stream}) as answer:
                    said = await answer.read()
                    assert answer.status in {200, 429}, said
                    return answer.status

            return Counter(await asyncio.gather(*(ask(number) for number in range(size))))

    async def reserved(self, tenant: str) -> dict[str, int]:
        """What the tenant's first request reserved, from its ledger."""
        key = f"spillgate:{{{tenant}-{self.mark}}}:ledger"
        client: Any = RedisCluster if "cluster" in self.redis else Redis
        async with client.from_url(self.redis["url"]) as redis, asyncio.timeout(20):
            entries: Any = []
            while not entries:
                await asyncio.sleep(0.02)
                entries = await redis.xrange(key, count=1)
            row: dict[str, int] = json.loads(entries[0][1][b"row"])
            return row


def _config(
    redis: dict[str, Any], tenants: dict[str, dict[str, Any]], answer_after_ms: int
) -> dict[str, Any]:
    paygo = {
        "kind": "paygo",
        "endpoint": "https://contoso.openai.azure.com",
        "api": "v1",
        "deployment": "gpt-4o",
        "model": "gpt-4o",
        "tpm": 100_000_000,
        "auth": {"api_key": "k"},
    }
    return {
        # A busy machine is not what is tested.
        "redis": redis | {"operation_timeout_ms": 2000},
        "admin": {"key": "an-admin-key-of-tests"},
        "deployments": {"picky": paygo | {"refuses": ["max_tokens"]}, "paygo": paygo},
        "models": {"gpt-4o": {"tiers": [["picky"], ["paygo"]]}},
        "tenants": tenants,
        "simulator": {"ttft_ms": answer_after_ms, "tpot_ms": 0},
        "timeouts": {"drain_lag_s": 0, "drain_s": 1},
    }


@pytest.fixture(params=["server", pytest.param("cluster", marks=pytest.mark.long)])
def workers(request: pytest.FixtureRequest, redis_url: str, tmp_path: Path) -> Iterator[Workers]:
    """Processes that end with the test."""
    with ExitStack() as stack:
        redis: dict[str, Any] = {"url": redis_url}
        if request.param == "cluster":
            binary = installed_binaries().server
            assert binary is not None
            cluster = stack.enter_context(running_cluster(binary, tmp_path / "cluster"))
            redis = {"url": cluster.url, "cluster": True}
        started = Workers(redis, tmp_path)
        stack.callback(started.stop)
        yield started


async def room_for(workers: Workers, name: LimitName) -> float:
    """The amount of a limit that holds exactly so many of these requests."""
    if name in {LimitName.RPM, LimitName.CONCURRENCY, LimitName.REQUESTS_PER_DAY}:
        return ROOM
    row = await workers.reserved("probe")
    if name in {LimitName.USD_PER_DAY, LimitName.USD_PER_MONTH}:
        return ROOM * row["reserved_nano_usd"] / NANO
    return ROOM * row["reserved_tokens"]


async def play(
    workers: Workers,
    *forms: tuple[LimitName, str],
    rounds: int,
    answer_after_ms: int = ANSWER_AFTER_MS,
) -> AsyncIterator[str]:
    """Storm after storm; what each let in where that was not exactly its room."""
    workers.start({"probe": {}}, answer_after_ms=0)
    assert await workers.storm("probe", stream=False, size=1) == {200: 1}
    limits = {name: await room_for(workers, name) for name, _ in forms}
    workers.stop()
    storms = {
        f"{name}-{form}-{number}": (name, form == "stream")
        for name, form in forms
        for number in range(rounds)
    }
    tenants = {storm: {name.value: limits[name]} for storm, (name, _) in storms.items()}
    workers.start(tenants, answer_after_ms=answer_after_ms)
    for storm, (_, stream) in storms.items():
        statuses = await workers.storm(storm, stream=stream)
        if statuses != {200: ROOM, 429: CROWD - ROOM}:
            yield f"{storm}: {dict(statuses)}"


async def test_a_crowd_over_four_workers_gets_exactly_its_room(workers: Workers) -> None:
    """Once for streams that run at once, once for a budget."""
    forms = (LimitName.CONCURRENCY, "stream"), (LimitName.USD_PER_DAY, "whole")
    # All of the crowd has to have come before the first of it leaves, on a busy machine, too.
    storms = play(workers, *forms, rounds=1, answer_after_ms=3 * ANSWER_AFTER_MS)
    assert [wrong async for wrong in storms] == []


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("window", ["usd_per_day", "usd_per_hour"])
@pytest.mark.parametrize("form", ["stream", "whole"])
async def test_a_crowd_spills_exactly_as_far_as_there_is_money(
    workers: Workers, form: str, window: str
) -> None:
    """The first tier refuses what all of them ask: whom the budget leaves out nobody serves."""
    workers.start({"probe": {}}, answer_after_ms=0)
    assert await workers.storm("probe", stream=False, size=1) == {200: 1}
    each = (await workers.reserved("probe"))["reserved_nano_usd"]
    workers.stop()
    budget = {window: ROOM * each / NANO}
    workers.start({}, answer_after_ms=ANSWER_AFTER_MS, spill={"spilling": budget})
    statuses = await workers.storm("spilling", stream=form == "stream")
    assert statuses == {200: ROOM, 429: CROWD - ROOM}


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_every_limit_is_exact_ten_times_in_a_row(workers: Workers) -> None:
    """Each kind, streams and not."""
    forms = [(name, form) for name in LIMITS for form in ("stream", "whole")]
    assert [wrong async for wrong in play(workers, *forms, rounds=ROUNDS)] == []
