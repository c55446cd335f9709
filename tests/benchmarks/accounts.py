"""What a request costs for its account: processor time of the gateway's part, and of Redis.

Admission with its token count, and settlement, over a Redis of the benchmark's own; what is between
them is a pause of one to five milliseconds. A loop with the pause alone is subtracted. Of one
tenant, and of fifty that ask in turns; without limits, and with all nine.
`python -m tests.benchmarks.accounts [REQUESTS]`.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import statistics
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import uvloop
from redis.asyncio import Redis

from app.adapters.accounts.accounts import Options, SharedAccounts, shared_accounts
from app.adapters.clock import SystemClock
from app.adapters.estimator import Estimator
from app.adapters.redis.account import AccountScript
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.replicas import Replicas
from app.adapters.redis.store import Place, opened_store
from app.domain.call.tokens import TokenCounter
from app.domain.identity.tenant import Principal, Tenant
from app.domain.quota.learned import LearnedOutput
from app.domain.quota.limit import RULE_NAMES, LimitRule
from app.domain.quota.price import Price, PriceTable
from app.domain.quota.usage import Usage
from app.domain.routing.attempt import Attempt, Verdict
from app.domain.routing.deployment import Kind
from app.domain.routing.route import Choices
from app.observation import Observation
from app.stages.admission import Admission
from app.stages.settlement import Settlement
from app.wire.openai import read_request
from app.wire.routes import match
from tests.fakes.background_charges import FakeBackgroundCharges
from tests.fakes.call import FakeCall
from tests.fakes.house import fleet
from tests.fakes.reply import RecordingReply

_REQUESTS: Final = 4000
_ROUNDS: Final = 5
_AT_ONCE: Final = 32
_FLEET: Final = fleet("ptu", "paygo")
_PRICES: Final = PriceTable({}, maximum=Price(input=2, cached_input=1, output=8, known=True))
_BODY: Final = json.dumps(
    {
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant that answers briefly."},
            {"role": "user", "content": "What is the capital of France, and since when?"},
        ],
        "max_tokens": 50,
    }
).encode()
_ROUTE: Final = match("POST", "/v1/chat/completions", "")
_REQUEST: Final = read_request(_ROUTE, _BODY)


@dataclass(frozen=True, slots=True)
class _Costs:
    """Microseconds for each request, and calls of scripts."""

    gateway_us: float
    redis_us: float
    calls: float


class _Bench:
    """One worker's accounts, and those who ask."""

    def __init__(self, accounts: SharedAccounts, redis: Any, pid: int) -> None:
        self.accounts = accounts
        self._redis = redis
        self._pid = pid
        clock = self._clock = SystemClock()
        estimator = Estimator(TokenCounter(), LearnedOutput())
        self._admission = Admission(
            accounts,
            estimator,
            fleet=_FLEET,
            prices=_PRICES,
            clock=clock,
            new_id=lambda: secrets.token_hex(12),
        )
        self._settlement = Settlement(accounts, estimator, _PRICES, FakeBackgroundCharges())
        self._choices = Choices(_FLEET.models["gpt-4o"])

    async def measure(self, principals: list[Principal], requests: int) -> _Costs:
        """Whatever a pause costs is subtracted."""
        await self._play(principals, requests // 4, accounted=True)
        found, empty = [], []
        for _ in range(_ROUNDS):
            found.append(await self._play(principals, requests, accounted=True))
            empty.append(await self._play(principals, requests, accounted=False))
        gateway = statistics.median(each.gateway_us for each in found)
        return _Costs(
            gateway - statistics.median(each.gateway_us for each in empty),
            statistics.median(each.redis_us for each in found),
            statistics.median(each.calls for each in found),
        )

    async def _play(self, principals: list[Principal], requests: int, *, accounted: bool) -> _Costs:
        calls, redis_ns, began = await self._calls(), self._redis_ns(), time.process_time()
        each = requests // _AT_ONCE
        async with asyncio.TaskGroup() as group:
            for number in range(_AT_ONCE):
                first = number % len(principals)
                turn = principals[first:] + principals[:first]
                group.create_task(self._ask(turn, each, accounted=accounted))
        if not await self.accounts.settled(20):
            raise SystemExit("settlements did not come to an end")
        count = each * _AT_ONCE
        return _Costs(
            (time.process_time() - began) * 1e6 / count,
            (self._redis_ns() - redis_ns) / 1e3 / count,
            (await self._calls() - calls) / count,
        )

    async def _ask(self, principals: list[Principal], requests: int, *, accounted: bool) -> None:
        for number in range(requests):
            observation = Observation(FakeCall(), self._clock)
            reply = RecordingReply()
            if not accounted:
                await _pause()
                continue
            observation.route, observation.request = _ROUTE, _REQUEST
            principal = observation.principal = principals[number % len(principals)]
            async with self._settlement.settled(observation, reply):
                await self._admission.admit(principal, _REQUEST, self._choices, observation)
                await _pause()
                _serve(observation)

    async def _calls(self) -> int:
        stats: dict[str, dict[str, int]] = await self._redis.info("commandstats")
        return stats.get("cmdstat_evalsha", {"calls": 0})["calls"]

    def _redis_ns(self) -> int:
        """The whole process's time on a processor."""
        return int(Path(f"/proc/{self._pid}/schedstat").read_text("ascii").split()[0])


def _serve(observation: Observation) -> None:
    served = Attempt("ptu", 0, Verdict.ACCEPT, 200, 0.0, 1.0, kind=Kind.PTU)
    observation.served = served
    observation.meter.usage = Usage(input=30, output=40)


async def _pause() -> None:
    await asyncio.sleep(random.uniform(0.001, 0.005))


async def _main(requests: int) -> None:
    rules = tuple(LimitRule(name, 1_000_000_000) for name in RULE_NAMES)
    clock = SystemClock()
    async with AsyncExitStack() as opened:
        enter = opened.enter_async_context
        directory = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        server = await enter(embedded_redis(directory))
        store = await enter(opened_store(Place(server.url, patience_s=5.0), clock))
        script = AccountScript(store.batch)
        workers = Replicas(store.batch, "w")
        accounts = await enter(
            shared_accounts(script, workers, clock, drain_s=5, options=Options(leases=False))
        )
        redis = await enter(Redis.from_url(server.url))
        pid = int((await redis.info("server"))["process_id"])
        bench = _Bench(accounts, redis, pid)
        for tenants in (1, 50):
            for limits in (0, len(rules)):
                names = [f"{tenants}-{limits}-{number}" for number in range(tenants)]
                for name in names:
                    await script.seed(name, [], generation="g")
                of_all = [Principal(Tenant(name, limits=rules[:limits]), "key") for name in names]
                costs = await bench.measure(of_all, requests)
                print(  # noqa: T201  # what it is for
                    f"{tenants:2} tenants, {limits} limits: gateway {costs.gateway_us:.0f} us, "
                    f"Redis {costs.redis_us:.0f} us, {costs.calls:.2f} calls a request",
                    flush=True,
                )


if __name__ == "__main__":
    uvloop.run(_main(int(sys.argv[1]) if len(sys.argv) > 1 else _REQUESTS))
