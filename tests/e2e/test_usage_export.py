"""A whole gateway exports its ledger: rows arrive as log records, frozen receiver or not."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from app.domain.ledger.completion import Receipt
from tests.e2e.stack import DEADLINE_S, Stack, eventually, ptu_and_paygo, stack
from tests.fakes.exported import HOUR_S, ledger, manifests
from tests.fakes.log_receiver import LogReceiver, log_receiver

HELLO: Any = {"model": "gpt-4o", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]}


async def ask(team: Stack, times: int) -> None:
    for _ in range(times):
        await team.openai().chat.completions.create(**HELLO)


async def begun(team: Stack) -> None:
    """Wait until it is known where rows begin."""
    await exposed(team, 'spillgate_export_timestamp_seconds{sink="otlp"}')


async def exposed(team: Stack, begins: str) -> None:
    """Wait until a line of /metrics begins so."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            async with team.http.get(f"{team.process.admin_url}/metrics") as answer:
                if any(line.startswith(begins) for line in (await answer.text()).splitlines()):
                    return
            await asyncio.sleep(0.02)


def sums(receiver: LogReceiver) -> tuple[int, int, int]:
    """Input and output tokens, and nano-dollars of all records that were charged."""
    charged = [each for each in receiver.records if each["spillgate.charged"]]
    names = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "spillgate.cost.nano_usd")
    first, second, third = (sum(each[name] for each in charged) for name in names)
    return first, second, third


def sums_of(receipts: list[Receipt]) -> tuple[int, int, int]:
    used = [each.usage for each in receipts if each.usage]
    nano_usd = sum(each.nano_usd for each in receipts)
    return sum(each.input for each in used), sum(each.output for each in used), nano_usd


async def test_rows_arrive_as_log_records(redis_url: str) -> None:
    """All of them, to the token; the tokens of a receiver that asks for one are sent."""
    async with log_receiver() as receiver:

        def config(suffix: str) -> dict[str, Any]:
            headers = {"authorization": "Bearer canary-2b"}
            return ptu_and_paygo(suffix) | {
                "usage_export": {"otlp": {"endpoint": receiver.url, "headers": headers}}
            }

        async with stack(redis_url, config) as team:
            await begun(team)
            await ask(team, 7)
            await eventually(lambda: len(receiver.records) == 7)
            assert sums(receiver) == sums_of(team.receipts.kept)
            assert {each["authorization"] for each in receiver.headers} == {"Bearer canary-2b"}


async def test_requests_do_not_notice_a_frozen_receiver(redis_url: str) -> None:
    """What it did not take comes once it answers again."""
    async with log_receiver() as receiver:
        receiver.thawed.clear()

        def config(suffix: str) -> dict[str, Any]:
            otlp = {"endpoint": receiver.url, "timeout_s": 600}
            return ptu_and_paygo(suffix) | {"usage_export": {"otlp": otlp}}

        async with stack(redis_url, config) as team:
            await begun(team)
            await ask(team, 1)
            await eventually(lambda: receiver.at_once == 1)
            await ask(team, 5)
            assert receiver.at_once == 1
            receiver.thawed.set()
            await eventually(lambda: len(receiver.records) == 6)
            assert sums(receiver) == sums_of(team.receipts.kept)


async def test_metrics_tell_what_a_receiver_does_not_take(redis_url: str) -> None:
    """Also how many rows it took and rejected: these are lost."""
    up = 'spillgate_dependency_up{dependency="usage_export"}'
    failed = 'spillgate_dependency_failures_total{dependency="usage_export",policy="retry"}'
    lost = 'spillgate_telemetry_lost_total{kind="usage_row"}'
    async with log_receiver() as receiver:

        def config(suffix: str) -> dict[str, Any]:
            return ptu_and_paygo(suffix) | {"usage_export": {"otlp": {"endpoint": receiver.url}}}

        async with stack(redis_url, config) as team:
            await begun(team)
            for line in (f"{up} 1", f"{failed} 0", f"{lost} 0"):
                await exposed(team, line)
            receiver.statuses = [503] * 2
            receiver.rejects = 1
            await ask(team, 1)
            await exposed(team, f"{up} 0")
            for line in (f"{up} 1", f"{failed} 2", f"{lost} 1"):
                await exposed(team, line)


async def test_days_that_are_over_are_written(redis_url: str, tmp_path: Path) -> None:
    """Of rows that were there before the gateway was told to export."""
    before = ledger(tmp_path / "archive")
    with before.archive:
        before.clock.advance(time.time() - before.clock.unix() - 48 * HOUR_S)
        before.add_days(1)
    exports = tmp_path / "exports"
    exports.mkdir()

    def config(suffix: str) -> dict[str, Any]:
        return ptu_and_paygo(suffix) | {
            "ledger": {"archive": str(tmp_path / "archive")},
            "usage_export": {"files": {"directory": str(exports), "format": "parquet"}},
        }

    async with stack(redis_url, config):
        await eventually(lambda: list(exports.glob("*/ledger-*.parquet.manifest.json")))
    midnight = time.time() // (24 * HOUR_S) * 24 * HOUR_S
    yesterday = [each for each in manifests(exports) if each["until"] <= midnight]
    assert sum(each["rows"] for each in yesterday) > 0
