"""Several processes on one archive: one of them keeps it, whichever ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from app.adapters.archive.ledger_streams import key_of
from app.adapters.archive.reader import ArchiveReader
from app.adapters.redis.account import account_key
from app.bootstrap.state import State
from app.domain.ledger.ledger_row import encode
from tests.fakes.keepers import settings_of, state_of
from tests.fakes.ledger_rows import ledger_row
from tests.fakes.patient import PATIENCE_S, patient_client


@dataclass
class House:
    """A Redis, and a directory that has the archive."""

    url: str
    directory: Path
    redis: Any  # redis-py's stubs tell every kind of answer as one union
    tenant: str

    async def settle(self, ids: Iterable[int]) -> None:
        for number in ids:
            row = encode(ledger_row(str(number), tenant=self.tenant))
            await self.redis.xadd(key_of(self.tenant), {"row": row, "mark": ""})

    async def archived(self, ids: Iterable[int]) -> None:
        """Wait until it has these rows and no others."""
        expected = list(ids)
        async with asyncio.timeout(PATIENCE_S):
            while await asyncio.to_thread(self.found) != expected:
                await asyncio.sleep(0.02)

    def found(self) -> list[int]:
        reader = ArchiveReader(self.directory / "archive")
        return [int(row.id) for row in reader.rows(self.tenant)]

    async def seeded(self, tenant: str) -> None:
        """Wait until the tenant's account has a generation."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.redis.get(f"{account_key(tenant)}:generation") is None:
                await asyncio.sleep(0.02)


@pytest.fixture
async def house(redis_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with patient_client(redis_url) as client:
        yield House(redis_url, tmp_path, client, f"t-{uuid4().hex}")


async def keeps(state: State) -> None:
    """Wait until this process keeps the archive."""
    async with asyncio.timeout(PATIENCE_S):
        while state.kept is None:
            await asyncio.sleep(0.02)


async def test_the_archive_passes_to_a_process_that_was_there_before_its_keeper_ended(
    house: House,
) -> None:
    """As in a rolling replacement: rows are copied on, and a new tenant gets its account."""
    settings = settings_of(house.url, house.directory, house.tenant)
    newcomer = f"n-{uuid4().hex}"
    async with AsyncExitStack() as old:
        first = await old.enter_async_context(state_of(settings))
        async with state_of(settings) as second:
            assert first.kept is not None
            assert second.kept is None
            before = second.derived
            assert before is None
            await house.settle(range(3))
            await house.archived(range(3))
            await old.aclose()
            await house.settle(range(3, 6))
            await second.follow(settings_of(house.url, house.directory, house.tenant, newcomer))
            await house.archived(range(6))
            await house.seeded(newcomer)
            await keeps(second)
            derived = second.derived
            assert derived is not None
            assert set(derived.exports.sinks) == {"files"}
            assert derived.hook is not None


async def test_of_those_that_wait_one_takes_it(house: House) -> None:
    """Never two at once, and the last has it in the end."""
    settings = settings_of(house.url, house.directory, house.tenant)
    async with AsyncExitStack() as opened:
        scopes = [await opened.enter_async_context(AsyncExitStack()) for _ in range(3)]
        states = [await each.enter_async_context(state_of(settings)) for each in scopes]
        for left in (3, 2, 1):
            async with asyncio.timeout(PATIENCE_S):
                while not (keepers := [each for each in states if each.kept]):
                    await asyncio.sleep(0.02)
            assert len(keepers) == 1
            await house.settle([left])
            at = states.index(keepers[0])
            del states[at]
            await scopes.pop(at).aclose()
    assert house.found() == [3, 2, 1]


async def test_who_ends_while_waiting_leaves_the_keeper_alone(house: House) -> None:
    """Nor does it wait for the lock."""
    settings = settings_of(house.url, house.directory, house.tenant)
    async with state_of(settings) as first:
        async with state_of(settings) as second:
            assert second.kept is None
        await house.settle(range(2))
        await house.archived(range(2))
        assert first.kept is not None
