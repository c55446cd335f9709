from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from app.adapters.archive.archive import Archive, ArchivePolicy
from app.adapters.archive.segment import segments
from app.adapters.background import background
from app.adapters.usage_export.otlp import STATE, OtlpExporter, OtlpOptions
from app.domain.ledger.ledger_row import encode
from tests.fakes.clock import FakeClock
from tests.fakes.ledger_rows import ledger_row
from tests.fakes.log_receiver import LogReceiver, log_receiver

PATIENCE_S = 60.0


@dataclass(slots=True)
class House:
    """An archive, a receiver, and exporters between them."""

    archive: Archive
    directory: Path
    clock: FakeClock
    receiver: LogReceiver
    client: httpx2.AsyncClient
    rows: int = 0

    def add(self, count: int = 1) -> None:
        """Archive so many rows, a second apart."""
        first = self.rows + 1
        self.rows += count
        entries = []
        for number in range(first, self.rows + 1):
            self.clock.advance(1)
            row = ledger_row(str(number), at=self.clock.unix(), nano_usd=number)
            entries.append((f"{number}-0", encode(row)))
        self.archive.append("search", entries)

    def exporter(self, **options: float) -> OtlpExporter:
        """A new one, as after a restart."""
        quick = {"timeout_s": PATIENCE_S, "look_s": 0.01, "first_pause_s": 0.01} | options
        where = OtlpOptions(self.receiver.url, {"service.name": "spillgate"}, **quick)
        return OtlpExporter(self.directory, self.client, self.clock, where)

    @contextmanager
    def full(self) -> Iterator[None]:
        """A directory whose files can be read, while what is noted there cannot be written."""
        in_the_way = self.directory / f".{STATE}.partial"
        in_the_way.mkdir()
        yield
        in_the_way.rmdir()

    async def export_all(self, exporter: OtlpExporter) -> None:
        """Until there is no more."""
        while await exporter.export_once() != 0:
            pass


@asynccontextmanager
async def opened() -> AsyncIterator[House]:
    clock = FakeClock()
    with TemporaryDirectory() as name:
        directory = Path(name)
        policy = ArchivePolicy(segment_bytes=20_000)
        with Archive.open(directory, clock, policy) as archive:
            async with log_receiver() as receiver, httpx2.AsyncClient(trust_env=False) as client:
                yield House(archive, directory, clock, receiver, client)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with opened() as made:
        yield made


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)


async def test_that_rows_arrive_once_and_in_order(house: House) -> None:
    """With what they are by the names of spans, and money as a whole number."""
    exporter = house.exporter()
    assert await exporter.export_once() == 0
    house.add(600)
    await house.export_all(exporter)
    assert house.receiver.ids == [str(number) for number in range(1, 601)]
    record = house.receiver.records[6]
    assert record["spillgate.tenant"] == "search"
    assert (record["gen_ai.usage.input_tokens"], record["spillgate.cost.nano_usd"]) == (5, 7)
    assert record["spillgate.charged"] is True
    assert house.receiver.resources[0] == {"service.name": "spillgate"}
    assert house.receiver.bodies[6] == "settled search gpt-4o: 5 + 3 tokens, 0.000000 USD"
    assert max(house.receiver.sizes) == 250


async def test_that_it_begins_with_what_comes_after_it_was_switched_on(house: House) -> None:
    """A year of rows would be a flood; what comes after a restart is not left out, though."""
    house.add(3)
    assert await house.exporter().export_once() == 0
    house.add(2)
    await house.export_all(house.exporter())
    assert house.receiver.ids == ["4", "5"]


async def test_that_a_batch_that_was_not_taken_is_sent_again(house: House) -> None:
    """Refusals, an absent receiver; nothing is left out."""
    exporter = house.exporter()
    await exporter.export_once()
    house.add(5)
    house.receiver.statuses = [503, 429, 400]
    assert [await exporter.export_once() for _ in range(3)] == [None, None, None]
    assert not exporter.is_well
    assert [await exporter.export_once() for _ in range(2)] == [5, 0]
    assert exporter.is_well
    assert house.receiver.ids == ["1", "2", "3", "4", "5"]
    assert exporter.failures_total == 3


async def test_that_too_large_a_batch_is_halved(house: House) -> None:
    """As often as it takes."""
    exporter = house.exporter()
    await exporter.export_once()
    house.add(200)
    house.receiver.largest = 60
    async with background("export", exporter.keep_exporting):
        await until(lambda: len(house.receiver.ids) >= 200)
    assert house.receiver.ids == [str(number) for number in range(1, 201)]


async def test_that_what_a_receiver_rejects_is_counted(house: House) -> None:
    """OTLP forbids to send it again."""
    exporter = house.exporter()
    await exporter.export_once()
    house.add(3)
    house.receiver.rejects = 2
    await house.export_all(exporter)
    assert exporter.rejected_total == 2


async def test_that_progress_is_told(house: House) -> None:
    """The time up to which rows were taken: that of the look, where nothing waits."""
    exporter = house.exporter()
    assert exporter.timestamp is None
    await exporter.export_once()
    looked = house.clock.unix()
    assert exporter.timestamp == looked
    house.add(2)
    house.clock.advance(1000)
    house.receiver.statuses = [503]
    await exporter.export_once()
    assert exporter.timestamp == looked, "what waits makes it stand still"
    restarted = house.exporter()
    house.receiver.statuses = [503]
    await restarted.export_once()
    assert restarted.timestamp == looked, "also after a restart"
    await house.export_all(exporter)
    assert exporter.timestamp == house.clock.unix()


async def test_that_a_frozen_receiver_costs_nothing(house: House) -> None:
    """One request waits for it and no memory grows; the process ends without it; rows do not."""
    await house.exporter().export_once()
    house.receiver.thawed.clear()
    exporter = house.exporter()
    async with background("export", exporter.keep_exporting):
        house.add(1)
        await until(lambda: house.receiver.at_once == 1)
        for _ in range(20):
            house.add(100)
            await asyncio.sleep(0.01)
        assert house.receiver.at_once == 1
        began = asyncio.get_running_loop().time()
    assert asyncio.get_running_loop().time() - began < PATIENCE_S / 2, "it is not waited for"
    house.receiver.thawed.set()
    house.receiver.records.clear()
    await house.export_all(house.exporter())
    assert house.receiver.ids == [str(number) for number in range(1, 2002)]


async def test_that_a_receiver_that_does_not_answer_is_given_up_and_asked_again(
    house: House,
) -> None:
    """After the time that it has."""
    exporter = house.exporter(timeout_s=0.05)
    await exporter.export_once()
    house.add(3)
    house.receiver.thawed.clear()
    assert await exporter.export_once() is None
    house.receiver.thawed.set()
    await house.export_all(house.exporter())
    assert set(house.receiver.ids) == {"1", "2", "3"}


async def test_that_a_restored_archive_loses_nothing(house: House) -> None:
    """It is shorter than what was sent: rows are sent twice rather than never."""
    exporter = house.exporter()
    await exporter.export_once()
    house.add(2)
    await house.export_all(exporter)
    path = segments(house.directory)[-1].path
    house.archive.close()
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:-1]))
    with Archive.open(house.directory, house.clock) as house.archive:
        house.rows = 1
        house.add(1)
        await house.export_all(house.exporter())
    assert house.receiver.ids[-1] == "2"


async def test_that_a_full_volume_repeats_nothing(house: House) -> None:
    """Rows go on, each once; that it cannot be noted is logged once, and that it can be again."""
    exporter = house.exporter()
    await exporter.export_once()
    with capture_logs() as logs:
        async with background("export", exporter.keep_exporting, pause_s=0.01) as work:
            with house.full():
                for _ in range(3):
                    house.add(3)
                    await until(lambda: len(house.receiver.ids) >= house.rows)
                await until(lambda: exporter.timestamp == house.clock.unix())
            await until(lambda: len(logs) > 1)
    assert house.receiver.ids == [str(number) for number in range(1, 10)]
    assert work.failures_total == 0
    assert [entry["event"] for entry in logs] == ["usage_export_not_noted", "usage_export_noted"]
    await house.export_all(house.exporter())
    assert len(house.receiver.ids) == 9, "and a restart goes on from there"


async def test_that_a_restart_repeats_what_was_not_noted(house: House) -> None:
    """And no more than that."""
    exporter = house.exporter()
    await exporter.export_once()
    house.add(3)
    await house.export_all(exporter)
    with house.full():
        house.add(2)
        await house.export_all(exporter)
    await house.export_all(house.exporter())
    assert house.receiver.ids == ["1", "2", "3", "4", "5", "4", "5"]


async def test_that_it_begins_on_a_full_volume(house: House) -> None:
    """And what comes while the receiver is away is not left out once it could note its place."""
    with house.full():
        exporter = house.exporter()
        assert await exporter.export_once() == 0
    house.add(2)
    house.receiver.statuses = [503]
    assert await exporter.export_once() is None
    await house.export_all(house.exporter())
    assert house.receiver.ids == ["1", "2"]


@given(st.lists(st.sampled_from(["add", "export", "fail", "restart", "day"]), max_size=25))
@settings(max_examples=40)
def test_that_the_cursor_leaves_no_row_out(doings: list[str]) -> None:
    """Whatever fails, however often it begins again: each row arrives, the first time in order."""

    async def story() -> None:
        async with opened() as house:
            exporter = house.exporter()
            await exporter.export_once()
            for doing in doings:
                if doing == "add":
                    house.add(3)
                elif doing == "day":
                    house.clock.advance(86_400)
                elif doing == "restart":
                    exporter = house.exporter()
                else:
                    house.receiver.statuses = [503] if doing == "fail" else []
                    await exporter.export_once()
            house.receiver.statuses = []
            await house.export_all(exporter)
            assert house.receiver.ids == [str(number) for number in range(1, house.rows + 1)]

    asyncio.run(story())
