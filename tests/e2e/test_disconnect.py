"""Clients that leave, at any moment and in any way: upstreams stop, and both sides agree."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

import pytest

from app.domain.completion import Outcome, Receipt
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

CLIENTS = 200
AT_ONCE = 20
#: A left client's upstream is closed within this time, in seconds.
SOON_S = 1.0
HOW = ("fin", "rst", "half_close", "pipelined")
#: After how many bytes of the answer a client leaves; 0 is while it waits for the first.
WHEN = (0, 0, 1, 400, 1500, 4000, 9000)


@dataclass(slots=True)
class Leaver:
    """One client, how and when it leaves."""

    number: int
    how: str
    after_bytes: int
    stream: bool
    left: float = 0.0
    finished: bool = False

    @property
    def request_id(self) -> str:
        """Its mark in the gateway's receipt."""
        return f"leaver-{self.number}"

    @property
    def cap(self) -> int:
        """Its mark in the simulator's ledger, which has no ids: a cap of its own."""
        return 1000 + self.number

    def request(self, key: str) -> bytes:
        """The HTTP request, and a second one behind it where it pipelines."""
        message = {"role": "user", "content": "Tell me a long story."}
        fields: dict[str, Any] = {"model": "gpt-4o", "messages": [message], "stream": self.stream}
        body = json.dumps(fields | {"max_tokens": self.cap}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\napi-key: {key}\r\n"
            f"x-request-id: {self.request_id}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        second = b"GET /v1/models HTTP/1.1\r\nhost: gateway\r\n\r\n"
        return head.encode() + body + (second if self.how == "pipelined" else b"")

    async def go(self, host: str, port: int, key: str) -> None:
        """Ask, read a little, leave."""
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(self.request(key))
        seen = 0
        if not self.after_bytes:
            await asyncio.sleep(0.05)  # not a wait for anything: the point at which it leaves
        while seen < self.after_bytes:
            data = await reader.read(256)
            if not data:
                self.finished = True
                break
            seen += len(data)
        self.left = time.time()
        self._leave(writer)

    def _leave(self, writer: asyncio.StreamWriter) -> None:
        if self.how == "half_close":
            writer.write_eof()
        if self.how == "rst":
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort() if self.how == "rst" else writer.close()


@pytest.mark.timeout(120)
async def test_two_hundred_clients_leave_and_nothing_stays_open(redis_url: str) -> None:
    """Every upstream closed within a second; ledger and receipts agree on each; all goes on."""
    draw = random.Random(20261121)
    leavers = [_leaver(number, draw) for number in range(CLIENTS)]
    config = lambda suffix: ptu_and_paygo(suffix, ptus=2000)  # noqa: E731  # roomy
    async with stack(redis_url, config, ttft_ms=200, tpot_ms=8) as team:
        await _let_go(team, leavers)
        asked = {leaver.request_id for leaver in leavers}
        await eventually(lambda: asked <= {receipt.request_id for receipt in team.receipts.kept})
        rows = {row["max_tokens"]: row for row in await team.served()}
        receipts = {receipt.request_id: receipt for receipt in team.receipts.kept}
        slow = [_agreed(one, rows[one.cap], receipts[one.request_id]) for one in leavers]
        print(  # noqa: T201  # the figures, shown by -rP or -s
            f"{CLIENTS} left; upstream closed after {max(slow):.3f} s at most, "
            f"{sorted(slow)[CLIENTS // 2]:.3f} s in the median"
        )
        assert max(slow) < SOON_S
        assert (await team.openai().models.list()).data


def _leaver(number: int, draw: random.Random) -> Leaver:
    """Four of five ask for a stream; the others leave before the answer or at its first bytes."""
    stream = draw.random() < 0.8
    when = draw.choice(WHEN if stream else WHEN[:3])
    return Leaver(number, draw.choice(HOW), when, stream)


async def _let_go(team: Stack, leavers: list[Leaver]) -> None:
    host, port = team.process.data_url.removeprefix("http://").split(":")
    places = asyncio.Semaphore(AT_ONCE)

    async def one(leaver: Leaver) -> None:
        async with places:
            await leaver.go(host, int(port), team.key)

    async with asyncio.TaskGroup() as tasks:
        for leaver in leavers:
            tasks.create_task(one(leaver))


def _agreed(leaver: Leaver, row: dict[str, Any], receipt: Receipt) -> float:
    """Both sides tell the same of one client; how long its upstream went on without it."""
    assert receipt.deployment in {row["deployment"], None}
    assert receipt.attempts == () or receipt.attempts[0].deployment == row["deployment"]
    if row["outcome"] == "complete":
        assert receipt.outcome in {Outcome.FINISHED, Outcome.CLIENT_DISCONNECTED}
    else:
        assert row["outcome"] == "client_gone", leaver
        assert receipt.outcome is Outcome.CLIENT_DISCONNECTED, (leaver, receipt)
    return max(0.0, float(row["ended"]) - leaver.left)
