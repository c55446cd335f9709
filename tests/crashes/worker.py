"""A worker that serves one request and is killed at one numbered point of it.

    python -m tests.crashes.worker REDIS_URL TENANT STORY POINT

Points 1 to n are those at which the request waits; n + 1 is after it, with its settlement on its
way at most; n + 2 after that. Point 0 kills nobody. It prints how many points there are before it
is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

from app.adapters.accounts.accounts import shared_accounts
from app.adapters.clock import SystemClock
from app.adapters.redis.account import AccountScript
from app.adapters.redis.replicas import replicas
from app.domain.identity.tenant import Tenant
from app.domain.quota.limit import LimitName, LimitRule
from app.errors import SpillgateError
from tests.fakes.call import FakeCall
from tests.fakes.house import House
from tests.fakes.patient import patient_batch, patient_client
from tests.fakes.reply import RecordingReply
from tests.fakes.stepping import Stepping

#: A hold of a killed worker lasts as long.
TTL_S = 0.3
CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 50}


def whole(house: House, tenant: str) -> FakeCall:
    """An answer in one piece."""
    house.upstream("ptu").completes()
    return FakeCall(fields=CHAT, tenant=tenant)


def stream(house: House, tenant: str) -> FakeCall:
    """A stream that spilled."""
    house.upstream("ptu").answers(429, retry_after_ms=800)
    house.upstream("paygo").streams("Hel", "lo")
    return FakeCall(fields={**CHAT, "stream": True}, tenant=tenant)


def untold(house: House, tenant: str) -> FakeCall:
    """A stream that breaks off, whose usage is estimated."""
    house.upstream("ptu").streams("Hel", "lo").cuts_after(3)
    return FakeCall(fields={**CHAT, "stream": True}, tenant=tenant)


def failed(house: House, tenant: str) -> FakeCall:
    """No deployment answers."""
    house.upstream("ptu").answers(500)
    house.upstream("paygo").answers(500)
    return FakeCall(fields=CHAT, tenant=tenant)


STORIES = {story.__name__: story for story in (whole, stream, untold, failed)}


def die_at(wanted: int, point: int) -> None:
    """No clean-up, no last words."""
    if wanted == point:
        os.kill(os.getpid(), signal.SIGKILL)


async def work(url: str, tenant: str, story: str, point: int) -> None:
    """Serve the request of a story, and die where told."""
    clock = SystemClock()
    async with (
        patient_client(url) as client,
        patient_batch(client, clock) as batch,
        replicas(batch, "w") as workers,
        shared_accounts(AccountScript(batch, ttl_s=TTL_S), workers, clock, drain_s=5) as accounts,
    ):
        rules = (LimitRule(LimitName.TOKENS_PER_DAY, 100),)
        house = House(tenants=[Tenant(tenant, limits=rules)], accounts=accounts)
        house.clock.advance(clock.unix() - house.clock.unix())
        call = STORIES[story](house, tenant)
        handled = Stepping(
            house.gateway.handle(call, RecordingReply()), lambda at: die_at(point, at)
        )

        async def serve() -> None:
            await handled

        with contextlib.suppress(SpillgateError):
            await asyncio.create_task(serve())
        print(handled.points, flush=True)  # noqa: T201  # what it was asked for
        die_at(point, handled.points + 1)
        await accounts.settled(5)
        die_at(point, handled.points + 2)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
