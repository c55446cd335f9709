"""What accounts cost: the figures of docs/measurements.md, printed by `make test-long`."""

from __future__ import annotations

import asyncio
import statistics
import time
import timeit
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from redis.asyncio import Redis

from app.adapters.clock import SystemClock
from app.adapters.redis.account import AccountScript, Settlement
from app.adapters.redis.batch import batching
from app.adapters.redis.connection import redis_breaker, redis_client
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.domain.ledger.ledger_row import LedgerRow, RowKind, encode
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import RULE_NAMES, LimitRule, limits_on, scopes_of
from app.domain.quota.reservation import Amounts, Ask, Charge, Reservation
from tests.fakes.changed import replace

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        installed_binaries().server is None, reason="no embedded Redis server for this machine"
    ),
]
ROUNDS: Final = 1600
RULES: Final = tuple(LimitRule(name, 1_000_000_000) for name in RULE_NAMES)
ZONE: Final = ZoneInfo("Europe/Berlin")


def asked(rules: Sequence[LimitRule]) -> Ask:
    """A request as admission asks for it, but for its row."""
    now = time.time()
    scopes, amounts = scopes_of("k", "gpt-4o"), Amounts(1, 1000, 1_000_000)
    limits = limits_on(rules, "k", "gpt-4o", now)
    days, months = days_around(now, ZONE), months_around(now, ZONE)
    return Ask("r", "t", scopes, amounts, limits, days, months)


@dataclass(frozen=True, slots=True)
class Bench:
    """An account alone on its Redis."""

    script: AccountScript
    redis: Redis

    async def in_redis_us(self) -> float:
        """Microseconds that Redis spent on scripts since it was last asked, for each of ROUNDS."""
        stats = await self.redis.info("commandstats")
        await self.redis.config_resetstat()
        return float(stats["cmdstat_evalsha"]["usec"]) / ROUNDS

    async def reserve(
        self, rules: Sequence[LimitRule], at_once: int
    ) -> tuple[list[Reservation], float]:
        """As many reservations as there are rounds, so many at once; the median in ms."""
        ask = replace(asked(rules), draft=encode(LedgerRow("r", RowKind.RELEASED, 0.0, "t")))
        granted: list[Reservation] = []
        seconds = []
        for first in range(0, ROUNDS, at_once):
            asks = [replace(ask, id=f"{len(rules)}-{first + each}") for each in range(at_once)]
            began = time.perf_counter()
            answers = await asyncio.gather(*map(self.script.reserve, asks))
            seconds.append(time.perf_counter() - began)
            granted += [answer for answer in answers if isinstance(answer, Reservation)]
        assert len(granted) == ROUNDS
        return granted, statistics.median(seconds) * 1000

    async def settle(self, granted: Sequence[Reservation], at_once: int) -> None:
        """Charge them, so many in a call."""
        charge = Charge(Amounts(1, 700, 700_000), encode(LedgerRow("r", RowKind.SETTLED, 0.0, "t")))
        for start in range(0, ROUNDS, at_once):
            part = [Settlement(each, charge) for each in granted[start : start + at_once]]
            assert set(await self.script.settle("t", part)) == {"settled"}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """Seeded, its script loaded."""
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        server = await enter(embedded_redis(tmp_path))
        client = await enter(redis_client(server.url, operation_timeout_s=2))
        batch = await enter(batching(client, redis_breaker(SystemClock()), patience_s=2))
        script = AccountScript(batch)
        await script.seed("t", [], generation="g")
        await client.config_resetstat()
        yield Bench(script, client)


@pytest.mark.parametrize("at_once", [1, 4, 16, 100])
@pytest.mark.parametrize("count", [0, len(RULES)])
async def test_what_a_reservation_and_its_settlement_cost(
    bench: Bench, count: int, at_once: int
) -> None:
    """Of one tenant, so many in a call."""
    granted, median_ms = await bench.reserve(RULES[:count], at_once)
    reserve_us = await bench.in_redis_us()
    await bench.settle(granted, at_once)
    settle_us = await bench.in_redis_us()
    print(  # noqa: T201  # the figures, shown by -rP or -s
        f"{count} limits, {at_once} at once: a reservation takes {reserve_us:.0f} us of Redis, all "
        f"of them {median_ms:.2f} ms (median); a settlement {settle_us:.0f} us of Redis"
    )
    assert reserve_us < 1000
    assert settle_us < 1000
    assert median_ms < 10 * at_once


def test_what_it_costs_to_ask() -> None:
    """Windows and limits of a request are looked up, not made anew."""
    each = min(timeit.repeat(lambda: asked(RULES), number=ROUNDS, repeat=5)) / ROUNDS * 1e6
    print(f"an ask with {len(RULES)} limits takes {each:.1f} us to build")  # noqa: T201  # as above
    assert each < 20  # made anew they take 45
