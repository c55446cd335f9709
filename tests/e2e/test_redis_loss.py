"""A gateway under load while its Redis freezes, stops, comes back, or loses everything."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from app.adapters.archive.reader import ArchiveReader
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.domain.quota.calendar import days_around
from tests.e2e.sinks import read_if_there
from tests.e2e.stack import eventually, stack
from tests.e2e.steady_load import RATE, Loaded, Seen

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)
LIMIT: Final = 60  # requests a day of the tenants that are limited


@dataclass(slots=True)
class Site(Loaded):
    """A gateway on a Redis of its own."""

    redis: Redis
    pid: int

    def archived(self) -> int:
        """How many rows of the tenant the archive has."""
        settings = self.team.process.current.settings
        assert settings.ledger is not None
        (tenant,) = settings.tenants
        return len(list(ArchiveReader(Path(settings.ledger.archive)).rows(tenant)))

    async def requests_today(self) -> int:
        """What the tenant's account says."""
        name = next(iter(self.team.process.current.settings.tenants))
        day = f"spillgate:{{{name}}}:day:{days_around(time.time())[1].name}"
        return int(await self.redis.hget(day, "committed:requests:tenant") or 0)


@asynccontextmanager
async def site(directory: Path, *, patience_ms: int = 300, **tenant: Any) -> AsyncIterator[Site]:
    """Both, running; the tenant as configured. A busy machine needs more patience than 50 ms.

    Without leases: one is granted from until it ends, whatever the policy (`test_leases.py`).
    """
    async with embedded_redis(directory) as server, Redis.from_url(server.url) as redis:
        pid = int((await redis.info("server"))["process_id"])
        place = {"url": server.url, "operation_timeout_ms": patience_ms, "leases": False}
        config = {"redis": place, "tenant": tenant}
        async with stack(server.url, lambda suffix: _config(suffix) | config) as team:
            try:
                yield Site(team, redis, pid)
            finally:
                os.kill(pid, signal.SIGCONT)


def _config(suffix: str) -> dict[str, Any]:
    paygo = {
        "kind": "paygo",
        "endpoint": "https://x.openai.azure.com",
        "model": "gpt-4o",
        "deployment": "gpt-4o",
        "tpm": 100_000_000,
        "auth": {"api_key": "k"},
    }
    return {
        "deployments": {f"paygo-{suffix}": paygo},
        "models": {"gpt-4o": {"tiers": [[f"paygo-{suffix}"]]}},
    }


def resident() -> int:
    """This process's resident memory in bytes."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096


async def freeze(where: Site, seconds: float) -> tuple[Seen, Seen, float, float]:
    """Load before and during a freeze; both, by how much memory grew, and the time to heal."""
    await where.load(1)
    before, memory = await where.load(min(seconds, 5)), resident()
    os.kill(where.pid, signal.SIGSTOP)
    during = await where.load(seconds)
    grown = resident() / memory
    os.kill(where.pid, signal.SIGCONT)
    return before, during, grown, await where.heals()


FREEZE = [
    pytest.param(3, id="short"),
    pytest.param(60, id="long", marks=[pytest.mark.long, pytest.mark.timeout(300)]),
]


@pytest.mark.alone
@pytest.mark.parametrize("seconds", FREEZE)
@pytest.mark.parametrize("policy", ["local_share", "fail_closed", "fail_open"])
async def test_a_frozen_redis_costs_milliseconds_not_requests(
    tmp_path: Path, policy: str, seconds: float
) -> None:
    """By each policy: served or refused, memory at most 1.3 times, healed within 5 s.

    Those who ask in the first moments wait for 50 ms: in a minute they are fewer than one in a
    hundred. In the short form Redis has more time, so that a busy machine is no lost Redis, and one
    in ten waits for as long as that twice.
    """
    long = seconds >= 60
    percentile, patience_ms = (99, 50) if long else (80, 300)  # see above
    unlimited = {"rpm": 1_000_000}
    async with site(
        tmp_path, patience_ms=patience_ms, redis_loss=policy, limits=unlimited
    ) as where:
        before, during, grown, healed = await freeze(where, seconds)
        asked = sum(during.statuses.values())
        print(  # noqa: T201  # the figures, shown by -rP or -s
            f"{policy}, frozen for {seconds} s: {dict(during.statuses)} of {asked}, "
            f"p{percentile} {before.percentile(percentile) * 1000:.0f} -> "
            f"{during.percentile(percentile) * 1000:.0f} ms, memory {grown:.2f} times, "
            f"healed in {healed:.1f} s"
        )
        assert before.statuses == {200: sum(before.statuses.values())}
        if policy == "fail_closed":
            assert during.statuses == {503: asked}
        else:
            assert during.statuses == {200: asked}
            assert during.degraded == {policy: asked}
        rise = during.percentile(percentile) - before.percentile(percentile)
        assert rise < (0.05 if long else 1.0), "who waits for Redis to be back waits for seconds"
        assert grown < 1.3
        assert healed < (5 if long else 20)


@pytest.mark.parametrize("seconds", FREEZE)
async def test_what_is_overspent_stays_within_the_bound(tmp_path: Path, seconds: float) -> None:
    """Half the limit beyond it, by all workers together, and all of it is charged afterwards."""
    async with site(tmp_path, limits={"requests_per_day": LIMIT}) as where:
        used = await where.load(1)
        os.kill(where.pid, signal.SIGSTOP)
        during = await where.load(seconds)
        os.kill(where.pid, signal.SIGCONT)
        assert during.statuses[200] <= LIMIT // 2
        assert await where.settled()
        admitted = used.statuses[200] + during.statuses[200]
        assert await where.requests_today() == admitted <= LIMIT + LIMIT // 2


async def test_what_was_granted_alone_is_on_the_disk_until_redis_has_it(tmp_path: Path) -> None:
    """Beside the ledger's archive; nothing is while Redis answers."""
    async with site(tmp_path) as where:
        ledger = where.team.process.current.settings.ledger
        assert ledger is not None
        spools = Path(ledger.archive) / "spool"
        await where.load(1)
        assert not spools.exists()
        os.kill(where.pid, signal.SIGSTOP)
        served = await where.load(1)
        await eventually(lambda: _lines(spools) >= served.statuses[200] > 0)
        os.kill(where.pid, signal.SIGCONT)
        assert await where.settled()
        await eventually(lambda: _lines(spools) == 0)


def _lines(directory: Path) -> int:
    return sum(read_if_there(path).count(b"\n") for path in directory.glob("*.spool"))


async def test_a_flushed_redis_is_reseeded_before_it_admits(tmp_path: Path) -> None:
    """What was spent is known again from the archive; nobody gets a second budget."""
    async with site(
        tmp_path, limits={"requests_per_day": LIMIT}, redis_loss="fail_closed"
    ) as where:
        spent = await where.load(1)
        assert spent.statuses[200] == RATE
        assert await where.settled()
        await eventually(lambda: where.archived() >= spent.statuses[200])
        await where.redis.flushall()
        await where.heals()
        after = await where.load(2)
        total = await where.requests_today()
        assert LIMIT - 5 <= total <= LIMIT
        assert after.statuses[429] >= 2 * RATE - (LIMIT - RATE)
