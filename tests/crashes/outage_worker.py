"""A worker that serves through an outage of Redis, to be killed in the middle of it.

    python -m tests.crashes.outage_worker REDIS_URL ARCHIVE

It says `ready` with one reservation taken; told to go on, it takes two more, settles all three, and
says `spooled` once they are on the disk.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from app.adapters.accounts.accounts import Options, shared_accounts
from app.adapters.accounts.spool import Leftover
from app.adapters.clock import SystemClock
from app.adapters.redis.account import AccountScript
from app.adapters.redis.replicas import replicas
from app.domain.identity.tenant import Tenant
from app.domain.ledger.ledger_row import LedgerRow, RowKind, encode
from app.domain.quota.calendar import days_around, months_around
from app.domain.quota.reservation import Amounts, Ask, Charge, Reservation
from tests.fakes.patient import FROZEN_AFTER_S, patient_batch, patient_client

TENANT = Tenant("t")


def ask(id_: str) -> Ask:
    """A request of ten tokens."""
    days, months = days_around(time.time()), months_around(time.time())
    draft = encode(LedgerRow(id_, RowKind.RELEASED, time.time(), TENANT.name))
    return Ask(id_, TENANT.name, ("tenant",), Amounts(1, 10, 10), (), days, months, draft)


def charge(id_: str) -> Charge:
    """What it used."""
    row = LedgerRow(id_, RowKind.SETTLED, time.time(), TENANT.name, input=7, nano_usd=7)
    return Charge(row.charged, encode(row))


def say(word: str) -> None:
    """Tell whoever started this."""
    print(word, flush=True)  # noqa: T201  # what it was asked for


def spooled(archive: Path) -> int:
    """How many settlements are on the disk."""
    return sum(len(list(Leftover(path).lines())) for path in archive.glob("spool/*.spool"))


async def work(url: str, archive: Path) -> None:
    """As above."""
    clock, loop = SystemClock(), asyncio.get_running_loop()
    async with (
        patient_client(url) as client,
        patient_batch(client, clock, patience_s=FROZEN_AFTER_S) as batch,
        replicas(batch, "first") as workers,
        shared_accounts(
            AccountScript(batch), workers, clock, drain_s=5, options=Options(archive=archive)
        ) as accounts,
    ):
        granted = [await accounts.reserve(ask("a"), TENANT)]
        say("ready")
        await loop.run_in_executor(None, sys.stdin.readline)
        granted += [await accounts.reserve(ask(id_), TENANT) for id_ in ("b", "c")]
        for each in granted:
            assert isinstance(each, Reservation)
            accounts.settle(each, charge(each.ask.id))
        while spooled(archive) < len(granted):
            await asyncio.sleep(0.01)
        say("spooled")
        await asyncio.sleep(60)


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], Path(sys.argv[2])))
