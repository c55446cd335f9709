"""A worker that is killed while Redis is away takes nothing with it."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from app.adapters.accounts.accounts import Options, shared_accounts
from app.adapters.clock import SystemClock
from app.adapters.redis.account import AccountScript, account_key
from app.adapters.redis.embedded import embedded_redis
from app.adapters.redis.embedded_binaries import installed_binaries
from app.adapters.redis.replicas import replicas
from app.domain.quota.calendar import days_around
from tests.crashes.outage_worker import TENANT
from tests.fakes.patient import patient_batch, patient_client

pytestmark = pytest.mark.skipif(
    installed_binaries().server is None, reason="no embedded Redis server for this machine"
)


@dataclass(slots=True)
class Machine:
    """A Redis that can be frozen, an archive's directory, and workers that come and go."""

    url: str
    redis: Redis
    pid: int
    archive: Path

    async def killed_in_an_outage(self) -> None:
        """A worker serves three requests, is killed, and leaves what it could not settle."""
        arguments = ("-m", "tests.crashes.outage_worker", self.url, str(self.archive))
        worker = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdin=PIPE, stdout=PIPE
        )
        assert worker.stdin is not None
        assert worker.stdout is not None
        async with asyncio.timeout(30):
            assert await worker.stdout.readline() == b"ready\n"
            os.kill(self.pid, signal.SIGSTOP)
            worker.stdin.write(b"\n")
            assert await worker.stdout.readline() == b"spooled\n"
            worker.kill()
            await worker.communicate()
        os.kill(self.pid, signal.SIGCONT)

    @asynccontextmanager
    async def worker(self, name: str) -> AsyncIterator[None]:
        """Another one, which is let stop."""
        clock = SystemClock()
        async with (
            patient_client(self.url) as client,
            patient_batch(client, clock) as batch,
            replicas(batch, name) as workers,
            shared_accounts(
                AccountScript(batch),
                workers,
                clock,
                drain_s=5,
                options=Options(archive=self.archive),
            ),
        ):
            yield

    async def replayed(self) -> None:
        """A worker comes, and settles what is left."""
        async with self.worker("next"), asyncio.timeout(20):
            while self.left:
                await asyncio.sleep(0.02)

    @property
    def left(self) -> list[Path]:
        """Spools."""
        return list((self.archive / "spool").iterdir())

    async def account(self) -> dict[str, int]:
        """What the tenant's account says of today, zeros left out."""
        redis: Any = self.redis
        day = days_around(time.time())[1].name
        found = await redis.hgetall(f"{account_key(TENANT.name)}:day:{day}")
        return {name.decode(): int(amount) for name, amount in found.items() if int(amount)}

    async def ledger(self) -> list[str]:
        """The ids of all rows."""
        redis: Any = self.redis
        entries = await redis.xrange(f"{account_key(TENANT.name)}:ledger")
        return sorted(json.loads(fields[b"row"])["id"] for _, fields in entries)


@pytest.fixture
async def machine(tmp_path: Path) -> AsyncIterator[Machine]:
    """With a seeded account."""
    archive = tmp_path / "ledger"
    archive.mkdir()
    async with (
        embedded_redis(tmp_path / "redis") as server,
        Redis.from_url(server.url) as admin,
        patient_client(server.url) as client,
        patient_batch(client, SystemClock()) as batch,
    ):
        await AccountScript(batch).seed(TENANT.name, [], generation="g1")
        pid = int((await admin.info("server"))["process_id"])
        try:
            yield Machine(server.url, admin, pid, archive)
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


CHARGED = {
    "committed:requests:tenant": 3,
    "committed:tokens:tenant": 21,
    "committed:nano_usd:tenant": 21,
}


async def test_what_a_killed_worker_granted_alone_is_charged_once(machine: Machine) -> None:
    """In the counters and in the ledger; also what Redis had granted and got the settlement of."""
    await machine.killed_in_an_outage()
    assert len(machine.left) == 1
    await machine.replayed()
    assert await machine.account() == CHARGED
    assert await machine.ledger() == ["a", "b", "c"]


async def test_a_spool_that_is_replayed_twice_charges_nothing_twice(machine: Machine) -> None:
    """Whoever replayed it may have been killed before it was removed."""
    await machine.killed_in_an_outage()
    (spool,) = machine.left
    copy = machine.archive / "copy"
    shutil.copy(spool, copy)
    await machine.replayed()
    copy.rename(spool)
    await machine.replayed()
    assert await machine.account() == CHARGED
    assert await machine.ledger() == ["a", "b", "c"]
