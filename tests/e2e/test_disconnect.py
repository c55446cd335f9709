"""Clients that leave, at any moment and in any way: upstreams stop, and both sides agree."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import socket
import struct
import time
from dataclasses import dataclass
from typing import Any

import pytest

from app.domain.ledger.completion import Outcome, Receipt
from tests.e2e.stack import Stack, eventually, ptu_and_paygo, stack

CLIENTS = 200
AT_ONCE = 20
#: A left client's upstream is closed within this time, in seconds.
SOON_S = 3.0
HOW = ("fin", "rst", "half_close", "pipelined", "unread")
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
    lingers_s: float = 0.0
    writer: asyncio.StreamWriter | None = None

    @property
    def request_id(self) -> str:
        """Its mark in the gateway's receipt."""
        return f"leaver-{self.number}"

    @property
    def cap(self) -> int:
        """Its mark in the simulator's ledger, which has no ids: a cap of its own."""
        return 200 + self.number

    def request(self, key: str) -> bytes:
        """The HTTP request, and a second one behind it where it pipelines."""
        message = {"role": "user", "content": "Tell me a long story."}
        fields: dict[str, Any] = {"model": "gpt-4o", "messages": [message], "stream": self.stream}
        body = json.dumps(fields | {"max_tokens": self.cap}).encode()
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\napi-key: {key}\r\n"
            f"connection: {'keep-alive' if self.how == 'pipelined' else 'close'}\r\n"
            f"x-request-id: {self.request_id}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        second = b"GET /v1/models HTTP/1.1\r\nhost: gateway\r\n\r\n"
        return head.encode() + body + (second if self.how == "pipelined" else b"")

    async def go(self, host: str, port: int, key: str) -> None:
        """Ask, read a little, leave."""
        reader, writer = await asyncio.open_connection(host, port, limit=1024)
        self.writer = writer
        writer.write(self.request(key))
        seen = 0
        if not self.after_bytes:
            await asyncio.sleep(self.pause_s)
        while seen < self.after_bytes and not self.finished:
            data = await reader.read(256)
            self.finished = not data
            seen += len(data)
        if self.how == "unread":  # what has come by then makes its end a reset
            await asyncio.sleep(self.pause_s)
        self.left = time.time()
        self._leave(writer)

    @property
    def pause_s(self) -> float:
        """Not a wait for anything: a point at which to leave, before or after the first token."""
        return self.lingers_s + 0.02 + self.number % 10 / 100

    def _leave(self, writer: asyncio.StreamWriter) -> None:
        if self.how == "half_close":  # the other half stays open until all have left
            writer.write_eof()
            return
        if self.how == "rst":
            _reset_at_close(writer)
        writer.transport.abort() if self.how in {"rst", "unread"} else writer.close()

    def drop(self) -> None:
        """Close what a half close left open."""
        if self.writer is not None:
            self.writer.transport.abort()


def _reset_at_close(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.timeout(120)
async def test_two_hundred_clients_leave_and_nothing_stays_open(redis_url: str) -> None:
    """Every upstream closed within moments; ledger and receipts agree on each; all goes on."""
    draw = random.Random(20261121)
    leavers = [_leaver(number, draw) for number in range(CLIENTS)]
    async with stack(redis_url, _roomy, ttft_ms=60, tpot_ms=24) as team:
        slow = await _all_leave(team, leavers)
        print(  # noqa: T201  # the figures, shown by -rP or -s
            f"{CLIENTS} left; upstream closed after {max(slow):.3f} s at most, "
            f"{sorted(slow)[CLIENTS // 2]:.3f} s in the median"
        )
        assert len(slow) > CLIENTS / 2, "too few left in time"
        assert max(slow) < SOON_S


async def test_clients_leave_while_the_model_thinks(redis_url: str) -> None:
    """The first token is seconds away: nothing is sent that could fail, and still it is noticed."""
    leavers = [
        Leaver(number, how, 0, stream, lingers_s=2)
        for number, (how, stream) in enumerate(itertools.product(HOW, (True, False)))
    ]
    async with stack(redis_url, _roomy, ttft_ms=30_000, tpot_ms=8) as team:
        slow = await _all_leave(team, leavers)
        assert len(slow) > len(leavers) / 2, "too few were thought about when they left"
        assert max(slow) < SOON_S
        statuses = {receipt.status for receipt in team.receipts.kept if receipt.tenant}
        assert None in statuses


async def test_clients_leave_before_they_have_asked(redis_url: str) -> None:
    """Half a head is no request; half a body is one that nobody is asked for."""
    whole = Leaver(0, "fin", 0, stream=True)
    async with stack(redis_url, _roomy) as team:
        request = whole.request(team.key)
        head = request.index(b"\r\n\r\n") + 4
        for size, counted in ((0, 0), (1, 0), (head - 3, 0), (head, 1), (head + 20, 1)):
            team.receipts.kept.clear()
            for reset in (False, True):
                _, writer = await asyncio.open_connection(*_address(team))
                writer.write(request[:size])
                await writer.drain()
                await asyncio.sleep(0.02)  # let the server read that much
                if reset:
                    _reset_at_close(writer)
                writer.close()
            await _settled(team, 2 * counted)
            outcomes = {receipt.outcome for receipt in team.receipts.kept}
            assert outcomes <= {Outcome.CLIENT_DISCONNECTED}
            assert not any(receipt.attempts for receipt in team.receipts.kept)
        assert await team.served() == []
        await _goes_on(team)


async def test_who_stays_gets_all_of_it(redis_url: str) -> None:
    """Among clients that leave, one in five stays; its answer is whole on both sides."""
    draw = random.Random(7)
    leavers = [_leaver(number, draw) for number in range(40)]
    for stays in leavers[::5]:
        stays.how, stays.stream, stays.after_bytes = "fin", True, 10**9
    async with stack(redis_url, _roomy, ttft_ms=20, tpot_ms=2) as team:
        await _all_leave(team, leavers)
        for stays in leavers[::5]:
            assert stays.finished
            receipt = await team.receipt(stays.request_id)
            assert receipt.outcome is Outcome.FINISHED
            assert receipt.usage is not None


def _roomy(suffix: str) -> dict[str, Any]:
    """A PTU that takes them all, and a model `fast` whose deployment does not think."""
    config = ptu_and_paygo(suffix, ptus=2000)
    fast = f"paygo-a-{suffix}"
    config["deployments"][fast]["simulator"] = {"ttft_ms": 0, "tpot_ms": 0}
    config["models"]["fast"] = {"tiers": [[fast]]}
    return config


async def _all_leave(team: Stack, leavers: list[Leaver]) -> list[float]:
    """Let them; compare both sides of each. How long each upstream went on without its client."""
    await _let_go(team, leavers)
    receipts = [await team.receipt(leaver.request_id) for leaver in leavers]
    served = {row["max_tokens"]: row for row in await team.served()}
    for leaver in leavers:
        leaver.drop()
    pairs = zip(leavers, receipts, strict=True)
    slow = [_agreed(one, served.get(one.cap), receipt) for one, receipt in pairs]
    await _goes_on(team)
    return [after for after in slow if after is not None]


async def _settled(team: Stack, count: int) -> None:
    """As many receipts have come, and nothing more is under way that could make another."""
    receipts, plane = team.receipts, team.process.data_plane
    await eventually(lambda: len(receipts.kept) >= count and not plane._in_flight)  # noqa: SLF001  # nothing else shows it
    assert len(receipts.kept) == count


async def _goes_on(team: Stack) -> None:
    """Nothing is in flight, and ten at once are served."""
    await eventually(lambda: not team.process.data_plane._in_flight)  # noqa: SLF001  # nothing else shows it
    assert (await team.openai().models.list()).data
    message: Any = {"role": "user", "content": "Hi"}
    ask = team.openai(timeout=30).chat.completions.create
    await asyncio.gather(*(ask(model="fast", messages=[message], max_tokens=4) for _ in range(10)))


def _leaver(number: int, draw: random.Random) -> Leaver:
    """Four of five ask for a stream; the others leave before the answer or at its first bytes."""
    stream = draw.random() < 0.8
    when = draw.choice(WHEN if stream else WHEN[:3])
    return Leaver(number, draw.choice(HOW), when, stream)


def _address(team: Stack) -> tuple[str, int]:
    host, port = team.process.data_url.removeprefix("http://").split(":")
    return host, int(port)


async def _let_go(team: Stack, leavers: list[Leaver]) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(leaver: Leaver) -> None:
        async with places:
            await leaver.go(*_address(team), team.key)

    async with asyncio.TaskGroup() as tasks:
        for leaver in leavers:
            tasks.create_task(one(leaver))


def _agreed(leaver: Leaver, row: dict[str, Any] | None, receipt: Receipt) -> float | None:
    """Both sides tell the same of one client; how long its upstream went on, if it was cut off."""
    told = (leaver, row, receipt)
    if row is None:  # it left before an upstream was asked
        assert (receipt.attempts, receipt.outcome) == ((), Outcome.CLIENT_DISCONNECTED), told
        return None
    assert receipt.deployment in {row["deployment"], None}, told
    assert all(attempt.deployment == row["deployment"] for attempt in receipt.attempts), told
    assert (receipt.deployment is None) == (receipt.status is None), told
    if row["outcome"] == "complete":
        near = abs(row["ended"] - leaver.left) < SOON_S
        left_late = receipt.outcome is Outcome.CLIENT_DISCONNECTED and near
        assert receipt.outcome is Outcome.FINISHED or left_late, told
        return None
    assert row["outcome"] == "client_gone", told
    assert not leaver.finished, told
    assert receipt.outcome is Outcome.CLIENT_DISCONNECTED, told
    return max(0.0, float(row["ended"]) - leaver.left)
