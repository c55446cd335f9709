"""A crowd at Redis, with the gateway's own patience: `python -m tests.benchmarks.redis_crowd`.

10,000 reservations at once over 20 tenants, then their settlements at once: how many got no answer.
Whether any does is a question of how much is on its way at a time, for only that has a limit.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import uvloop

from app.adapters.clock import SystemClock
from app.adapters.redis.account import AccountScript, Settlement
from app.adapters.redis.connection import Place
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.store import opened_store
from app.domain.ledger.ledger_row import LedgerRow, RowKind, encode
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.limit import RULE_NAMES, LimitRule, limits_on, scopes_of
from app.domain.quota.reservation import Amounts, Ask, Charge, Reservation
from app.errors import StoreUnavailable
from tests.fakes.changed import replace

CROWD: Final = 10_000
TENANTS: Final = tuple(f"t{number}" for number in range(20))
RULES: Final = tuple(LimitRule(name, 1_000_000_000_000) for name in RULE_NAMES)
_AT_ONCE: Final = 100


def an_ask() -> Ask:
    """With every limit that there is."""
    now, zone = time.time(), ZoneInfo("Europe/Berlin")
    amounts, limits = Amounts(1, 1000, 1_000_000), limits_on(RULES, "k", "gpt-4o", now)
    days, months = days_around(now, zone), months_around(now, zone)
    ask = Ask("r", "t", scopes_of("k", "gpt-4o"), amounts, limits, days, months)
    return replace(ask, draft=encode(LedgerRow("r", RowKind.RELEASED, 0.0, "t")))


async def crowd(what: str, calls: Sequence[Awaitable[Any]]) -> list[Any]:
    """All of them at once; those that were answered."""
    began = time.perf_counter()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    seconds = time.perf_counter() - began
    for unexpected in answers:
        if isinstance(unexpected, BaseException) and not isinstance(unexpected, StoreUnavailable):
            raise unexpected
    answered = [each for each in answers if not isinstance(each, BaseException)]
    print(f"{what}: {len(answered)} of {len(answers)} answered in {seconds:.2f} s")  # noqa: T201  # the figures
    return answered


async def measure() -> None:
    """Reservations, then settlements in parts, each at once."""
    with tempfile.TemporaryDirectory() as directory:
        async with (
            embedded_redis(Path(directory)) as server,
            opened_store(Place(server.url), SystemClock()) as store,
        ):
            script, ask = AccountScript(store.batch), an_ask()
            for tenant in TENANTS:
                await script.seed(tenant, [], generation="g")
            asks = [
                replace(ask, id=str(number), tenant=TENANTS[number % len(TENANTS)])
                for number in range(CROWD)
            ]
            answered = await crowd("reservations", [script.reserve(each) for each in asks])
            await crowd("settlements, by the hundred", settling(script, answered))


def settling(script: AccountScript, answered: Sequence[object]) -> list[Awaitable[Any]]:
    """Calls that settle what was granted."""
    charge = Charge(Amounts(1, 700, 700_000), encode(LedgerRow("r", RowKind.SETTLED, 0.0, "t")))
    calls: list[Awaitable[Any]] = []
    for tenant in TENANTS:
        granted = [
            Settlement(each, charge)
            for each in answered
            if isinstance(each, Reservation) and each.ask.tenant == tenant
        ]
        parts = (granted[at : at + _AT_ONCE] for at in range(0, len(granted), _AT_ONCE))
        calls += [script.settle(tenant, part) for part in parts]
    return calls


def main() -> int:
    """Measure once."""
    uvloop.run(measure())
    return 0


if __name__ == "__main__":
    sys.exit(main())
